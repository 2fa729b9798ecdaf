"""What weighing does: agreement of the first answers, and what it costs, against the weight.

A steered pair model multiplies the relevance of an attribute group's conditions by a factor before
it is renormalised (`similarity.steer`). The curve says for each group and factor how many of the
first 10 answers share a value of the group with the query, and the mAP@R of the same ranking by the
collection's own groups: what was bought, and what it cost.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from facetwise.data import AttributeTable
from facetwise.models import PairModel
from facetwise.similarity import against_many

__all__ = [
    "STEERING_WEIGHTS",
    "SteeringCurve",
    "shared_values",
    "some_queries",
    "steering_curves",
    "steering_factors",
]

STEERING_WEIGHTS: Final = (0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0)
"""Factors of a curve; 1 is the unsteered model."""

_CELLS: Final = 1 << 22
"""Scores that are held at once."""


@dataclass(frozen=True)
class SteeringCurve:
    """One attribute group, weighed more and more.

    Attributes:
        group: the attribute group.
        weights: the W factors, ascending; 1 is among them.
        agreement: W times percent of the first k answers that share a value of the group with the
            query; NaN where nothing is known.
        map_at_r: W times mAP@R in percent by the items' own groups; empty where there are none.
    """

    group: str
    weights: tuple[float, ...]
    agreement: tuple[float, ...]
    map_at_r: tuple[float, ...]

    def at(self, weight: float) -> float:
        """Agreement at a weight of the curve."""
        return self.agreement[self.weights.index(weight)]

    def gain(self, weight: float) -> float:
        """Points of agreement above the unsteered model."""
        return self.at(weight) - self.at(1.0)

    def cost(self, weight: float) -> float:
        """Points of mAP@R below the unsteered model; NaN where items have no groups."""
        if not self.map_at_r:
            return math.nan
        place = self.weights.index
        return self.map_at_r[place(1.0)] - self.map_at_r[place(weight)]

    @classmethod
    def from_dict(cls, group: str, figures: Mapping[str, Any]) -> SteeringCurve:
        """What `to_dict` gave."""
        agreement = (math.nan if value is None else value for value in figures["agreement@10"])
        found = tuple(figures["map_at_r"] or ())
        return cls(group, tuple(figures["weights"]), tuple(agreement), found)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "weights": list(self.weights),
            "agreement@10": [_rounded(value) for value in self.agreement],
            "map_at_r": [_rounded(value) for value in self.map_at_r] or None,
        }


def steering_factors(pan: PairModel, group: str, weight: float) -> Tensor | None:
    """(M,) factors that weigh all conditions of a group; None where it has no condition, or where
    nothing would be left.
    """
    own = torch.tensor([condition.group == group for condition in pan.conditions])
    factors = torch.where(own, float(weight), 1.0)
    return factors if bool(own.any()) and bool((factors > 0).any()) else None


def steering_curves(
    pan: PairModel,
    h: Tensor,
    attributes: AttributeTable,
    labels: Tensor,
    *,
    groups: Sequence[str] | None = None,
    weights: Sequence[float] = STEERING_WEIGHTS,
    queries: Tensor | None = None,
    k: int = 10,
) -> list[SteeringCurve]:
    """The curve of every attribute group that conditions were taught.

    All weights of all groups are scored in one pass over the pairs (`similarity.against_many`).

    Args:
        pan: the model.
        h: (N, d) embeddings of the items; all of them are the gallery.
        attributes: of the N items.
        labels: (N,) the items' own groups for mAP@R, -1 where none.
        groups: attribute groups; by default all that a condition has and the table knows.
        weights: factors, ascending, with 1 among them.
        queries: rows that ask; all by default (`some_queries` takes enough of many).
        k: how many answers are looked at.

    Returns:
        Empty where no condition has a group.

    Raises:
        ValueError: no weight is 1, or they do not ascend.
    """
    weights = tuple(float(weight) for weight in weights)
    if 1.0 not in weights or list(weights) != sorted(set(weights)):
        raise ValueError(f"weights must ascend and have 1 among them, not {list(weights)}")
    if groups is None:
        taught = dict.fromkeys(condition.group for condition in pan.conditions)
        groups = [group for group in taught if group in attributes.groups]
    ways: dict[tuple[str, float], int] = {}
    rows = [torch.ones(len(pan.conditions))]
    for group in groups:
        for weight in weights:
            factors = steering_factors(pan, group, weight)
            if factors is None or weight == 1.0:
                ways[group, weight] = 0  # nothing to weigh: as it is
            else:
                ways[group, weight] = len(rows)
                rows.append(factors)
    if len(groups) == 0 or len(h) < 2:
        return []
    queries = torch.arange(len(h)) if queries is None else queries
    top, precisions = _rankings(pan, h, torch.stack(rows), queries, labels, k)
    curves = []
    for group in groups:
        at = [ways[group, weight] for weight in weights]
        shares = shared_values(attributes, group, queries, top[at])
        curves.append(
            SteeringCurve(
                group,
                weights,
                tuple(shares.tolist()),
                () if precisions is None else tuple((100 * precisions[at].mean(1)).tolist()),
            )
        )
    return curves


def some_queries(items: int, most: int = 500) -> Tensor:
    """(Q,) rows evenly over the items, at most about `most`: enough for a percent.

    >>> some_queries(10, 3)
    tensor([0, 4, 8])
    """
    return torch.arange(0, items, max(1, math.ceil(items / most)))


def shared_values(
    attributes: AttributeTable, group: str, queries: Tensor, answers: Tensor
) -> Tensor:
    """Percent of answers that share a value of a group with their query, where both are known.

    Of a flag, no is a value, too.

    Args:
        attributes: of the N items.
        group: the attribute group.
        queries: (Q,) rows.
        answers: (..., Q, k) rows.

    Returns:
        (...), NaN where nothing is known.
    """
    states = attributes.states[:, attributes.slices[group]]
    if attributes.kinds[attributes.groups.index(group)] == "flag":
        states = torch.cat([states, torch.where(states >= 0, 1 - states, states)], 1)
    present, known = (states == 1).float(), (states >= 0).any(1)
    both = known[queries][:, None] & known[answers]
    same = ((present[queries][:, None] * present[answers]).sum(-1) > 0) & both
    return 100 * same.sum((-1, -2)) / both.sum((-1, -2))


@torch.no_grad()
def _rankings(
    pan: PairModel, h: Tensor, factors: Tensor, queries: Tensor, labels: Tensor, k: int
) -> tuple[Tensor, Tensor | None]:
    """First k rows (F, Q, k) of each way to steer, and average precisions (F, R) of the queries
    that have something to find; None where none has.
    """
    F, N = len(factors), len(h)
    k = min(k, N - 1)
    top, precisions = [], []
    for tile in queries.split(max(1, _CELLS // (F * N))):
        scores = against_many(pan.similarity, h[tile], h, factors).double()
        itself = tile[:, None] == torch.arange(N)
        scores.masked_fill_(itself, -torch.inf)
        right = (labels[tile][:, None] == labels) & (labels[tile] >= 0)[:, None] & ~itself
        # A right answer stands behind all that score the same, as in `retrieval`: it loses less
        # than two float32 differ by.
        query, item = right.nonzero(as_tuple=True)
        own = scores[:, query, item]
        scores[:, query, item] = own - (1e-12 * own.abs() + 1e-300)
        counts = right.sum(1)
        order = scores.topk(max(k, int(counts.max())), dim=-1).indices
        top.append(order[..., :k])
        asks = counts > 0
        if bool(asks.any()):
            hits = right[asks].expand(F, -1, -1).gather(2, order[:, asks])
            precisions.append(_precisions(hits, counts[asks]))
    return torch.cat(top, 1), torch.cat(precisions, 1) if precisions else None


def _precisions(hits: Tensor, counts: Tensor) -> Tensor:
    """Hits (..., Q, K) in order and the R of each query (Q,), at most K -> its share of mAP@R."""
    place = torch.arange(1, hits.shape[-1] + 1)
    counted = hits & (place <= counts[:, None])
    return (counted * hits.cumsum(-1) / place).sum(-1).double() / counts


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 2)
