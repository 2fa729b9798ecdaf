"""Leaving out some of the local features of a training batch."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["thinned"]


def thinned(mask: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Take each location away with probability `share`; the first always stays.

    A set's own size is what is lost: heads that look at masks see a smaller image, or a shorter
    caption (VSE-infinity's size augmentation, METHODS 3.2, for features that are frozen).

    Args:
        mask: (B, N) bool, true where a location is real.
        share: in [0, 1].
        generator: of the draws.

    >>> thinned(torch.tensor([[True, True, False]]), 1.0, torch.Generator())
    tensor([[ True, False, False]])
    """
    if share <= 0:
        return mask
    kept = torch.rand(mask.shape, generator=generator) >= share
    kept[:, 0] = True
    return mask & kept
