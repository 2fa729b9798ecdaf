"""What several systems are made of, between the towers and the heads of room 3."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facetwise.encoders import Towers
from facetwise.heads import LocalDropout, Projection, local_projection
from facetwise.models.set_model import SetConfig

__all__ = ["JoinedGlobal", "global_projections", "local_features"]


def global_projections(
    config: SetConfig, towers: Towers, generator: torch.Generator | None = None
) -> tuple[Projection, Projection]:
    """Of the global features of images and of texts, (B, P) -> (B, D)."""
    image, text = (
        Projection(
            tower.global_width,
            config.dim,
            hidden=config.hidden,
            dropout=config.feature_dropout,
            generator=generator,
        )
        for tower in towers
    )
    return image, text


def local_features(
    config: SetConfig,
    width: int,
    *,
    mlp: bool = False,
    direct: bool = False,
    generator: torch.Generator | None = None,
) -> nn.Module:
    """Of local features (B, N, width) -> (B, N, D), each location alone.

    direct: no map at all, only dropout: (B, N, width) as it is.
    mlp: with a residual MLP behind the linear map, as for regions in VSE-infinity and DivE
    (METHODS 2.4, 3.2). Ours has a layer norm where theirs has a batch norm, which in the releases
    counts padded regions, too (T-18).
    """
    if direct:
        return LocalDropout(config.feature_dropout)
    if mlp:
        return Projection(
            width,
            config.dim,
            hidden=config.hidden,
            dropout=config.feature_dropout,
            generator=generator,
        )
    return local_projection(width, config.dim, dropout=config.feature_dropout, generator=generator)


class JoinedGlobal(nn.Module):
    """LN(v) + weight LN(phi): a pooled vector and a global feature, as DivE joins them.

    Ours, for frozen towers: their global features know of several layers, their grid of one.

    Args:
        dim: D.
        weight: of the global feature.
        gain: where the learned gain of LN(v) starts; with a small one the sum starts as the global
            feature.
    """

    def __init__(self, dim: int, *, weight: float, gain: float) -> None:
        super().__init__()
        self.weight = weight
        self.norm_local = nn.LayerNorm(dim)
        nn.init.constant_(self.norm_local.weight, gain)
        self.norm_global = nn.LayerNorm(dim)

    def forward(self, v: Tensor, phi: Tensor) -> Tensor:
        """v: (B, D), phi: (B, D) -> (B, D)."""
        out: Tensor = self.norm_local(v) + self.weight * self.norm_global(phi)
        return out
