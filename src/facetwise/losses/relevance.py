"""Keeps PAN's relevance from collapsing onto a few conditions (FIELDNOTES, PAN 5)."""

import math

import torch
from torch import Tensor

__all__ = ["relevance_kl"]


def relevance_kl(relevance: Tensor) -> Tensor:
    """KL(w || uniform) = ln M - H(w) of each pair's relevance, mean over pairs.

    relevance: (P, M), rows sum to 1 -> a scalar between 0 (all conditions count alike) and ln M.
    Not in the paper; with weight .3 it made steering change what is found.

    >>> relevance_kl(torch.tensor([[0.5, 0.5], [1.0, 0.0]]))
    tensor(0.3466)
    """
    if relevance.dim() != 2 or relevance.numel() == 0:
        raise ValueError(f"relevance must be (P, M) and not empty, not {tuple(relevance.shape)}")
    w = relevance if relevance.dtype == torch.float64 else relevance.float()
    # Not torch.special.entr: its gradient at 0 is infinite.
    entropy = -(w * w.clamp_min(torch.finfo(w.dtype).tiny).log()).sum(1)
    return math.log(w.shape[1]) - entropy.mean()
