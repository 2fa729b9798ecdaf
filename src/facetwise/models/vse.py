"""VSE++ (Faghri et al., BMVC 2018): one vector for an image, one for a caption, cosine.

As VSE-infinity trains it (METHODS 3.1): a projection of the pooled features of each side, and
hardest-negative triplets after a warm-up with the sum of negatives. The same features, projections
and training as `models.dive` without a set head: what a set adds is the difference of the two.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from facetwise.encoders import Towers
from facetwise.heads import ElementSet, Projection
from facetwise.models.parts import global_projections
from facetwise.models.set_model import SetConfig, SetModel
from facetwise.similarity import NamedSimilarity

__all__ = ["VSE", "VSEConfig", "one_vector"]


@dataclass(frozen=True)
class VSEConfig(SetConfig):
    """What makes a single-vector model."""


class VSE(SetModel):
    """Global features to one unit vector: a set of K = 1."""

    def __init__(
        self, config: VSEConfig, towers: Towers, generator: torch.Generator | None = None
    ) -> None:
        super().__init__(config, towers, generator)
        self.image_global, self.text_global = global_projections(config, towers, generator)

    @property
    def similarity(self) -> NamedSimilarity:
        """Cosine: the average of one pair."""
        return NamedSimilarity("average")

    @property
    def whole_texts(self) -> bool:
        """Words are nothing to it."""
        return True

    @property
    def starts(self) -> tuple[Projection, Projection]:
        """The projections."""
        return self.image_global, self.text_global

    def image_set(self, psi: Tensor, phi: Tensor, mask: Tensor | None) -> ElementSet:
        """Phi (B, P) -> sets (B, 1, D), attention even over the N cells."""
        even = psi.new_full(psi.shape[:2], 1 / psi.shape[1])
        return one_vector(self.image_global(phi), even)

    def text_set(self, psi: Tensor, phi: Tensor, mask: Tensor) -> ElementSet:
        """Phi (B, P) -> sets (B, 1, D), attention even over the words."""
        return one_vector(self.text_global(phi), mask / mask.sum(1, keepdim=True))


def one_vector(v: Tensor, attention: Tensor) -> ElementSet:
    """V (B, D) of any length, attention (B, N) -> sets of one unit vector (B, 1, D)."""
    v = v.unsqueeze(1)
    return ElementSet(F.normalize(v, dim=-1), v, attention.unsqueeze(1))
