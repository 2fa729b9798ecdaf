"""DivE (Kim et al., CVPR 2023): an image or a caption as a set of K embeddings.

Read beside the paper: local features psi and a global one phi of each side go through the set
prediction module (slots that compete for locations), and sets are compared by smooth-Chamfer.
METHODS section 2 has the equations; `heads.set_prediction` the module, `similarity.sets` the score.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import torch
from torch import Tensor, nn

from facetwise.encoders.image import PARTS, ImageFeatures
from facetwise.encoders.text import WIDTH
from facetwise.heads import (
    Components,
    ElementSet,
    PartNorm,
    Projection,
    SetPrediction,
    masked_mean,
)
from facetwise.config import Count, Positive, Share, Weight, Within
from facetwise.similarity import SetSimilarity, smooth_chamfer

__all__ = ["DivE", "DivEConfig"]


@dataclass(frozen=True)
class DivEConfig:
    """What makes a DivE model; the paper's values (METHODS 2.1, 2.5) unless said otherwise."""

    dim: Count = 256
    """D; 1024 in the paper, whose features are four times as many."""
    K: Count = 4
    """Elements of a set."""
    T: Count = 2
    """Aggregation blocks, weights shared; 4 in the paper."""
    alpha: Positive = 16.0
    """Sharpness of smooth-Chamfer."""
    heads: Count = 4
    """Of the attention."""
    head_dim: Count = 32
    """Inner width of a head; 512 in the paper."""
    hidden: Count = 512
    """Inner width of the MLPs; in the module 4 D in the paper."""
    dropout: Share = 0.1
    """In the set prediction module."""
    local_dim: Annotated[int, Within(1, PARTS[0])] = 256
    """Principal components kept of the frozen grid's 1,280 channels: ours, for speed."""
    feature_dropout: Share = 0.2
    """Of the frozen features; not in the paper, which trains its towers."""
    global_weight: Weight = 1.0
    """Of the global feature in each element."""
    slot_gain: float = 0.3
    """Where the gain of LN(E_T) starts; 1 in the paper."""


class DivE(nn.Module):
    """Frozen image grids and word features to sets of K unit vectors."""

    similarity_name = "smooth_chamfer"

    def __init__(self, config: DivEConfig, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.norm = PartNorm(PARTS)
        self.components = Components(PARTS[0], config.local_dim)
        self.image_global = self._projection(sum(PARTS), generator)
        self.image_local = nn.Sequential(
            nn.Dropout(config.feature_dropout), nn.Linear(config.local_dim, config.dim)
        )
        self.image_set = self._module(positions=False, generator=generator)
        self.text_global = self._projection(WIDTH, generator)
        self.text_local = nn.Sequential(
            nn.Dropout(config.feature_dropout), nn.Linear(WIDTH, config.dim)
        )
        self.text_set = self._module(positions=True, generator=generator)
        for layer in [*self.image_local, *self.text_local]:
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight, generator=generator)
                nn.init.zeros_(layer.bias)

    @property
    def K(self) -> int:
        """Elements of a set."""
        return self.config.K

    @property
    def dim(self) -> int:
        """D."""
        return self.config.dim

    @property
    def alpha(self) -> float:
        """Of smooth-Chamfer."""
        return self.config.alpha

    def fit_statistics(self, features: ImageFeatures) -> None:
        """Set the statistics of the frozen features from the training pictures."""
        self.norm.fit(features.pooled)
        self.components.fit(features.grid)

    def module_parameters(self) -> Iterator[nn.Parameter]:
        """Of the two set prediction modules and their local features."""
        for part in (self.image_local, self.image_set, self.text_local, self.text_set):
            yield from part.parameters()

    @torch.no_grad()
    def prepare(self, features: ImageFeatures) -> tuple[Tensor, Tensor]:
        """What of the image side is fixed once the statistics are: done once, before training.

        Returns:
            local (N, H * W, local_dim) and global (N, P) features.
        """
        scale = sum(PARTS) ** 0.5  # about unit variance, as after a layer norm
        return self.components(features.grid), self.norm(features.pooled) * scale

    def images(self, local: Tensor, pooled: Tensor) -> ElementSet:
        """local: (B, N, local_dim), pooled: (B, P), as from `prepare` -> sets (B, K, D)."""
        out: ElementSet = self.image_set(self.image_local(local), self.image_global(pooled))
        return out

    def texts(self, tokens: Tensor, mask: Tensor) -> ElementSet:
        """tokens: (B, L, 384), mask: (B, L) -> sets (B, K, D), attention (B, K, L)."""
        phi = self.text_global(masked_mean(tokens, mask))
        out: ElementSet = self.text_set(self.text_local(tokens.float()), phi, mask)
        return out

    @property
    def similarity(self) -> SetSimilarity:
        """Smooth-Chamfer: x (N, K, D), y (M, K, D) -> (N, M)."""
        return partial(smooth_chamfer, alpha=self.config.alpha)

    def _projection(self, width: int, generator: torch.Generator | None) -> Projection:
        c = self.config
        return Projection(
            width, c.dim, hidden=c.hidden, dropout=c.feature_dropout, generator=generator
        )

    def _module(self, *, positions: bool, generator: torch.Generator | None) -> SetPrediction:
        c = self.config
        return SetPrediction(
            c.dim,
            c.dim,
            K=c.K,
            T=c.T,
            positions=positions,
            global_weight=c.global_weight,
            slot_gain=c.slot_gain,
            heads=c.heads,
            head_dim=c.head_dim,
            hidden=c.hidden,
            dropout=c.dropout,
            generator=generator,
        )
