"""Circular variance: have the elements of a set collapsed into one? (METHODS 2.8)"""

import torch
from torch import Tensor

from facetwise.similarity.sets import unit

__all__ = ["circular_variance"]


def circular_variance(x: Tensor, mask: Tensor | None = None) -> Tensor:
    """1 - |mean of a set's unit vectors|: (N, K, D) -> (N,), between 0 (all the same) and 1.

    With a mask (N, K), of those that are real alone.

    The papers' tables show its natural logarithm. A healthy value does not prove that a set says
    more than its mean vector: see `similarity.mean_vectors`.

    >>> circular_variance(torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [1.0, 0.0]]]))
    tensor([0.2929, 0.0000])
    """
    if x.dim() != 3 or x.shape[1] == 0:
        raise ValueError(f"expected sets (N, K, D), not {tuple(x.shape)}")
    x = unit(x if x.dtype == torch.float64 else x.float())
    real = x.new_ones(x.shape[:2]) if mask is None else mask.to(x)
    real = (real / real.sum(1, keepdim=True)).unsqueeze(-1)
    mean = (x * real).sum(1)
    # 1 - |m|^2 as the mean square distance to m: does not lose the small values of nearly equal
    # elements to rounding, and is never negative.
    spread = ((x - mean.unsqueeze(1)).square() * real).sum((1, 2))
    variance: Tensor = spread / (1 + torch.linalg.vector_norm(mean, dim=-1))
    return variance
