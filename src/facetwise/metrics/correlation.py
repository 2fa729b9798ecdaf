"""Do scores agree with people's judgements? Kendall's tau-b and tau-c, Spearman, CxC's bootstrap.

All of them know ties: judgements are few whole numbers. A constant on one side has no correlation:
NaN, which is no agreement.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facetwise.data.sampling import generator_of

__all__ = [
    "BootstrapCorrelation",
    "Correlations",
    "bootstrap_spearman",
    "kendall_tau",
    "rank_correlations",
    "spearman",
]

_TILE = 2**22  # values ranked together


class Correlations(NamedTuple):
    """Between -1 and 1; NaN if one side is constant."""

    tau_b: float
    tau_c: float
    spearman: float


class BootstrapCorrelation(NamedTuple):
    """Mean and standard deviation of Spearman's r over resamples of the queries."""

    mean: float
    std: float


def kendall_tau(scores: Tensor, judgements: Tensor, *, variant: str = "c") -> float:
    """Kendall's tau of (n,) scores and (n,) judgements: n log n, by scipy.

    `variant`: "b" corrects for ties; "c" (Stuart's, the captioning field's on Flickr8k) for tables
    that are not square: few levels of judgement, many scores.

    >>> judged = torch.tensor([1.0, 1.0, 2.0, 3.0])
    >>> round(kendall_tau(torch.tensor([0.1, 0.2, 0.2, 0.9]), judged), 4)
    0.75
    """
    from scipy.stats import kendalltau  # takes a second to load, and few need it

    if variant not in ("b", "c"):
        raise ValueError(f"variant must be b or c, not {variant!r}")
    x, y = _both(scores, judgements)
    if _constant(x) or _constant(y):
        return float("nan")
    return float(kendalltau(x, y, variant=variant).statistic)


def spearman(scores: Tensor, judgements: Tensor) -> float:
    """Spearman's r of (n,) scores and (n,) judgements: Pearson's of their mean ranks.

    >>> spearman(torch.tensor([0.1, 0.5, 0.9]), torch.tensor([1.0, 2.0, 3.0]))
    1.0
    """
    x, y = _both(scores, judgements)
    pair = torch.from_numpy(np.stack([x, y]))[:, None]
    return _pearson(_mean_ranks(pair[0]), _mean_ranks(pair[1])).item()


def rank_correlations(scores: Tensor, judgements: Tensor) -> Correlations:
    """All three, of (n,) scores and (n,) judgements.

    Raises:
        ValueError: shapes differ or are not (n,), n > 1, or a value is NaN.
    """
    return Correlations(
        kendall_tau(scores, judgements, variant="b"),
        kendall_tau(scores, judgements, variant="c"),
        spearman(scores, judgements),
    )


def bootstrap_spearman(
    scores: Tensor,
    judgements: Tensor,
    queries: Tensor,
    *,
    generator: torch.Generator | None = None,
    resamples: int = 1000,
) -> BootstrapCorrelation:
    """Crisscrossed Captions' rank correlation (METHODS section 5; Parekh et al. 2021).

    In each resample half of the queries are drawn, without replacement, and for each of these one
    of its judged pairs: a query with many pairs must not outweigh the others.

    Args:
        scores: (P,) of the judged pairs.
        judgements: (P,) what people said.
        queries: (P,) int64 the query of each pair, in any order.
        generator: makes the resamples; if not given, one that is always the same.
        resamples: how many.

    Returns:
        Mean and standard deviation (n - 1 below the line) over resamples; NaN if one side is
        constant in any.

    Raises:
        ValueError: shapes differ, a value is NaN, or there are fewer than 4 queries.

    >>> scores = torch.arange(12.0)
    >>> bootstrap_spearman(scores, scores, torch.arange(12) // 2)
    BootstrapCorrelation(mean=1.0, std=0.0)
    """
    x, y = (torch.from_numpy(values) for values in _both(scores, judgements))
    if queries.shape != scores.shape or queries.dtype != torch.long:
        raise ValueError(
            f"queries must be {tuple(scores.shape)} int64, "
            f"not {queries.dtype} {tuple(queries.shape)}"
        )
    if resamples < 2:
        raise ValueError(f"a standard deviation needs at least 2 resamples, not {resamples}")
    query = queries.cpu().unique(return_inverse=True)[1]
    order = query.argsort(stable=True)
    counts = query.bincount()
    starts = counts.cumsum(0) - counts
    half = len(counts) // 2
    if half < 2:
        raise ValueError(f"expected at least 4 queries, not {len(counts)}")
    parts: list[Tensor] = []
    generator = generator or generator_of(0, 0)
    for start in range(0, resamples, max(1, _TILE // len(counts))):
        rows = min(max(1, _TILE // len(counts)), resamples - start)
        lots = torch.rand(rows, len(counts), generator=generator, device=generator.device).cpu()
        drawn = lots.topk(half, dim=1, sorted=False).indices
        lots = torch.rand(rows, half, generator=generator, device=generator.device).cpu()
        # In float32 a lot just under 1 may round up to the count itself.
        which = (lots.double() * counts[drawn]).long().minimum(counts[drawn] - 1)
        pairs = order[starts[drawn] + which]
        parts.append(_pearson(_mean_ranks(x[pairs]), _mean_ranks(y[pairs])))
    found = torch.cat(parts)
    return BootstrapCorrelation(found.mean().item(), found.std().item())


def _mean_ranks(values: Tensor) -> Tensor:
    """(R, n) float64 ranks within each row; tied values share the mean of theirs."""
    ordered, order = values.sort(dim=1)
    rows, n = values.shape
    new = torch.ones(rows, n, dtype=torch.bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    group = new.flatten().long().cumsum(0) - 1  # a row never shares a group with the next one
    position = torch.arange(n, dtype=torch.float64).expand(rows, n).flatten()
    size = group.bincount()
    mean = torch.zeros(len(size), dtype=torch.float64).index_add_(0, group, position) / size
    return torch.empty(rows, n, dtype=torch.float64).scatter_(1, order, mean[group].view(rows, n))


def _pearson(x: Tensor, y: Tensor) -> Tensor:
    """(R,) correlations of the rows of (R, n) and (R, n); NaN where one is constant."""
    x, y = x - x.mean(1, keepdim=True), y - y.mean(1, keepdim=True)
    found: Tensor = (x * y).sum(1) / (x.square().sum(1) * y.square().sum(1)).sqrt()
    return found.clamp(-1, 1)


def _both(scores: Tensor, judgements: Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if scores.dim() != 1 or scores.shape != judgements.shape or len(scores) < 2:
        raise ValueError(
            f"expected scores (n,) and judgements (n,), n > 1, "
            f"not {tuple(scores.shape)} and {tuple(judgements.shape)}"
        )
    x, y = (t.detach().cpu().double().numpy() for t in (scores, judgements))
    if np.isnan(x).any() or np.isnan(y).any():
        raise ValueError("scores or judgements contain NaN, which has no rank")
    return x, y


def _constant(values: NDArray[np.float64]) -> bool:
    return bool((values == values[0]).all())
