"""Diversity: pushes the elements of one set apart (METHODS 2.6)."""

import torch
from torch import Tensor

from facetwise.similarity.sets import unit

__all__ = ["diversity"]


def diversity(e: Tensor, *, t: float = 2.0) -> Tensor:
    """Mean over sets and over unordered pairs i < j of exp(-t |e_i - e_j|^2); DivE's R_div.

    Args:
        e: (B, K, D); rows are scaled to length 1. DivE gives the slots *before* the global feature
            is added to each of them.
        t: 2 in DivE.

    Returns:
        A scalar, float32 at least; 0 for K = 1.

    >>> diversity(torch.ones(1, 4, 8))  # collapsed: the worst
    tensor(1.)
    """
    if e.dim() != 3 or len(e) == 0:
        raise ValueError(f"expected sets (B, K, D) with B > 0, not {tuple(e.shape)}")
    e = unit(e if e.dtype == torch.float64 else e.float())
    k = e.shape[1]
    if k == 1:
        return (e * 0).sum()  # nothing to push apart, and still something to differentiate
    i, j = torch.triu_indices(k, k, 1, device=e.device)
    return torch.exp(-t * (e[:, i] - e[:, j]).square().sum(-1)).mean()
