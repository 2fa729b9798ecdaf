"""Features of a tower to width D: the global one by a residual MLP, local ones by a linear map."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Projection", "local_projection"]


class Projection(nn.Module):
    """Dropout, a linear map f, and MLP(f) + f, as DivE and VSE-infinity project features.

    A residual MLP before the head is worth 2 to 6 RSUM on frozen features, heavier dropout up to 5
    (FIELDNOTES, DivE 4).

    Args:
        dim_in: width of the features.
        dim: D.
        hidden: inner width of the MLP.
        dropout: of the input features.
        generator: randomness of the start.
    """

    def __init__(
        self,
        dim_in: int,
        dim: int,
        *,
        hidden: int,
        dropout: float,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(dim_in, dim)
        self.mlp = nn.Sequential(
            nn.LayerNorm(dim),
            nn.Linear(dim, hidden),
            nn.GELU(),
            nn.Dropout(0.1),
            nn.Linear(hidden, dim),
        )
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight, generator=generator)
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(..., dim_in) -> (..., D)."""
        f = self.fc(self.dropout(x))
        out: Tensor = f + self.mlp(f)
        return out


def local_projection(
    dim_in: int, dim: int, *, dropout: float, generator: torch.Generator | None = None
) -> nn.Sequential:
    """Dropout and a linear map, for each location alone: (B, N, dim_in) -> (B, N, D)."""
    fc = nn.Linear(dim_in, dim)
    nn.init.xavier_uniform_(fc.weight, generator=generator)
    nn.init.zeros_(fc.bias)
    return nn.Sequential(nn.Dropout(dropout), fc)
