"""Fill in the blank and outfit compatibility, safe against ties (METHODS section 5, T-1, T-3)."""

import torch
from torch import Tensor

from facetwise.metrics.ranking import Ties, check_scores, recall_at_k

__all__ = ["compatibility_auc", "fitb_accuracy"]


def fitb_accuracy(
    scores: Tensor, answers: Tensor | int = 0, *, ties: Ties = "pessimistic"
) -> float:
    """Share of questions whose right candidate scores higher than all others.

    Args:
        scores: (Q, C), a row of candidates for each question; pad shorter rows with -inf.
        answers: (Q,) index of the right candidate, or one index for all: the first in Polyvore's
            files, where an arg-max over equal scores would therefore always be right.
        ties: a constant scorer gets 0 (`"pessimistic"`), 1/C (`"mean"`) or 1 (`"optimistic"`).

    >>> fitb_accuracy(torch.zeros(3, 4)), fitb_accuracy(torch.zeros(3, 4), ties="mean")
    (0.0, 0.25)
    """
    if isinstance(answers, int):
        answers = torch.full((len(scores),), answers, device=scores.device)
    return recall_at_k(scores, answers, 1, ties=ties)


def compatibility_auc(scores: Tensor, labels: Tensor, *, ties: Ties = "mean") -> float:
    """Area under the ROC curve: the chance that a compatible outfit outscores an incompatible one.

    Args:
        scores: (n,) of the outfits.
        labels: (n,) 1 or true for compatible.
        ties: what an equal pair counts: one half (`"mean"`), nothing or one. Half is the default,
            unlike elsewhere: it is the published measure, and a constant scorer gets chance.

    Raises:
        ValueError: shapes differ, a score is NaN, a label is not 0 or 1, or one of the two is
        missing.

    >>> compatibility_auc(torch.tensor([0.9, 0.4, 0.4]), torch.tensor([1, 1, 0]))
    0.75
    """
    if scores.dim() != 1 or scores.shape != labels.shape:
        raise ValueError(
            f"expected scores (n,) and labels (n,), "
            f"not {tuple(scores.shape)} and {tuple(labels.shape)}"
        )
    check_scores(scores.unsqueeze(0), ties)
    if not bool(((labels == 0) | (labels == 1)).all()):
        raise ValueError("labels must be 0 or 1")
    positive, negative = scores[labels == 1], scores[labels == 0].sort().values
    if len(positive) == 0 or len(negative) == 0:
        raise ValueError("the AUC needs compatible and incompatible outfits")
    below = torch.searchsorted(negative, positive.contiguous()).double()
    not_above = torch.searchsorted(negative, positive.contiguous(), right=True).double()
    wins = {"pessimistic": below, "optimistic": not_above, "mean": (below + not_above) / 2}[ties]
    return (wins.mean() / len(negative)).item()
