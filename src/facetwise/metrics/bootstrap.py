"""How sure is a figure? Bootstrap over what was drawn together: images with their captions.

A test set is a sample of images. Captions of one image are no independent queries, so images are
resampled and take their captions along. All resamples are one product of matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from facetwise.data.sampling import generator_of
from facetwise.metrics.places import Places, Ties

__all__ = ["Interval", "bootstrap_difference", "bootstrap_mean", "rsum_terms"]


@dataclass(frozen=True)
class Interval:
    """A figure, its bootstrap standard error and its percentile interval."""

    value: float
    se: float
    low: float
    high: float


def bootstrap_mean(
    sums: Tensor,
    weights: Tensor | None = None,
    *,
    generator: torch.Generator | None = None,
    resamples: int = 1000,
    level: float = 0.95,
) -> Interval:
    """Interval of a mean over queries, or of a sum of several such means, resampling units.

    Args:
        sums: (U,) or (U, F): for each unit (an image with its captions, say) the sum of its
            queries' values, for each of F means that are added up.
        weights: as `sums`: how many queries each sum is of; one each if not given. Queries that do
            not count (NaN) have no weight and no value.
        generator: makes the resamples; if not given, one that is always the same.
        resamples: how many; each draws U units with replacement.
        level: of the percentile interval.

    Returns:
        In the units of the values. `value` is that of the sample itself.

    Raises:
        ValueError: shapes do not fit, nothing counts, or fewer than 2 units or resamples.

    >>> hits = torch.tensor([1.0, 0.0, 1.0, 1.0])
    >>> found = bootstrap_mean(hits)
    >>> found.value, round(found.se, 1)
    (0.75, 0.2)
    """
    table, weight = _tables(sums, weights)
    drawn = _drawn(len(table), resamples, generator).to(table.device)
    return _interval(_figures(drawn, table, weight), _figures(None, table, weight), level)


def bootstrap_difference(
    sums: Tensor,
    rival: Tensor,
    weights: Tensor | None = None,
    *,
    generator: torch.Generator | None = None,
    resamples: int = 1000,
    level: float = 0.95,
) -> Interval:
    """Interval of the difference (the first minus its rival) of two runs on the same units.

    Arguments as `bootstrap_mean`; `rival` has the shape of `sums`, the weights are those of both.
    Both runs see the same resamples, so what makes a unit hard for both cancels out: an interval
    without 0 says that one of the two is better.

    >>> a, b = torch.tensor([1.0, 0.0, 1.0, 1.0]), torch.tensor([0.0, 0.0, 1.0, 0.0])
    >>> bootstrap_difference(a, b).value
    0.5
    """
    if sums.shape != rival.shape:
        raise ValueError(
            f"the two runs must have the same units, not {tuple(sums.shape)} and "
            f"{tuple(rival.shape)}"
        )
    # Each mean is linear in the values, with the same weights below: the difference is one, too.
    difference = sums.double() - rival.double()
    return bootstrap_mean(
        difference, weights, generator=generator, resamples=resamples, level=level
    )


def rsum_terms(
    images: Places,
    captions: Places,
    owner: Tensor,
    *,
    ks: Sequence[int] = (1, 5, 10),
    ties: Ties = "pessimistic",
) -> tuple[Tensor, Tensor]:
    """Sums and weights with which `bootstrap_mean` resamples RSUM by images with their captions.

    Args:
        images: places of the B images, asking for captions.
        captions: places of the C captions, asking for images.
        owner: (C,) int64 the image that each caption goes with.
        ks: the k of the recalls.
        ties: as in `ranks`.

    Returns:
        Two (B, 2 len(ks)): per image its own hits and those of its captions, in percent, and how
        many queries these are.

    >>> one = Places(torch.zeros(2).double(), torch.zeros(2).double(), torch.ones(2).double())
    >>> sums, weights = rsum_terms(one, one, torch.tensor([0, 1]))
    >>> bootstrap_mean(sums, weights).value
    600.0
    """
    if owner.shape != (len(captions),):
        raise ValueError(f"expected owner ({len(captions)},), not {tuple(owner.shape)}")
    sums: list[Tensor] = []
    weights: list[Tensor] = []
    for k in ks:
        hits = images.hits(k, ties)
        sums.append(hits.nan_to_num(0))
        weights.append((~hits.isnan()).double())
    for k in ks:
        hits = captions.hits(k, ties)
        empty = hits.new_zeros(len(images))
        sums.append(empty.index_add(0, owner, hits.nan_to_num(0)))
        weights.append(empty.index_add(0, owner, (~hits.isnan()).double()))
    return 100 * torch.stack(sums, dim=1), torch.stack(weights, dim=1)


def _tables(sums: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
    """Both (U, F) float64, with what does not count out of both."""
    if sums.dim() not in (1, 2) or len(sums) < 2:
        raise ValueError(
            f"expected sums of at least 2 units (U,) or (U, F), not {tuple(sums.shape)}"
        )
    weights = torch.ones_like(sums) if weights is None else weights
    if weights.shape != sums.shape:
        raise ValueError(f"weights must be {tuple(sums.shape)}, not {tuple(weights.shape)}")
    table, weight = (t.double().view(len(t), -1) for t in (sums, weights))
    weight = weight.masked_fill(table.isnan(), 0)
    if bool((weight < 0).any()) or bool((weight.sum(0) == 0).any()):
        raise ValueError("weights must not be negative, nor 0 for all units")
    return table.nan_to_num(0), weight


def _drawn(units: int, resamples: int, generator: torch.Generator | None) -> Tensor:
    """(R, U) float64: how often each resample draws each unit."""
    if resamples < 2:
        raise ValueError(f"an interval needs at least 2 resamples, not {resamples}")
    generator = generator or generator_of(0, 0)
    drawn = torch.randint(units, (resamples, units), generator=generator, device=generator.device)
    counts = torch.zeros(resamples, units, dtype=torch.float64, device=drawn.device)
    return counts.scatter_add_(1, drawn, torch.ones_like(counts))


def _figures(drawn: Tensor | None, table: Tensor, weight: Tensor) -> Tensor:
    """(R,) sums of weighted means, one of each resample, or () of the sample itself."""
    above = table.sum(0) if drawn is None else drawn @ table
    below = weight.sum(0) if drawn is None else drawn @ weight
    # A resample without any query that counts has no figure.
    return (above / below).sum(-1)


def _interval(figures: Tensor, value: Tensor, level: float) -> Interval:
    if not 0 < level < 1:
        raise ValueError(f"the level must be between 0 and 1, not {level}")
    figures = figures[~figures.isnan()]
    if len(figures) < 2:
        raise ValueError("too few queries count for an interval")
    ends = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)
    low, high = figures.quantile(ends.to(figures.device)).tolist()
    return Interval(value.item(), figures.std().item(), low, high)
