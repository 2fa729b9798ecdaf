"""InfoNCE over a batch's pairs: every positive against all that could stand in its place."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["pair_info_nce"]


def pair_info_nce(
    scores: Tensor,
    positives: Tensor,
    negatives: Tensor,
    *,
    types: Tensor | None = None,
    temperature: float = 1.0,
) -> Tensor:
    """Mean over ordered positives (a, b) of -log e^(s_ab/T) / (e^(s_ab/T) + sum_n e^(s_an/T)).

    Other positives of an anchor are not in the sum. Unlike triplets it has no hardest negatives,
    which among a few garments of one type are often as right as the positive.

    Args:
        scores: (B, B) similarity of the batch with itself, rows are anchors.
        positives: (B, B) bool.
        negatives: (B, B) bool.
        types: (B,) then a negative must have its positive's type; -1 has none.
        temperature: T, in units of the scores.

    Returns:
        A scalar, float32 at least; 0 where there is no positive with a negative.

    >>> yes = torch.tensor([[False, True, False], [True, False, False], [False] * 3])
    >>> no = ~yes & ~torch.eye(3, dtype=torch.bool)
    >>> pair_info_nce(torch.zeros(3, 3), yes, no).exp()  # one of two
    tensor(2.)
    """
    if scores.dim() != 2 or positives.shape != scores.shape or negatives.shape != scores.shape:
        raise ValueError(
            f"expected scores, positives and negatives (B, B), not {tuple(scores.shape)}, "
            f"{tuple(positives.shape)} and {tuple(negatives.shape)}"
        )
    logits = (scores if scores.dtype == torch.float64 else scores.float()) / temperature
    anchor, positive = positives.nonzero(as_tuple=True)
    against = negatives[anchor]
    if types is not None:
        wanted = types[positive]
        against = against & (types == wanted[:, None]) & (wanted >= 0)[:, None]
    asked = against.any(1)
    anchor, positive, against = anchor[asked], positive[asked], against[asked]
    if len(anchor) == 0:
        return logits.sum() * 0.0
    others = logits[anchor].masked_fill(~against, torch.finfo(logits.dtype).min / 2).logsumexp(1)
    own = logits[anchor, positive]
    return (torch.logaddexp(own, others) - own).mean()
