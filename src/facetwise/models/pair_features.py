"""Frozen global features as a pair model's head sees them: weighed, and without their type's mean.

The same for PAN and for its siamese rival, so that the two are compared at equal features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facetwise.encoders import DimensionNorm, PartNorm
from facetwise.models.pair_model import Known
from facetwise.models.typed_head import TypeMeans

__all__ = ["PairFeatures", "Standardise"]

Standardise = Literal["weighed", "parts", "dimensions"]


class PairFeatures(nn.Module):
    """(N, P) global features -> (N, P), rows of length 1 (as they are with ``dimensions``).

    Args:
        parts: widths of the parts.
        how: ``parts`` centres each and scales it to length 1, ``weighed`` also weighs them by what
            the training labels say (`PartNorm.weigh`), ``dimensions`` scales every dimension to
            unit variance, as the paper does (METHODS 1.5).
        types: T; above 0 each type's mean is taken away (FIELDNOTES, PAN 8).
    """

    def __init__(self, parts: Sequence[int], how: Standardise, types: int = 0) -> None:
        super().__init__()
        self.how = how
        self.norm = DimensionNorm(parts) if how == "dimensions" else PartNorm(parts)
        self.means = TypeMeans(sum(parts), types) if types else None

    @torch.no_grad()
    def fit(self, x: Tensor, known: Known, generator: torch.Generator | None = None) -> None:
        """Take the statistics of the training pictures, (N, P), and of their types."""
        self.norm.fit(x)
        if self.how == "weighed" and known.labels is not None and isinstance(self.norm, PartNorm):
            self.norm.weigh(x, known.labels, generator)
        if self.means is not None:
            self.means.fit(self.norm(x), known.types)

    def forward(self, x: Tensor, known: Known = Known()) -> Tensor:
        """x: (N, P) -> (N, P)."""
        out: Tensor = self.norm(x)
        if self.means is None:
            return out
        return F.normalize(self.means(out, known.types), dim=-1)

    def untrained(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The last layer and all features with equal weights, both before any training."""
        if isinstance(self.norm, PartNorm):
            parts = self.norm.parts(x)
            return parts[0], F.normalize(torch.cat(parts, -1), dim=-1)
        out: Tensor = self.norm(x)
        return out[:, : self.norm.widths[0]], out
