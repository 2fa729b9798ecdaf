"""What a model says of images and of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["ImageEmbedding", "TextEmbedding", "joined", "padded"]


class ImageEmbedding(NamedTuple):
    """N images under both models; what a run does not have is None."""

    sets: Tensor | None
    """(N, K, D), rows of length 1."""
    attention: Tensor | None
    """(N, K, H, W): where each slot looks; sums to 1 over the cells. None of regions, too."""
    pairs: Tensor | None
    """(N, d)."""


class TextEmbedding(NamedTuple):
    """M texts under the set model."""

    sets: Tensor
    """(M, L, D), rows of length 1; shorter sets end in rows of zeros."""
    attention: list[Tensor]
    """For each text (K, L): which tokens each slot reads; sums to 1."""
    tokens: list[list[str]]
    """The L tokens of each text, first and last markers included."""


def joined(parts: Sequence[ImageEmbedding]) -> ImageEmbedding:
    """Batches of images one after the other.

    >>> one = ImageEmbedding(torch.zeros(2, 4, 8), None, None)
    >>> joined([one, one]).sets.shape
    torch.Size([4, 4, 8])
    """

    def cat(values: Sequence[Tensor | None]) -> Tensor | None:
        kept = [value for value in values if value is not None]
        return torch.cat(kept) if kept else None

    return ImageEmbedding(
        cat([part.sets for part in parts]),
        cat([part.attention for part in parts]),
        cat([part.pairs for part in parts]),
    )


def padded(parts: Sequence[Tensor], rows: int, width: int) -> Tensor:
    """Batches of sets one after the other, the smaller ones filled up with rows of zeros.

    Args:
        parts: each (B, L, D).
        rows: L, if there are no parts.
        width: D.

    >>> padded([torch.ones(1, 2, 3), torch.ones(1, 1, 3)], 2, 3).sum(2)
    tensor([[3., 3.],
            [3., 0.]])
    """
    if not parts:
        return torch.empty(0, rows, width)
    longest = max(part.shape[1] for part in parts)
    return torch.cat([F.pad(part, (0, 0, 0, longest - part.shape[1])) for part in parts])
