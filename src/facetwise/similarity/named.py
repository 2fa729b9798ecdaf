"""A similarity by its name and options: what a recipe, a run and an index write down.

A set is stored as one row of a `(N, K, D)` tensor. Where sets differ in size (words of a caption,
regions of a photo) the shorter ones end in padding: **a row that is all zeros is no element**. A
Gaussian is stored as a set, too: two rows, its mean and its logarithmic spread.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from inspect import Parameter, signature
from types import MappingProxyType
from typing import Any, Final, Literal, Protocol, Self, get_args, get_origin

import torch
from torch import Tensor

from facetwise.errors import InputError
from facetwise.similarity.cross_attention import cross_attention
from facetwise.similarity.directed import directed_smooth_chamfer
from facetwise.similarity.gaussians import gaussian_match, sampled_distance
from facetwise.similarity.probability import match_probability
from facetwise.similarity.sets import (
    average,
    chamfer,
    max_pair,
    mean_vectors,
    smooth_chamfer,
    unit,
)

__all__ = ["SIMILARITIES", "NamedSimilarity", "SetSimilarity", "real_slots"]

Option = float | int | str | bool


class SetSimilarity(Protocol):
    """A function of (N, K, D) and (M, L, D) sets that returns their (N, M) scores."""

    def __call__(
        self,
        x: Tensor,
        y: Tensor,
        *,
        x_mask: Tensor | None = None,
        y_mask: Tensor | None = None,
        normalized: bool = False,
    ) -> Tensor: ...


SIMILARITIES: Mapping[str, SetSimilarity] = MappingProxyType(
    {
        "smooth_chamfer": smooth_chamfer,
        "directed_smooth_chamfer": directed_smooth_chamfer,
        "chamfer": chamfer,
        "max_pair": max_pair,
        "average": average,
        "match_probability": partial(match_probability, scale=1.0, shift=0.0),  # DivE's MP
        "cross_attention": cross_attention,
        "sampled_distance": sampled_distance,
        "gaussian_match": gaussian_match,
    }
)
"""Every set similarity by its name; an own one gets its line here."""

_GAUSSIAN: Final = frozenset(["sampled_distance", "gaussian_match"])
"""Those whose sets are the two rows of a Gaussian."""

_DIRECTED: Final = frozenset(["cross_attention", "directed_smooth_chamfer"])
"""Those that are not symmetric: x must be the images, y the texts."""

_COMMON: Final = frozenset(["x_mask", "y_mask", "normalized"])


@dataclass(frozen=True)
class NamedSimilarity:
    """A similarity of `SIMILARITIES` with its options; called like any `SetSimilarity`.

    Options that are not given are filled in with their defaults, so that equal similarities are
    equal, and what is written down still holds after a default has changed.

    Raises:
        InputError: there is no such similarity or option, or an option cannot have this value.

    >>> similarity = NamedSimilarity("smooth_chamfer", {"alpha": 8})
    >>> similarity.to_dict()
    {'name': 'smooth_chamfer', 'alpha': 8.0}
    >>> round(similarity(torch.ones(1, 4, 2), torch.ones(1, 4, 2)).item(), 4)  # 1 + ln(4)/8
    1.1733
    """

    name: str = "smooth_chamfer"
    """Of `SIMILARITIES`; DivE's own (METHODS 2.5)."""
    options: Mapping[str, Option] = field(default_factory=dict)
    """Its keyword arguments: numbers, words, or true and false."""

    def __post_init__(self) -> None:
        if self.name not in SIMILARITIES:
            raise InputError(
                f"no similarity is called {self.name!r}; there are {', '.join(SIMILARITIES)}"
            )
        known = _parameters(self.name)
        for given in self.options:
            if given not in known:
                there = f"it has {', '.join(known)}" if known else "it has none"
                raise InputError(f"similarity {self.name!r} has no option {given!r}; {there}")
        settled = {
            key: _checked(self.name, key, self.options.get(key, parameter.default), parameter)
            for key, parameter in known.items()
        }
        object.__setattr__(self, "options", settled)
        try:  # a number out of range is refused here, not in the middle of a search
            self.function(torch.ones(1, 2, 2), torch.ones(1, 2, 2))
        except ValueError as error:
            raise InputError(f"similarity {self.name!r}: {error}") from error

    def __hash__(self) -> int:
        return hash((self.name, tuple(sorted(self.options.items()))))

    def __call__(
        self,
        x: Tensor,
        y: Tensor,
        *,
        x_mask: Tensor | None = None,
        y_mask: Tensor | None = None,
        normalized: bool = False,
    ) -> Tensor:
        """Scores (N, M) of x (N, K, D) and y (M, L, D); without a mask, zero rows are padding."""
        x_mask = self.real(x) if x_mask is None else x_mask
        y_mask = self.real(y) if y_mask is None else y_mask
        return self.function(x, y, x_mask=x_mask, y_mask=y_mask, normalized=normalized)

    @cached_property
    def function(self) -> SetSimilarity:
        """The plain function with its options: to it a row of zeros is a row like others."""
        options: dict[str, Any] = dict(self.options)
        return partial(SIMILARITIES[self.name], **options)

    @property
    def unit_rows(self) -> bool:
        """Whether rows of sets are directions, of length 1 or scaled to it; else points."""
        return self.name not in _GAUSSIAN and self.options.get("distance") != "euclidean"

    @property
    def gaussian(self) -> bool:
        """Whether a set is the two rows of a Gaussian, its mean and its logarithmic spread."""
        return self.name in _GAUSSIAN

    @property
    def symmetric(self) -> bool:
        """Whether x and y may change places; else x must be the images and y the texts."""
        return self.name not in _DIRECTED

    def real(self, sets: Tensor) -> Tensor | None:
        """(N, K, D) -> (N, K) bool, true where a row is an element; None where all are."""
        return real_slots(sets) if self.unit_rows else None

    def mean_vectors(self, sets: Tensor) -> Tensor:
        """The one vector that stands for each set, the control for what sets add.

        (N, K, D) -> (N, D) of length 1: the mean of the elements; of a Gaussian its mean.

        >>> NamedSimilarity("average").mean_vectors(torch.tensor([[[0.0, 2.0], [0.0, 0.0]]]))
        tensor([[0., 1.]])
        """
        if self.gaussian:
            return unit(sets[:, 0])
        if not self.unit_rows:
            return unit(sets.mean(1))
        return mean_vectors(sets, self.real(sets))[:, 0]

    def on_cosines(self, x: Tensor, y: Tensor) -> Tensor:
        """Scores on the scale of cosines, and no higher for larger sets: (N, K, D), (M, L, D).

        For what compares a score with others by its size (likelihoods of values, not rankings).
        Distances and probabilities have another scale, and a log-sum-exp over words grows with
        their number: the mean vectors, the mean cosine and the mean over the words stand for these.
        """
        if not self.unit_rows:
            return self.mean_vectors(x) @ self.mean_vectors(y).T
        if self.name == "match_probability":
            return NamedSimilarity("average")(x, y)
        if self.name == "cross_attention":
            return NamedSimilarity(self.name, {**self.options, "pooling": "avg"})(x, y)
        return self(x, y)

    def to_dict(self) -> dict[str, Option]:
        """For TOML: the name and all options."""
        return {"name": self.name, **self.options}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """What `to_dict` gave.

        Raises:
            InputError: as for the class; or there is no name.
        """
        if not isinstance(content.get("name"), str):
            raise InputError(f"a similarity needs a name; there are {', '.join(SIMILARITIES)}")
        return cls(content["name"], {key: value for key, value in content.items() if key != "name"})


@torch.no_grad()
def real_slots(sets: Tensor) -> Tensor | None:
    """Which rows are elements and not padding: (N, K, D) -> (N, K) bool; None where all are.

    A set of nothing but zeros keeps its first row: it is one element that is like nothing.

    >>> real_slots(torch.tensor([[[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]))
    tensor([[ True, False],
            [ True, False]])
    """
    real = sets.any(2)
    if bool(real.all()):
        return None
    real[:, 0] |= ~real.any(1)
    return None if bool(real.all()) else real


def _parameters(name: str) -> dict[str, Parameter]:
    """What may be set of a similarity."""
    found = signature(SIMILARITIES[name]).parameters.items()
    return {
        key: parameter
        for key, parameter in found
        if parameter.kind is Parameter.KEYWORD_ONLY and key not in _COMMON
    }


def _checked(name: str, key: str, value: object, parameter: Parameter) -> Option:
    """`value` in the type of the default; words must be of those that the annotation lists."""
    default = parameter.default
    where = f"similarity {name!r}: {key} is {value!r}"
    if isinstance(default, bool):
        if isinstance(value, bool):
            return value
        raise InputError(f"{where}; give true or false")
    if isinstance(default, str):
        words = (
            get_args(parameter.annotation) if get_origin(parameter.annotation) is Literal else ()
        )
        if isinstance(value, str) and (not words or value in words):
            return value
        raise InputError(f"{where}; give {' or '.join(repr(word) for word in words) or 'a word'}")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"{where}; give a number")
    if isinstance(default, int):
        if value == int(value):
            return int(value)
        raise InputError(f"{where}; give a whole number")
    return float(value)
