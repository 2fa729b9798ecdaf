"""VSE: one vector for an image, one for a caption, cosine. The single-vector rival of DivE.

The same frozen features, projections and training as `models.dive`, without the set prediction
module: what a set adds is the difference between the two (METHODS 3.1 has VSE++).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facetwise.encoders.image import PARTS, ImageFeatures
from facetwise.encoders.text import WIDTH
from facetwise.heads import ElementSet, PartNorm, Projection, masked_mean
from facetwise.config import Count, Share
from facetwise.similarity import SetSimilarity, average

__all__ = ["VSE", "VSEConfig"]


@dataclass(frozen=True)
class VSEConfig:
    """What makes a single-vector model."""

    dim: Count = 256
    """D; 1024 in the papers, whose features are four times as many."""
    hidden: Count = 512
    """Inner width of the projections' MLP."""
    feature_dropout: Share = 0.2
    """Of the frozen features."""


class VSE(nn.Module):
    """Frozen features to one unit vector: a set of K = 1."""

    similarity_name = "average"
    K = 1
    alpha = 16.0

    def __init__(self, config: VSEConfig, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.norm = PartNorm(PARTS)
        self.image_global, self.text_global = (
            Projection(
                width,
                config.dim,
                hidden=config.hidden,
                dropout=config.feature_dropout,
                generator=generator,
            )
            for width in (sum(PARTS), WIDTH)
        )

    @property
    def dim(self) -> int:
        """D."""
        return self.config.dim

    def fit_statistics(self, features: ImageFeatures) -> None:
        """Set the feature statistics from the training pictures."""
        self.norm.fit(features.pooled)

    def module_parameters(self) -> Iterator[nn.Parameter]:
        """None: there is no set prediction module."""
        return iter(())

    @torch.no_grad()
    def prepare(self, features: ImageFeatures) -> tuple[Tensor, Tensor]:
        """What is fixed before training: local features of width 0, and the global one."""
        n, _, h, w = features.grid.shape
        return torch.empty(n, h * w, 0), self.norm(features.pooled) * sum(PARTS) ** 0.5

    def images(self, local: Tensor, pooled: Tensor) -> ElementSet:
        """local: (B, N, 0), pooled: (B, P) -> sets (B, 1, D), attention even over the N cells."""
        phi = self.image_global(pooled)
        cells = local.shape[1]
        return _one(phi, phi.new_full((len(phi), 1, cells), 1 / cells))

    def texts(self, tokens: Tensor, mask: Tensor) -> ElementSet:
        """tokens: (B, L, 384), mask: (B, L) -> sets (B, 1, D), attention even over the words."""
        phi = self.text_global(masked_mean(tokens, mask))
        even = mask.to(phi.dtype) / mask.sum(1, keepdim=True)
        return _one(phi, even.unsqueeze(1))

    @property
    def similarity(self) -> SetSimilarity:
        """Cosine: x (N, 1, D), y (M, 1, D) -> (N, M)."""
        return average


def _one(phi: Tensor, attention: Tensor) -> ElementSet:
    v = phi.unsqueeze(1)
    return ElementSet(F.normalize(v, dim=-1), v, attention)
