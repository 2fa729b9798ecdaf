"""Variational information bottleneck: keeps Gaussians from shrinking to points (METHODS 3.5)."""

from typing import Literal

import torch
from torch import Tensor

__all__ = ["vib"]


def vib(
    mu: Tensor,
    log_sigma: Tensor,
    *,
    legacy: bool = False,
    reduction: Literal["sum", "mean"] = "sum",
) -> Tensor:
    """KL(N(mu, sigma^2) || N(0, 1)) = (sigma^2 + mu^2 - 1 - log sigma^2) / 2, over all entries.

    Args:
        mu: (..., D).
        log_sigma: (..., D). PCME++'s heads give log sigma^2: pass half of it (METHODS T-42).
        legacy: take `log_sigma` for log sigma^2, as PCME's released code does (T-41).
        reduction: over items and dimensions: the sum in PCME (weight 1e-5), the mean in PCME++
            (weight 1e-4).

    Returns:
        A scalar, float32 at least; not negative.

    Raises:
        ValueError: shapes differ, are empty, or `reduction` is neither.

    >>> vib(torch.ones(2, 3), torch.zeros(2, 3))
    tensor(3.)
    """
    if mu.shape != log_sigma.shape or mu.numel() == 0:
        raise ValueError(
            f"expected mu and log sigma of one shape, not {tuple(mu.shape)} "
            f"and {tuple(log_sigma.shape)}"
        )
    if reduction not in ("sum", "mean"):
        raise ValueError(f'reduction must be "sum" or "mean", not {reduction!r}')
    dtype = torch.float64 if mu.dtype == torch.float64 else torch.float32
    mu, log_variance = mu.to(dtype), log_sigma.to(dtype) * (1 if legacy else 2)
    each = (log_variance.exp() + mu.square() - 1 - log_variance) / 2
    return each.sum() if reduction == "sum" else each.mean()
