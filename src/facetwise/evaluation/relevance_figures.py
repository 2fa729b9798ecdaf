"""Relevance in figures: does it depend on the pair, and do taught conditions carry it?

PAN's relevance tends to become one constant vector, on the free conditions (FIELDNOTES, PAN 5); a
model that did cannot be steered, and its explanations say the same of every pair.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from facetwise.data.sampling import generator_of
from facetwise.models import PairModel
from facetwise.similarity import relevance_entropy

__all__ = ["RelevanceFigures", "random_pairs", "relevance_figures"]

_TILE = 4096


@dataclass(frozen=True)
class RelevanceFigures:
    """Relevance over many pairs.

    Attributes:
        pair_entropy: mean entropy of a pair's relevance, in nats.
        mean_entropy: entropy of the mean relevance, in nats; at most ln M.
        weights: each condition's mean relevance; they sum to 1.
        spread: each condition's standard deviation of the relevance over pairs.
        taught: names of the conditions that attributes taught.
    """

    pair_entropy: float
    mean_entropy: float
    weights: dict[str, float]
    spread: dict[str, float]
    taught: tuple[str, ...]

    @property
    def mutual_information(self) -> float:
        """Of pair and condition, in nats: 0 means that all pairs have the same relevance."""
        return self.mean_entropy - self.pair_entropy

    @property
    def taught_mass(self) -> float:
        """Share of the relevance on taught conditions, from 0 to 1."""
        return sum(self.weights[name] for name in self.taught)

    @property
    def free_mass(self) -> float:
        """Share of the relevance on free conditions."""
        return 1 - self.taught_mass

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "pair_entropy": round(self.pair_entropy, 4),
            "mean_entropy": round(self.mean_entropy, 4),
            "mutual_information": round(self.mutual_information, 4),
            "taught_mass": round(self.taught_mass, 4),
            "free_mass": round(self.free_mass, 4),
            "weights": {name: round(value, 4) for name, value in self.weights.items()},
            "spread": {name: round(value, 4) for name, value in self.spread.items()},
        }


def random_pairs(items: int, pairs: int = 10_000, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Rows (P,) and (P,) of random pairs of different items.

    >>> i, j = random_pairs(3)
    >>> len(i), bool((i == j).any())
    (10000, False)
    """
    if items < 2:
        raise ValueError(f"pairs need two items, not {items}")
    g = generator_of(seed, -9)
    i = torch.randint(items, (pairs,), generator=g)
    return i, (i + torch.randint(1, items, (pairs,), generator=g)) % items


@torch.no_grad()
def relevance_figures(
    pan: PairModel, h: Tensor, i: Tensor | None = None, j: Tensor | None = None
) -> RelevanceFigures:
    """Figures over the pairs of rows i (P,) and j (P,) of h (N, d); random pairs by default."""
    if i is None or j is None:
        i, j = random_pairs(len(h))
    tiles = zip(i.split(_TILE), j.split(_TILE), strict=True)
    relevance = torch.cat([pan(h[r], h[c]).relevance for r, c in tiles]).double()
    pair, mean = relevance_entropy(relevance)
    names = [condition.name for condition in pan.conditions]
    return RelevanceFigures(
        pair_entropy=pair,
        mean_entropy=mean,
        weights=dict(zip(names, relevance.mean(0).tolist(), strict=True)),
        spread=dict(zip(names, relevance.std(0, correction=0).tolist(), strict=True)),
        taught=tuple(c.name for c in pan.conditions if c.supervised),
    )
