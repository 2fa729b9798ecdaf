"""VSE-infinity (Chen et al., CVPR 2021): one vector, pooled in a way that is learned.

Local features of each side are sorted, dimension by dimension, and summed with weights that a small
GRU makes of rank and set size alone (`heads.gpo`, METHODS 3.2): something between the mean and the
maximum. Cosine; hardest-negative triplets as VSE++.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from facetwise.config import Weight
from facetwise.encoders import Towers
from facetwise.heads import GPO, ElementSet, Projection
from facetwise.models.parts import JoinedGlobal, global_projections, local_features
from facetwise.models.set_model import SetConfig, SetModel
from facetwise.models.vse import one_vector
from facetwise.similarity import NamedSimilarity

__all__ = ["VSEInfinity", "VSEInfinityConfig"]


@dataclass(frozen=True)
class VSEInfinityConfig(SetConfig):
    """What makes a VSE-infinity model."""

    local_mlp: bool = False
    """A residual MLP on local features of images; in the paper for regions, not for grids."""
    global_weight: Weight = 1.0
    """Of the global feature beside what is pooled; 0 in the paper, whose towers are trained."""
    local_gain: float = 0.3
    """Where the gain of what is pooled starts, beside the global feature."""


class VSEInfinity(SetModel):
    """Local features of both sides to one unit vector."""

    config: VSEInfinityConfig

    def __init__(
        self, config: VSEInfinityConfig, towers: Towers, generator: torch.Generator | None = None
    ) -> None:
        super().__init__(config, towers, generator)
        c = config
        self.image_local = local_features(
            c, self.image.local_width, mlp=c.local_mlp, generator=generator
        )
        self.text_local = local_features(c, self.text.local_width, generator=generator)
        self.image_pool, self.text_pool = GPO(generator=generator), GPO(generator=generator)
        self.image_global: Projection | None = None
        self.text_global: Projection | None = None
        if c.global_weight:
            self.image_global, self.text_global = global_projections(c, towers, generator)
            self.image_join, self.text_join = (
                JoinedGlobal(c.dim, weight=c.global_weight, gain=c.local_gain) for _ in towers
            )

    @property
    def similarity(self) -> NamedSimilarity:
        """Cosine: the average of one pair."""
        return NamedSimilarity("average")

    @property
    def starts(self) -> tuple[Projection, Projection] | None:
        """The global projections, where there are any."""
        if self.image_global is None or self.text_global is None:
            return None
        return self.image_global, self.text_global

    def image_set(self, psi: Tensor, phi: Tensor, mask: Tensor | None) -> ElementSet:
        """Psi (B, N, C), phi (B, P) -> sets (B, 1, D), attention (B, 1, N) by counts."""
        v, attention = _pooled(self.image_pool, self.image_local(psi), mask)
        if self.image_global is not None:
            v = self.image_join(v, self.image_global(phi))
        return one_vector(v, attention)

    def text_set(self, psi: Tensor, phi: Tensor, mask: Tensor) -> ElementSet:
        """Psi (B, L, C), phi (B, P) -> sets (B, 1, D), attention (B, 1, L)."""
        v, attention = _pooled(self.text_pool, self.text_local(psi), mask)
        if self.text_global is not None:
            v = self.text_join(v, self.text_global(phi))
        return one_vector(v, attention)


def _pooled(pool: nn.Module, psi: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Psi (B, N, D) -> the pooled (B, D) and how each location counted (B, N)."""
    assert isinstance(pool, GPO)
    v, theta = pool(psi, mask)
    # In training nobody looks at it, and it means to sort once more.
    return v, theta if pool.training else pool.shares(psi, mask)
