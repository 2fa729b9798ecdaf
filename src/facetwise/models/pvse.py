"""PVSE (Song & Soleymani, CVPR 2019): K embeddings by K attentions, compared by their best pair.

PIE-Net (`heads.pie_net`, METHODS 3.4) adds to the global feature what each attention finds among
the local ones. The similarity, MIL, is the highest of the K x K cosines: a match of one meaning is
a match. The paper trains by hardest-negative triplets, 0.01 MMD and 0.1 diversity.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from facetwise.config import Count, Share
from facetwise.encoders import Towers
from facetwise.heads import ElementSet, LocalDropout, PIENet, Projection
from facetwise.losses import gram_diversity
from facetwise.models.parts import global_projections
from facetwise.models.set_model import SetConfig, SetModel
from facetwise.similarity import NamedSimilarity

__all__ = ["PVSE", "PVSEConfig"]


@dataclass(frozen=True)
class PVSEConfig(SetConfig):
    """What makes a PVSE model (METHODS 3.4)."""

    K: Count = 2
    """Elements of a set; 2 in the paper on COCO."""
    dropout: Share = 0.0
    """Of the residuals; 0 in the paper."""


class PVSE(SetModel):
    """Local and global features of both sides to sets of K unit vectors."""

    config: PVSEConfig

    def __init__(
        self, config: PVSEConfig, towers: Towers, generator: torch.Generator | None = None
    ) -> None:
        super().__init__(config, towers, generator)
        self.image_global, self.text_global = global_projections(config, towers, generator)
        self.image_dropout, self.text_dropout = (
            LocalDropout(config.feature_dropout) for _ in towers
        )
        self.image_head, self.text_head = (
            PIENet(
                config.dim,
                tower.local_width,
                K=config.K,
                dropout=config.dropout,
                generator=generator,
            )
            for tower in towers
        )

    @property
    def K(self) -> int:
        """Elements of a set."""
        return self.config.K

    @property
    def similarity(self) -> NamedSimilarity:
        """MIL: the best pair."""
        return NamedSimilarity("max_pair")

    @property
    def starts(self) -> tuple[Projection, Projection]:
        """The global projections."""
        return self.image_global, self.text_global

    def module_parameters(self) -> Iterator[nn.Parameter]:
        """Of the two heads."""
        yield from self.image_head.parameters()
        yield from self.text_head.parameters()

    def penalty(self, name: str, x: ElementSet, y: ElementSet) -> Tensor | None:
        """``diversity`` is the norm of the residuals' Gram matrix off the diagonal (3.4)."""
        if name == "diversity" and self.K > 1:
            return gram_diversity(x.slots) + gram_diversity(y.slots)
        return super().penalty(name, x, y)

    def image_set(self, psi: Tensor, phi: Tensor, mask: Tensor | None) -> ElementSet:
        """Psi (B, N, C), phi (B, P) -> sets (B, K, D), attention (B, K, N)."""
        out: ElementSet = self.image_head(self.image_dropout(psi), self.image_global(phi), mask)
        return out

    def text_set(self, psi: Tensor, phi: Tensor, mask: Tensor) -> ElementSet:
        """Psi (B, L, C), phi (B, P) -> sets (B, K, D), attention (B, K, L)."""
        out: ElementSet = self.text_head(self.text_dropout(psi), self.text_global(phi), mask)
        return out
