"""What can be read off embeddings by a linear map: attributes of pictures never seen."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from facetwise.heads.ridge import ridge
from facetwise.metrics import Positives, positive_ranks

__all__ = ["mean_average_precision", "probe"]

PENALTY: Final = 0.3


def probe(
    x: Tensor, present: Tensor, x_test: Tensor, present_test: Tensor, *, penalty: float = PENALTY
) -> float:
    """Mean average precision of ridge regressions onto attributes, one for each.

    Args:
        x: (N, d) embeddings to fit on; dimensions are standardised by their mean and deviation.
        present: (N, A) bool.
        x_test: (M, d) embeddings to rank.
        present_test: (M, A) bool, with at least one true in each column.
        penalty: of the regression, relative to a dimension's variance.

    Returns:
        The mean over attributes, a fraction. Chance is the mean of `present_test`.

    >>> x = torch.eye(2).repeat(8, 1)
    >>> probe(x, x == 1, x[:4], x[:4] == 1)
    1.0
    """
    centre, scale = x.mean(0), x.std(0).clamp_min(1e-6)
    train, test = (x - centre) / scale, (x_test - centre) / scale
    target = present.float()
    weight = ridge(train, target - target.mean(0), penalty)
    return mean_average_precision((test @ weight).T, present_test.T)


def mean_average_precision(scores: Tensor, relevant: Tensor) -> float:
    """Mean over queries of the mean precision at each relevant item; ties against us.

    Args:
        scores: (Q, N).
        relevant: (Q, N) bool; queries without a relevant item do not count.

    >>> mean_average_precision(torch.tensor([[3.0, 2.0, 1.0]]), torch.tensor([[True, False, True]]))
    0.8333333333333333
    """
    positives = Positives.of(relevant.nonzero(), len(scores))
    rank = positive_ranks(scores.contiguous(), positives)
    order = rank.argsort(stable=True)
    order = order[positives.queries[order].argsort(stable=True)]
    place = torch.arange(len(order)) - positives.starts[positives.queries] + 1
    counts = positives.counts.double()
    sums = torch.zeros_like(counts).index_add_(0, positives.queries, place / rank[order])
    return (sums / counts)[counts > 0].mean().item()
