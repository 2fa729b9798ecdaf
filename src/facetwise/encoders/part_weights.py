"""How much each part of the features counts: what finds a picture's own kind among others.

On photos of birds the network's last layer knows nearly all, and equal parts cost two thirds of the
mAP; of things that differ in colour or in drawing, lower layers know what the last one forgot. The
training pictures say which it is, before any training: coordinate ascent on the R-precision of
plain cosines, in a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

__all__ = ["choose_part_weights", "r_precision_of"]

_GRID: Final = (0.0, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8)
_ROUNDS: Final = 2
_LEAST: Final = 5e-4
"""What a change must gain, as a share of the pictures found."""

_MOST: Final = 1500
"""Pictures that are looked at."""


@torch.no_grad()
def choose_part_weights(
    parts: Sequence[Tensor], labels: Tensor, generator: torch.Generator | None = None
) -> list[float]:
    """The weight of each part, (N, P_k) with rows of length 1, by what the labels (N,) say.

    Starts from equal weights and from the first part alone, whichever finds more; the first part's
    weight stays at 1. Labels of -1 are left out.

    >>> g = torch.Generator().manual_seed(0)
    >>> labels = torch.arange(30) % 3
    >>> telling = torch.nn.functional.one_hot(labels, 3).float()
    >>> noise = torch.nn.functional.normalize(torch.randn(30, 3, generator=g), dim=1)
    >>> choose_part_weights([telling, 3 * noise], labels)
    [1.0, 0.0]
    """
    known = (labels >= 0).nonzero().squeeze(1)
    some = known[torch.randperm(len(known), generator=generator)[:_MOST]]
    own = labels[some]
    cosines = [part[some] @ part[some].T for part in parts]

    def found(weights: Sequence[float]) -> float:
        scores = torch.zeros(len(some), len(some))
        for weight, cosine in zip(weights, cosines, strict=True):
            if weight:
                scores.add_(cosine, alpha=weight**2)
        return r_precision_of(scores, own)

    equal, first = [1.0] * len(parts), [1.0] + [0.0] * (len(parts) - 1)
    weights, best = equal, found(equal)
    if len(some) < 4 or len(parts) == 1:
        return weights
    alone = found(first)
    if alone > best:
        weights, best = first, alone
    for _ in range(_ROUNDS):
        before = best
        for part in range(1, len(parts)):
            for weight in _GRID:
                tried = [*weights[:part], weight, *weights[part + 1 :]]
                gained = found(tried)
                if gained > best + _LEAST:
                    weights, best = tried, gained
        if best == before:
            break
    return weights


def r_precision_of(scores: Tensor, labels: Tensor) -> float:
    """Mean share of a picture's own kind among its first R answers, R as many as there are.

    Args:
        scores: (N, N).
        labels: (N,).
    """
    n = len(labels)
    scores = scores.masked_fill(torch.eye(n, dtype=torch.bool), -torch.inf)
    same = labels[:, None] == labels
    R = same.sum(1) - 1
    asks = R > 0
    if not bool(asks.any()):
        return 0.0
    top = scores.topk(int(R.max()), dim=1).indices
    counted = torch.arange(top.shape[1]) < R[:, None]
    hits = (same.gather(1, top) & counted).sum(1)
    return float((hits[asks] / R[asks]).mean())
