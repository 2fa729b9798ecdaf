"""Steering: the user's factors on attribute groups, for a pair model and for a set model.

A pair model has a condition for each attribute group; a factor multiplies its relevance before this
is renormalised (`similarity.steer`). A set model has no conditions. For it we define steering as

    score + gamma * sum_g (w_g - 1) * agreement_g
    agreement_g = sum_v P(v | query) P(v | item)

with w_g the user's factor on group g, and gamma the standard deviation of the unsteered scores
over all items of the index, so that "one more" of a group is worth one standard deviation of
similarity. Where the query's own words name values of the group ("a red shoe"), P(v | query) is
even over these: what is said needs no guess. Else it is a softmax of 16 s_v, where s_v is the set
similarity of the query and the words of the value (where its scale is not that of cosines, what
stands for it: `NamedSimilarity.on_cosines`), with one more outcome: the query says nothing
about the group, whose probability is spread evenly over the values. Its s_0 is the mean plus one
standard deviation of the likeness of the query to the values of all groups, which a value that is
meant exceeds and others rarely do; so weighing a group that the query does not speak of changes
little. P(v | item) is even over the values that the item has. Where they are not known, it is even
over those that are possible; an item known to have none agrees with nothing. A flag has two
outcomes, its words and "not" these. This is a definition of our own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from facetwise.errors import InputError

__all__ = [
    "SHARPNESS",
    "Term",
    "agreement",
    "check_weigh",
    "factors_of",
    "likelihood",
    "named",
    "value_texts",
    "words",
]

SHARPNESS = 16.0
"""Inverse temperature of P(v | query): smooth-Chamfer's alpha, which is made for cosines."""

_TILE = 65_536


@dataclass(frozen=True, eq=False)
class Term:
    """What steering one group does to the score of every item of an index under a set model.

    Attributes:
        group: the attribute group.
        factor: the user's w_g.
        gain: gamma (w_g - 1).
        agreement: (N,) agreement_g.
        value: the value that the query names ("a, b" for several), or else its likeliest one.
        likelihood: P(value | query).
        said: whether the query names it.
    """

    group: str
    factor: float
    gain: float
    agreement: Tensor
    value: str
    likelihood: float
    said: bool = False


def check_weigh(weigh: Mapping[str, float] | None, names: Sequence[str]) -> dict[str, float]:
    """The factors that were asked, as floats.

    Raises:
        InputError: a name that is not in `names`, or a factor that is no number from 0 up.

    >>> check_weigh({"colour": 3}, ["colour"])
    {'colour': 3.0}
    """
    checked: dict[str, float] = {}
    for name, factor in (weigh or {}).items():
        if name not in names:
            there = f"there are {', '.join(names)}" if names else "nothing can be weighed here"
            raise InputError(f"nothing is called {name!r} to weigh; {there}")
        try:
            value = float(factor)
        except (TypeError, ValueError):
            value = math.nan
        if not (math.isfinite(value) and value >= 0):
            raise InputError(f"the weight of {name!r} is {factor!r}; give a number from 0 up")
        checked[name] = value
    return checked


def factors_of(
    weigh: Mapping[str, float], conditions: Sequence[tuple[str, str | None]]
) -> Tensor | None:
    """The factor on each of a pair model's conditions, (M,); None if none differs from 1.

    Args:
        weigh: factors by the name of a condition or of an attribute group.
        conditions: (name, attribute group) of each.

    Raises:
        InputError: nothing would be left to count.

    >>> factors_of({"colour": 3.0}, [("colour", "colour"), ("free 1", None)])
    tensor([3., 1.])
    """
    factors = torch.tensor(
        [weigh.get(name, weigh.get(group or name, 1.0)) for name, group in conditions]
    )
    if not bool((factors > 0).any()):
        raise InputError("every condition is weighed 0, so nothing counts; weigh one above 0")
    return None if bool((factors == 1).all()) else factors


def words(name: str) -> str:
    """A column's or value's name as words.

    >>> words("baseColour"), words("Sports_Shoes"), words("T-shirt"), words("USA")
    ('base colour', 'sports shoes', 't-shirt', 'usa')
    """
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return " ".join(apart.replace("_", " ").split()).lower()


def value_texts(group: str, values: Sequence[str], *, flag: bool) -> list[str]:
    """The texts whose similarity to the query says which value it means.

    >>> value_texts("colour", ["Red", "NavyBlue"], flag=False)
    ['red', 'navy blue']
    >>> value_texts("sleeveless", ["sleeveless"], flag=True)
    ['sleeveless', 'not sleeveless']
    """
    if flag:
        return [words(group), f"not {words(group)}"]
    return [words(value) for value in values]


def named(query: str, values: Sequence[str]) -> list[int]:
    """The values that the query names, as whole words; of "navy blue" and "blue" the longer.

    >>> named("A Navy-Blue shoe, red laces", ["blue", "navy blue", "red", "redish"])
    [1, 2]
    """
    said = f" {_plain(query)} "
    found = {index: _plain(value) for index, value in enumerate(values)}
    found = {index: value for index, value in found.items() if value and f" {value} " in said}
    return [
        index
        for index, value in found.items()
        if not any(value != other and f" {value} " in f" {other} " for other in found.values())
    ]


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


@torch.no_grad()
def likelihood(alike: Tensor, reference: Tensor) -> Tensor:
    """P(v | query) for the values of a group.

    Args:
        alike: (V,) s_v, similarity of the query to each value.
        reference: (R,) similarity of the query to values of all groups.

    Returns:
        (V,) summing to 1.

    >>> others = torch.tensor([.6, .0, -.1, .1, .0, .1, -.1, .0])
    >>> likelihood(torch.tensor([.6, .0]), others)  # it speaks of the first value
    tensor([0.9..., 0.0...])
    >>> likelihood(torch.tensor([.1, .0]), others)  # it speaks of another group
    tensor([0.5..., 0.4...])
    """
    nothing = reference.mean() + reference.std(correction=0)
    p = torch.softmax(SHARPNESS * torch.cat([alike, nothing[None]]), dim=0)
    return p[:-1] + p[-1] / len(alike)


@torch.no_grad()
def agreement(likelihood: Tensor, states: Tensor, *, flag: bool) -> Tensor:
    """sum_v P(v | query) P(v | item) for every item.

    Args:
        likelihood: (V,) P(v | query); for a flag (2,), its words and "not" these.
        states: (N, V) int8, 1 present, 0 absent, -1 unknown; for a flag (N, 1).
        flag: whether the group is a flag.

    Returns:
        (N,) float32 in [0, 1].

    >>> p = torch.tensor([.8, .2])
    >>> agreement(p, torch.tensor([[1, 0], [0, 1], [-1, -1], [1, 1], [0, 0]]), flag=False)
    tensor([0.8000, 0.2000, 0.5000, 0.5000, 0.0000])
    >>> agreement(p, torch.tensor([[1], [0], [-1]]), flag=True)
    tensor([0.8000, 0.2000, 0.5000])
    """
    if flag:
        states = torch.cat([states, torch.where(states == -1, -1, 1 - states)], dim=1)
    parts = []
    for tile in torch.split(states, _TILE):
        present = tile == 1
        possible = torch.where(present.any(1, keepdim=True), present, tile == -1).float()
        parts.append(possible @ likelihood.float() / possible.sum(1).clamp_min(1))
    return torch.cat(parts)
