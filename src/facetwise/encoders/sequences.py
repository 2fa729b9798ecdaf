"""Sequences of tokens: padded into one tensor, moved together, pooled into one vector."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from facetwise.encoders.features import masked_mean

__all__ = ["Pooling", "apart", "pad_ids", "pool", "together"]

Pooling = Literal["mean", "max", "first", "last"]
"""How a sequence becomes one vector."""


def pad_ids(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Numbers of tokens, row by row -> (M, L) int64 padded with 0, (M, L) mask.

    >>> pad_ids([[3, 9, 4], [3]])[0]
    tensor([[3, 9, 4],
            [3, 0, 0]])
    """
    lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
    longest = int(lengths.max()) if rows else 0
    mask = torch.arange(longest) < lengths[:, None]
    ids = torch.zeros(len(rows), longest, dtype=torch.int64)
    flat = np.fromiter(chain.from_iterable(rows), dtype=np.int64, count=int(lengths.sum()))
    ids[mask] = torch.from_numpy(flat)
    return ids, mask


def pool(states: Tensor, mask: Tensor, how: Pooling) -> Tensor:
    """One vector for each sequence. states: (B, L, C), mask: (B, L) -> (B, C), float32 at least.

    A sequence without tokens has the vector zero (of ``first`` and ``last``: its first state).

    >>> x, mask = torch.tensor([[[1.0], [4.0], [9.0]]]), torch.tensor([[True, True, False]])
    >>> [pool(x, mask, how).item() for how in ("mean", "max", "first", "last")]
    [2.5, 4.0, 1.0, 4.0]
    """
    if how == "mean":
        return masked_mean(states, mask)
    states = states if states.dtype == torch.float64 else states.float()
    if how == "max":
        top = states.masked_fill(~mask[..., None], -torch.inf).amax(1)
        return torch.where(mask.any(1)[:, None], top, 0.0)
    if how == "first":
        place = mask.long().argmax(1)
    else:
        place = (mask * torch.arange(mask.shape[1], device=mask.device)).amax(1)
    return states[torch.arange(len(states), device=states.device), place]


def together(ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
    """Tokens moved up to the first places, over those that `mask` leaves out between them.

    Args:
        ids: (B, L).
        mask: (B, L), true where there is a token.

    Returns:
        ids and mask, and for `apart` where each came from; None if nothing had to move.
    """
    if not bool((mask[:, 1:] & ~mask[:, :-1]).any()):
        return ids, mask, None
    order = (~mask).long().argsort(dim=1, stable=True)
    return ids.gather(1, order), mask.gather(1, order), order


def apart(states: Tensor, order: Tensor | None) -> Tensor:
    """What came of tokens that `together` moved, (B, L, C), in their places again."""
    if order is None:
        return states
    return states.gather(1, order.argsort(1)[..., None].expand_as(states))
