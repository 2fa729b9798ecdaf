"""What the supervised conditions of a pair should be, in the order of the model's conditions.

For attribute groups: both items have the same value. For single attributes: f_a of the two items'
values (METHODS 1.3). Either with a mask, 1 where the target is certain (METHODS 1.4).
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from facetwise.data import AttributeTable
from facetwise.data.attribute_bits import BitPlanes
from facetwise.models import PairConfig
from facetwise.models.conditions import ConditionConfig
from facetwise.similarity.attribute_bits import pair_targets
from facetwise.similarity.attributes import Combination, MaskRule

__all__ = ["AttributeTargets", "GroupTargets", "SingleTargets", "attribute_targets", "item_targets"]


class AttributeTargets(Protocol):
    """Pairs of items to what T supervised conditions should say of them."""

    def __call__(self, r: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """r, c: (P,) items -> targets (P, T) and mask (P, T), float32 of 0 and 1."""


class GroupTargets:
    """A condition for each attribute group: whether two items have a value of it in common."""

    def __init__(self, table: AttributeTable) -> None:
        self._table = table

    def __call__(self, r: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """r, c: (P,) -> targets (P, G), mask (P, G)."""
        return self._table.same_value(r, c)


class SingleTargets:
    """A condition for each attribute, or two with ``and_xor``: f_a of the two items' values.

    Args:
        table: the attributes that are taught.
        combine: f_a.
        certain: which targets count.
    """

    def __init__(
        self, table: AttributeTable, combine: Combination = "or", certain: MaskRule = "both"
    ) -> None:
        self._planes = BitPlanes.of(table.states)
        self._combine, self._certain = combine, certain

    def __call__(self, r: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """r, c: (P,) -> targets (P, A) or (P, 2A), mask of the same shape."""
        return pair_targets(self._planes, r, c, self._combine, rule=self._certain)


def attribute_targets(config: PairConfig, table: AttributeTable) -> AttributeTargets | None:
    """The targets of a system's supervised conditions; None where it has none.

    Args:
        config: of the system.
        table: the training items' attributes, as `taught_table` gives them.
    """
    if not isinstance(config, ConditionConfig) or config.taught == "none" or not table.names:
        return None
    if config.taught == "attributes":
        return SingleTargets(table, config.combine, config.certain)
    return GroupTargets(table)


def item_targets(table: AttributeTable, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Targets (B, A) and mask (B, A) of the items themselves, for a head that tells attributes.

    METHODS 1.5, the siamese with an attribute head: 1 for present, and certain where known.
    """
    states = table.states[rows]
    return (states == 1).float(), (states >= 0).float()
