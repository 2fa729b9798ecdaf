"""Whose caption is whose: the part that losses over image-caption batches share."""

import torch
from torch import Tensor

__all__ = ["owned", "positive_scores"]


def owned(scores: Tensor, owner: Tensor) -> Tensor:
    """(B, C) bool: caption c belongs to image b. Checks that the shapes and owners fit.

    >>> owned(torch.zeros(2, 3), torch.tensor([0, 1, 1])).int()
    tensor([[1, 0, 0],
            [0, 1, 1]], dtype=torch.int32)
    """
    if scores.dim() != 2 or owner.dim() != 1 or len(owner) != scores.shape[1]:
        raise ValueError(
            f"expected scores (B, C) and owner (C,), "
            f"not {tuple(scores.shape)} and {tuple(owner.shape)}"
        )
    if owner.dtype != torch.long or len(owner) == 0:
        raise ValueError(
            f"owner must be int64 and not empty, not {owner.dtype} of shape {tuple(owner.shape)}"
        )
    if bool(((owner < 0) | (owner >= len(scores))).any()):
        raise ValueError(f"owner must be in 0 ... {len(scores) - 1}: the rows of scores")
    return owner == torch.arange(len(scores), device=owner.device).unsqueeze(1)


def positive_scores(scores: Tensor, owner: Tensor) -> Tensor:
    """(C,): each caption's score with the image it belongs to."""
    return scores.gather(0, owner.unsqueeze(0)).squeeze(0)
