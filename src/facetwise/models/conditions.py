"""What attributes teach a model with conditions: the settings that PAN and its relatives share.

A supervised condition learns what the attributes of a pair say; the others are free (METHODS 1.3).
The paper's conditions stand for one attribute each, and f_a says what of the two items' values the
condition is to tell. Ours stand for an attribute group each: both have the same value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import Annotated, Literal

from facetwise.config import Within
from facetwise.errors import InputError
from facetwise.models.pair_model import Condition, PairConfig, Taught
from facetwise.similarity.attributes import Combination, MaskRule

__all__ = ["ConditionConfig", "all_conditions", "attribute_conditions"]


@dataclass(frozen=True)
class ConditionConfig(PairConfig):
    """Which conditions there are."""

    taught: Literal["groups", "attributes", "none"] = "groups"
    """What supervised conditions stand for: attribute groups (ours), single attributes (the paper's
    supervised model), or nothing (its unsupervised one)."""
    free: Annotated[int, Within(0)] = 2
    """Unsupervised conditions beside those (hybrid; METHODS 1.3)."""
    combine: Combination = "or"
    """f_a with ``taught = "attributes"``; the paper's default (METHODS 1.3)."""
    attributes: Annotated[int, Within(0)] = 0
    """A with ``taught = "attributes"``: so many, chosen at random; 0 takes all."""
    attribute_seed: Annotated[int, Within(0)] = 44
    """Of that choice, which is the same for all runs (METHODS 1.3)."""
    certain: MaskRule = "both"
    """Which targets count: attributes known of both items, or those that what is known settles."""


def attribute_conditions(
    names: Sequence[str], groups: Sequence[str], combine: Combination
) -> tuple[Condition, ...]:
    """A condition for each attribute; ``and_xor`` has two: both have it, then one of them has it.

    Args:
        names: (A) of the attributes.
        groups: (A) of each.
        combine: f_a.

    >>> [c.name for c in attribute_conditions(["wing=blue"], ["wing"], "and_xor")]
    ['wing=blue (both)', 'wing=blue (one)']
    """
    marks = (" (both)", " (one)") if combine == "and_xor" else ("",)
    return tuple(
        Condition(f"{name}{mark}", group)
        for mark in marks
        for name, group in zip(names, groups, strict=True)
    )


def all_conditions(taught: Taught, free: int) -> tuple[Condition, ...]:
    """The taught conditions, then the free ones.

    Raises:
        InputError: there are none.

    >>> [c.name for c in all_conditions(Taught.groups(["colour"]), 2)]
    ['colour', 'free 1', 'free 2']
    """
    if not taught.conditions and free < 1:
        raise InputError(
            "[pairs] free: no condition is left, since attributes teach none; write free = 1 or "
            "more, or train on items with attributes"
        )
    named = {condition.name for condition in taught.conditions}
    names = (name for k in count(1) if (name := f"free {k}") not in named)
    return (*taught.conditions, *(Condition(name, None) for name in islice(names, free)))
