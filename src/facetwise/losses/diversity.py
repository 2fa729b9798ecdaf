"""Diversity: pushes the elements of a set, or samples, apart (METHODS 2.6, 3.4, 3.5)."""

import math

import torch
from torch import Tensor

from facetwise.similarity.distances import squared_distances
from facetwise.similarity.sets import unit

__all__ = ["diversity", "gram_diversity", "uniformity"]


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
    e = _unit_sets(e)
    k = e.shape[1]
    if k == 1:
        return (e * 0).sum()  # nothing to push apart, and still something to differentiate
    i, j = torch.triu_indices(k, k, 1, device=e.device)
    return torch.exp(-t * (e[:, i] - e[:, j]).square().sum(-1)).mean()


def gram_diversity(r: Tensor) -> Tensor:
    """PVSE's: mean over sets of |R R^T - I| / K^2, Frobenius norm, R's rows of length 1.

    Args:
        r: (B, K, D); PVSE gives the residuals r_k, before the global feature is added. PIE-Net
            returns them as `slots`.

    Returns:
        A scalar, float32 at least; 0 for K = 1 and for orthogonal rows.

    >>> gram_diversity(torch.ones(1, 2, 8))  # collapsed: the worst
    tensor(0.3536)
    """
    r = _unit_sets(r)
    k = r.shape[1]
    if k == 1:
        return (r * 0).sum()
    # The diagonal is 1 but for rounding, which alone would give orthogonal rows a gradient.
    diagonal = torch.eye(k, dtype=torch.bool, device=r.device)
    gram = (r @ r.transpose(1, 2)).masked_fill(diagonal, 0)
    norms: Tensor = torch.linalg.vector_norm(gram, dim=(1, 2))
    return norms.mean() / k**2


def uniformity(z: Tensor, *, t: float = 2.0) -> Tensor:
    """PCME's: log of the mean over unordered pairs of exp(-t |z - z'|^2).

    Args:
        z: (..., D): every leading dimension counts as more vectors, so samples (B, J, D) go in as
            they are; PCME joins those of both sides.
        t: 2 in PCME, whose weight of it is 0 on COCO and 10 on CUB.

    Returns:
        A scalar, float32 at least; 0 where all vectors are the same.

    >>> uniformity(torch.ones(3, 8)).abs().item() < 1e-6
    True
    """
    z = z.reshape(-1, z.shape[-1])
    n = len(z)
    if n < 2:
        raise ValueError(f"expected two vectors (n, D) at least, not {n}")
    exponents = -t * squared_distances(z, z)
    exponents = exponents.masked_fill(torch.eye(n, dtype=torch.bool, device=z.device), -math.inf)
    return exponents.flatten().logsumexp(0) - math.log(n * (n - 1))


def _unit_sets(e: Tensor) -> Tensor:
    if e.dim() != 3 or len(e) == 0:
        raise ValueError(f"expected sets (B, K, D) with B > 0, not {tuple(e.shape)}")
    return unit(e if e.dtype == torch.float64 else e.float())
