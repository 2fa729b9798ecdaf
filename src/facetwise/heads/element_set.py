"""What every head that makes sets shares: what it returns, how its weights start, its noise."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

__all__ = ["ElementSet", "for_each", "normal", "start_weights"]


class ElementSet(NamedTuple):
    """B sets of K elements."""

    elements: Tensor
    """S: (B, K, D), rows of length 1."""
    slots: Tensor
    """LN(E_T): (B, K, D), before the global feature is added; the diversity term is about these."""
    attention: Tensor
    """(B, K, N): where each slot looked in the last block, mean over heads; rows sum to 1."""


def for_each(phi: Tensor) -> Tensor:
    """One global feature for all elements, (B, D) -> (B, 1, D), or one for each, (B, K, D)."""
    return phi if phi.dim() == 3 else phi.unsqueeze(1)


def start_weights(module: nn.Module, generator: torch.Generator | None = None) -> None:
    """Start all linear maps Xavier-uniform with zero biases, and GRUs as PyTorch does.

    All of it comes from `generator`: layers draw from the global one when they are made.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.GRU | nn.GRUCell):
            bound = layer.hidden_size**-0.5
            for parameter in layer.parameters():
                nn.init.uniform_(parameter, -bound, bound, generator=generator)


def normal(
    *shape: int, dtype: torch.dtype, device: torch.device, generator: torch.Generator | None
) -> Tensor:
    """Standard normal noise from `generator`, or as dropout's from the global one of the device.

    It is drawn where the generator is: a seed gives the same noise whatever trains on it.
    """
    where = device if generator is None else generator.device
    return torch.randn(shape, dtype=dtype, device=where, generator=generator).to(device)
