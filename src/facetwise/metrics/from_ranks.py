"""Figures from ranks alone, whoever found them: `positive_ranks`, rankings, folds (METHODS 5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import torch
from torch import Tensor

from facetwise.metrics.positives import Positives

__all__ = [
    "average_precisions",
    "first_ranks",
    "map_at_r_from_ranks",
    "mean_known",
    "median_from_ranks",
    "r_precision_from_ranks",
    "r_precisions",
    "recall_from_ranks",
]


def first_ranks(ranks: Tensor, positives: Positives) -> Tensor:
    """(E,) ranks of all positives to (Q,) that of each query's best one; NaN where there is none.

    inf, a positive that a truncated ranking does not hold, stays inf: it is a miss at every k.
    """
    _check(ranks, positives)
    best = ranks.new_full((len(positives),), torch.inf)
    best.scatter_reduce_(0, positives.queries, ranks, "amin")
    return best.masked_fill(positives.counts == 0, torch.nan)


@overload
def recall_from_ranks(first: Tensor, k: int = 1) -> float: ...
@overload
def recall_from_ranks(first: Tensor, k: Sequence[int]) -> dict[int, float]: ...
def recall_from_ranks(first: Tensor, k: int | Sequence[int] = 1) -> float | dict[int, float]:
    """Share of queries whose first right answer is among the first k; see `recall_at_k`.

    Args:
        first: (Q,) rank of each query's best positive, from 1; NaN (no positive) does not count.
        k: one gives a fraction, several give `{k: fraction}`.

    >>> recall_from_ranks(torch.tensor([1.0, 3.0, torch.inf, torch.nan]), [1, 5])
    {1: 0.3333333333333333, 5: 0.6666666666666666}
    """
    if isinstance(k, int):
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        return mean_known((first <= k).double().masked_fill(first.isnan(), torch.nan))
    return {one: recall_from_ranks(first, one) for one in k}


def median_from_ranks(first: Tensor) -> float:
    """Median of (Q,) ranks that are known; the middle's mean when they are even in number.

    inf where a truncated ranking holds too few first answers to tell.
    """
    known = first[~first.isnan()].sort().values
    if len(known) == 0:
        raise ValueError("no query has a relevant item")
    low, high = known[(len(known) - 1) // 2], known[len(known) // 2]
    return ((low + high) / 2).item()


def map_at_r_from_ranks(ranks: Tensor, positives: Positives) -> float:
    """Mean over queries of (1/R) sum_{p <= R} Prec@p rel(p); see `map_at_r`.

    Args:
        ranks: (E,) rank of every positive, all different within a query except for inf.
        positives: whose ranks these are.

    >>> positives = Positives.of(torch.tensor([[0, 0], [0, 2], [0, 3]]), queries=1)
    >>> round(map_at_r_from_ranks(torch.tensor([1.0, 3.0, 4.0]), positives), 6)
    0.555556
    """
    return mean_known(average_precisions(ranks, positives))


def r_precision_from_ranks(ranks: Tensor, positives: Positives) -> float:
    """Mean over queries of the share of positives among the first R; arguments as the above.

    >>> positives = Positives.of(torch.tensor([[0, 0], [0, 2], [0, 3]]), queries=1)
    >>> round(r_precision_from_ranks(torch.tensor([1.0, 3.0, 4.0]), positives), 6)
    0.666667
    """
    return mean_known(r_precisions(ranks, positives))


def average_precisions(ranks: Tensor, positives: Positives) -> Tensor:
    """(Q,) float64: each query's share of MAP@R; NaN where it has no positive."""
    _check(ranks, positives)
    order = ranks.argsort(stable=True)
    order = order[positives.queries[order].argsort(stable=True)]
    ranks = ranks[order].double()
    place = torch.arange(len(ranks), device=ranks.device) - positives.starts[positives.queries] + 1
    return _mean_over_r(place / ranks, ranks, positives)


def r_precisions(ranks: Tensor, positives: Positives) -> Tensor:
    """(Q,) float64: each query's R-Precision; NaN where it has no positive."""
    _check(ranks, positives)
    return _mean_over_r(torch.ones_like(ranks, dtype=torch.float64), ranks, positives)


def mean_known(values: Tensor) -> float:
    """Mean of the values that are not NaN, which stands for queries without a relevant item."""
    known = values[~values.isnan()]
    if len(known) == 0:
        raise ValueError("no query has a relevant item")
    return known.double().mean().item()


def _mean_over_r(values: Tensor, ranks: Tensor, positives: Positives) -> Tensor:
    """Per query: the sum of its values at ranks up to R, over R (0 / 0 is NaN)."""
    r = positives.counts.double()
    counted = values.masked_fill(ranks > r[positives.queries], 0)
    return torch.zeros_like(r).index_add_(0, positives.queries, counted) / r


def _check(ranks: Tensor, positives: Positives) -> None:
    if ranks.shape != positives.items.shape:
        raise ValueError(f"expected {len(positives.items)} ranks, not {tuple(ranks.shape)}")
