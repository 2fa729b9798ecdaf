"""Slot Attention (Locatello et al., NeurIPS 2020) as an image-text system, DivE's rival.

The same features and similarity as DivE; slots are drawn from a learned Gaussian and updated by a
GRU instead of learned and summed up (METHODS 2.3, 3.9; `heads.slot_attention`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from facetwise.config import Count, Positive, Weight
from facetwise.encoders import Towers
from facetwise.heads import ElementSet, Projection, SlotAttention
from facetwise.models.parts import global_projections, local_features
from facetwise.models.set_model import SetConfig, SetModel
from facetwise.similarity import NamedSimilarity

__all__ = ["SlotAttentionConfig", "SlotAttentionModel"]


@dataclass(frozen=True)
class SlotAttentionConfig(SetConfig):
    """What makes such a model; the head's values are those of Slot Attention's paper."""

    K: Count = 4
    """Elements of a set; as DivE's (METHODS 2.1)."""
    T: Count = 3
    """Rounds."""
    alpha: Positive = 16.0
    """Sharpness of smooth-Chamfer, as DivE's (METHODS 2.5)."""
    global_weight: Weight = 1.0
    """Of the global feature in each element, as DivE's; Slot Attention itself has none."""
    direct: tuple[Literal["image", "text"], ...] = ()
    """Sides whose local features the head reads as the towers give them, as DivE."""
    slot_gain: float = 0.3
    """Where the gain of LN(E_T) starts, as DivE's; 1 in the paper."""


class SlotAttentionModel(SetModel):
    """Local and global features of both sides to sets of K unit vectors."""

    config: SlotAttentionConfig

    def __init__(
        self, config: SlotAttentionConfig, towers: Towers, generator: torch.Generator | None = None
    ) -> None:
        super().__init__(config, towers, generator)
        c = config
        self.image_global, self.text_global = global_projections(c, towers, generator)
        sides = (("image", self.image.local_width, False), ("text", self.text.local_width, True))
        self.image_local, self.text_local = (
            local_features(c, width, direct=side in c.direct, generator=generator)
            for side, width, _ in sides
        )
        self.image_head, self.text_head = (
            SlotAttention(
                c.dim,
                width if side in c.direct else c.dim,
                K=c.K,
                T=c.T,
                positions=positions,
                global_weight=c.global_weight,
                slot_gain=c.slot_gain,
                generator=generator,
            )
            for side, width, positions in sides
        )

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
