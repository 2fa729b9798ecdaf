"""Euclidean distances between all rows of two matrices, with gradients that stay finite at zero."""

import torch
from torch import Tensor

__all__ = ["distances", "squared_distances"]


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """Squared Euclidean distances, (n, D) and (m, D) -> (n, m), by one matrix product.

    Always in float32 at least, autocast or not: |x|^2 + |y|^2 - 2 x.y loses what half precision
    has.

    >>> squared_distances(torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0]]))
    tensor([[25.]])
    """
    if x.dim() != 2 or y.dim() != 2 or x.shape[1] != y.shape[1]:
        raise ValueError(f"expected (n, D) and (m, D), not {tuple(x.shape)} and {tuple(y.shape)}")
    with torch.autocast(x.device.type, enabled=False):
        x, y = _wide(x), _wide(y)
        lengths = x.square().sum(1, keepdim=True) + y.square().sum(1)
        return torch.addmm(lengths, x, y.T, alpha=-2).clamp_min(0)


def distances(x: Tensor, y: Tensor) -> Tensor:
    """Euclidean distances, (n, D) and (m, D) -> (n, m).

    The square root has an infinite slope at zero, and a vector compared with itself is at zero but
    for rounding. Pairs within rounding of each other count as identical: distance 0, gradient 0.
    """
    squared = squared_distances(x, y)
    with torch.no_grad():
        lengths = _wide(x).square().sum(1, keepdim=True) + _wide(y).square().sum(1)
        same = squared <= lengths.mul_(4 * torch.finfo(squared.dtype).eps)
    return squared.masked_fill(same, 1).sqrt().masked_fill(same, 0)


def _wide(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()
