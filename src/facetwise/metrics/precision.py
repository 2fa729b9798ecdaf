"""How complete are the first R answers? mAP@R and R-Precision (METHODS section 5)."""

import torch
from torch import Tensor

from facetwise.metrics.ranking import Ties, check_scores

__all__ = ["map_at_r", "r_precision"]


def map_at_r(scores: Tensor, relevant: Tensor, *, ties: Ties = "pessimistic") -> float:
    """Mean over queries of (1/R) sum_{p <= R} Prec@p rel(p), R its number of relevant items.

    Args:
        scores: (Q, N), higher is better.
        relevant: (Q, N) bool. Queries without any relevant item do not count.
        ties: who stands first among equal scores: `"pessimistic"` the irrelevant, `"optimistic"`
            the relevant, `"mean"` the exact expectation over all their orders.

    Returns:
        A fraction.

    Raises:
        ValueError: shapes do not fit, a score is NaN, or no query has a relevant item.

    >>> ranking = torch.tensor([[5.0, 4.0, 3.0, 2.0, 1.0]])  # a x b c y
    >>> round(map_at_r(ranking, torch.tensor([[True, False, True, True, False]])), 6)
    0.555556
    """
    _, gain, counted, r = _top_r(scores, relevant, ties)
    return ((gain * counted).sum(1) / r).mean().item()


def r_precision(scores: Tensor, relevant: Tensor, *, ties: Ties = "pessimistic") -> float:
    """Mean over queries of the share of relevant items among the first R; arguments as `map_at_r`.

    >>> ranking = torch.tensor([[5.0, 4.0, 3.0, 2.0, 1.0]])
    >>> round(r_precision(ranking, torch.tensor([[True, False, True, True, False]])), 6)
    0.666667
    """
    chance, _, counted, r = _top_r(scores, relevant, ties)
    return ((chance * counted).sum(1) / r).mean().item()


def _top_r(scores: Tensor, relevant: Tensor, ties: Ties) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """For each position: P(relevant), E[relevant * precision there], is it in the first R; and R.

    Positions are treated in groups of equal scores whose order is random. With pessimistic or
    optimistic ties the order is settled, every group has one member, and both are plain numbers.
    """
    check_scores(scores, ties)
    if relevant.dtype != torch.bool or relevant.shape != scores.shape:
        raise ValueError(
            f"relevant must be bool {tuple(scores.shape)}, "
            f"not {relevant.dtype} of shape {tuple(relevant.shape)}"
        )
    some = relevant.any(1)
    if not bool(some.any()):
        raise ValueError("no query has a relevant item")
    scores, relevant = scores[some], relevant[some]
    n = scores.shape[1]
    position = torch.arange(1, n + 1, device=scores.device).expand(len(scores), n)
    if ties == "mean":
        scores, order = scores.sort(dim=1, descending=True)
        relevant = relevant.gather(1, order)
        starts = torch.ones_like(relevant)
        starts[:, 1:] = scores[:, 1:] != scores[:, :-1]
    else:
        first = relevant.byte().sort(dim=1, descending=ties == "optimistic", stable=True).indices
        order = scores.gather(1, first).sort(dim=1, descending=True, stable=True).indices
        relevant = relevant.gather(1, first).gather(1, order)
        starts = torch.ones_like(relevant)
    group = starts.cumsum(1) - 1
    zeros = torch.zeros(len(scores), n, dtype=torch.float64, device=scores.device)
    size = zeros.scatter_add(1, group, torch.ones_like(zeros)).gather(1, group)
    good = zeros.scatter_add(1, group, relevant.double()).gather(1, group)
    place = position - torch.where(starts, position, 0).cummax(1).values  # in the group, from 0
    before = zeros.scatter_add(1, group, relevant.double()).cumsum(1).gather(1, group) - good
    chance = good / size
    # Given that this one is relevant, each of the `place` before it in the group is one of the
    # other good - 1 with equal chance.
    found = before + 1 + place * (good - 1) / (size - 1).clamp_min(1)
    r = relevant.sum(1)
    return chance, chance * found / position, (position <= r.unsqueeze(1)).double(), r
