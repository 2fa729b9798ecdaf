"""Accuracy over few-shot episodes, with its confidence interval (METHODS section 5)."""

from typing import NamedTuple

from torch import Tensor

from facetwise.metrics.ranking import Ties, hits_at_k

__all__ = ["MeanInterval", "few_shot_accuracy", "mean_interval"]


class MeanInterval(NamedTuple):
    """A mean and half the width of its 95% confidence interval: mean +- ci95."""

    mean: float
    ci95: float


def few_shot_accuracy(
    scores: Tensor, labels: Tensor, *, ties: Ties = "pessimistic"
) -> MeanInterval:
    """Mean over episodes of the share of queries whose own class scores highest.

    Args:
        scores: (E, Q, W) of E episodes, Q queries in each, W ways.
        labels: (E, Q) int64 the right way of each query, or (Q,) if it is the same in all episodes.
        ties: as in `ranks`.

    Returns:
        Fractions; the interval is over episodes.

    >>> import torch
    >>> scores = torch.eye(5).repeat(2, 1, 1)
    >>> few_shot_accuracy(scores, torch.arange(5))
    MeanInterval(mean=1.0, ci95=0.0)
    """
    if scores.dim() != 3 or labels.shape not in (scores.shape[:2], scores.shape[1:2]):
        raise ValueError(
            f"expected scores (E, Q, W) and labels (E, Q) or (Q,), "
            f"not {tuple(scores.shape)} and {tuple(labels.shape)}"
        )
    labels = labels.expand(scores.shape[:2])
    right = hits_at_k(scores.flatten(0, 1), labels.flatten(), 1, ties=ties)
    return mean_interval(right.view(labels.shape).mean(1))


def mean_interval(values: Tensor) -> MeanInterval:
    """Mean of (n,) values and 1.96 s / sqrt(n), s with n - 1 below the line (METHODS T-5).

    For two methods on the same episodes give their differences: the paired interval is several
    times tighter than two separate ones.

    >>> import torch
    >>> round(mean_interval(torch.tensor([0.9, 0.8, 1.0, 0.7])).ci95, 6)
    0.126517
    """
    if values.dim() != 1 or len(values) < 2:
        raise ValueError(f"an interval needs (n,) values, n > 1, not {tuple(values.shape)}")
    values = values.double()
    return MeanInterval(values.mean().item(), 1.96 * values.std().item() / len(values) ** 0.5)
