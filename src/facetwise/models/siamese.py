"""The siamese rival of PAN: a linear head on the same frozen features, triplet loss, cosine.

METHODS 1.5 and 3.12; on these features a tuned one is hard to beat (FIELDNOTES, PAN 7).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facetwise.config import Count, Share
from facetwise.encoders import PartNorm
from facetwise.encoders.lite import PARTS

__all__ = ["Siamese", "SiameseConfig"]


@dataclass(frozen=True)
class SiameseConfig:
    """What makes a siamese model."""

    dim: Count = 256
    """Width of the embedding."""
    feature_dropout: Share = 0.2
    """Of the frozen features, in training."""


class Siamese(nn.Module):
    """Frozen pooled features to one unit vector; pairs are compared by cosine."""

    def __init__(
        self,
        config: SiameseConfig,
        generator: torch.Generator | None = None,
        parts: Sequence[int] = PARTS,
    ) -> None:
        super().__init__()
        self.config = config
        self.norm = PartNorm(parts)
        self.dropout = nn.Dropout(config.feature_dropout)
        self.head = nn.Linear(sum(parts), config.dim, bias=False)
        nn.init.orthogonal_(self.head.weight, generator=generator)

    @property
    def dim(self) -> int:
        """Width of the embedding."""
        return self.config.dim

    def fit_statistics(self, pooled: Tensor, generator: torch.Generator | None = None) -> None:
        """Set the feature statistics from the training pictures, (N, P)."""
        self.norm.fit(pooled)

    def embed(self, pooled: Tensor) -> Tensor:
        """pooled: (N, P) -> (N, dim), rows of length 1."""
        return F.normalize(self.head(self.dropout(self.norm(pooled))), dim=-1)

    def against(self, query: Tensor, gallery: Tensor) -> Tensor:
        """Cosines: query (Q, dim), gallery (N, dim) -> (Q, N)."""
        return query @ gallery.T
