"""DeViSE's hinge rank loss: the right text before all wrong ones, by a margin (METHODS 3.3)."""

from typing import Literal

import torch
from torch import Tensor

from facetwise.losses.batches import owned, positive_scores

__all__ = ["rank_loss"]


def rank_loss(
    scores: Tensor,
    owner: Tensor,
    *,
    margin: float = 0.1,
    negatives: Literal["sum", "first"] = "sum",
) -> Tensor:
    """Sum over wrong texts j of [margin - s_text + s_j]_+, mean over the texts; one way only.

    Each text is a label of its image and the texts of other images are the wrong labels; images are
    never each other's negatives, which is what `triplet` adds.

    Args:
        scores: (B, C) of B images and C texts; in the paper the dot product of the mapped image
            vector with a text vector of length 1.
        owner: (C,) which image each text belongs to.
        margin: .1 in the paper.
        negatives: `"sum"`: over all of them. `"first"`: the first in the batch that violates the
            margin counts alone, as where the original stops; batches are shuffled, so it is a
            random one.

    Returns:
        A scalar, float32 at least; 0 where there are no wrong texts.

    Raises:
        ValueError: shapes or owners do not fit, or `negatives` is neither.

    >>> rank_loss(torch.zeros(3, 3), torch.arange(3))  # two wrong texts, a margin each
    tensor(0.2000)
    """
    if negatives not in ("sum", "first"):
        raise ValueError(f'negatives must be "sum" or "first", not {negatives!r}')
    mine = owned(scores, owner)
    scores = scores if scores.dtype == torch.float64 else scores.float()
    positive = positive_scores(scores, owner)
    hinges = (margin - positive.unsqueeze(1) + scores[owner]).relu().masked_fill(mine[owner], 0)
    if negatives == "first":
        violated = hinges > 0
        hinges = hinges.masked_fill(violated.cumsum(1) > 1, 0)
    return hinges.sum(1).mean()
