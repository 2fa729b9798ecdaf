"""Maximum mean discrepancy: keeps two modalities' embeddings in one cloud (METHODS 2.6, T-24)."""

import torch
from torch import Tensor

from facetwise.similarity.distances import distances

__all__ = ["mmd"]


def mmd(x: Tensor, y: Tensor, *, gamma: float = 0.5) -> Tensor:
    """Biased MMD between two clouds of vectors; kernel exp(-gamma |x - y|), distance *unsquared*.

    mean k(x, x') - 2 mean k(x, y) + mean k(y, y'). The papers say RBF; PVSE's and DivE's code, and
    so this, does not square.

    Args:
        x: (..., D): every leading dimension counts as more vectors, so sets (B, K, D) go in as they
            are.
        y: (..., D).
        gamma: .5 in PVSE and DivE.

    Returns:
        A scalar, float32 at least. Identical vectors have gradient 0, not NaN.

    >>> x = torch.eye(3)
    >>> mmd(x, x).abs().item() < 1e-6
    True
    """
    if x.shape[-1] != y.shape[-1] or x.numel() == 0 or y.numel() == 0:
        raise ValueError(
            f"expected (..., D) and (..., D) with vectors in both, "
            f"not {tuple(x.shape)} and {tuple(y.shape)}"
        )
    x, y = x.reshape(-1, x.shape[-1]), y.reshape(-1, y.shape[-1])
    return _mean_kernel(x, x, gamma) - 2 * _mean_kernel(x, y, gamma) + _mean_kernel(y, y, gamma)


def _mean_kernel(x: Tensor, y: Tensor, gamma: float) -> Tensor:
    return torch.exp(-gamma * distances(x, y)).mean()
