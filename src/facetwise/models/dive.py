"""DivE (Kim et al., CVPR 2023): an image or a caption as a set of K embeddings.

Read beside the paper: local features psi and a global one phi of each side go through the set
prediction module (slots that compete for locations), and sets are compared by smooth-Chamfer.
METHODS section 2 has the equations; `heads.set_prediction` the module, `similarity.sets` the score.
Every swap of the paper's ablation is a value here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from facetwise.config import Count, Positive, Weight
from facetwise.encoders import Towers
from facetwise.heads import ElementSet, Projection, SetPrediction, local_projection
from facetwise.models.set_model import SetConfig, SetModel
from facetwise.similarity import NamedSimilarity

__all__ = ["DivE", "DivEConfig"]


@dataclass(frozen=True)
class DivEConfig(SetConfig):
    """What makes a DivE model; the paper's values (METHODS 2.1, 2.5) unless said otherwise."""

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
    dropout: float = 0.1
    """In the set prediction module."""
    global_weight: Weight = 1.0
    """Of the global feature in each element."""
    slot_gain: float = 0.3
    """Where the gain of LN(E_T) starts; 1 in the paper."""


class DivE(SetModel):
    """Local and global features of both sides to sets of K unit vectors."""

    config: DivEConfig

    def __init__(
        self, config: DivEConfig, towers: Towers, generator: torch.Generator | None = None
    ) -> None:
        super().__init__(config, towers, generator)
        c = config
        shared = {"hidden": c.hidden, "dropout": c.feature_dropout, "generator": generator}
        self.image_global = Projection(self.image.global_width, c.dim, **shared)
        self.image_local = local_projection(
            self.image.local_width, c.dim, dropout=c.feature_dropout, generator=generator
        )
        self.image_head = self._head(positions=False, generator=generator)
        self.text_global = Projection(self.text.global_width, c.dim, **shared)
        self.text_local = local_projection(
            self.text.local_width, c.dim, dropout=c.feature_dropout, generator=generator
        )
        self.text_head = self._head(positions=True, generator=generator)

    @property
    def K(self) -> int:
        """Elements of a set."""
        return self.config.K

    @property
    def similarity(self) -> NamedSimilarity:
        """Smooth-Chamfer."""
        return NamedSimilarity("smooth_chamfer", {"alpha": self.config.alpha})

    @property
    def starts(self) -> tuple[Projection, Projection]:
        """The global projections."""
        return self.image_global, self.text_global

    def module_parameters(self) -> Iterator[nn.Parameter]:
        """Of the two heads and their local features."""
        for part in (self.image_local, self.image_head, self.text_local, self.text_head):
            yield from part.parameters()

    def image_set(self, psi: Tensor, phi: Tensor, mask: Tensor | None) -> ElementSet:
        """Psi (B, N, C), phi (B, P) -> sets (B, K, D), attention (B, K, N)."""
        out: ElementSet = self.image_head(self.image_local(psi), self.image_global(phi), mask)
        return out

    def text_set(self, psi: Tensor, phi: Tensor, mask: Tensor) -> ElementSet:
        """Psi (B, L, C), phi (B, P) -> sets (B, K, D), attention (B, K, L)."""
        out: ElementSet = self.text_head(self.text_local(psi), self.text_global(phi), mask)
        return out

    def _head(self, *, positions: bool, generator: torch.Generator | None) -> nn.Module:
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
