"""SCAN (Lee et al., ECCV 2018): every word attends to the regions, or every region to the words.

An image is the set of its local features, a caption the set of its words, as many as there are:
nothing is pooled before the two meet (METHODS 3.7, `similarity.cross_attention`). Every pair must
be compared in full, which is why these systems rank slowly. Hardest-negative triplets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from facetwise.config import Positive, Share
from facetwise.encoders import Towers
from facetwise.heads import ElementSet
from facetwise.models.parts import local_features
from facetwise.models.set_model import SetConfig, SetModel
from facetwise.similarity import NamedSimilarity

__all__ = ["SCAN", "LocalSets", "SCANConfig"]


@dataclass(frozen=True)
class SCANConfig(SetConfig):
    """What makes a SCAN model (METHODS 3.7); `hidden` plays no part."""

    direction: Literal["t-i", "i-t"] = "t-i"
    """Who attends to whom: texts to images, or images to texts."""
    pooling: Literal["lse", "avg"] = "avg"
    """Of the words' (regions') relevance: log-sum-exp, or mean. By the paper's own table mean is
    better for ``t-i`` on Flickr30K, log-sum-exp on COCO."""
    lambda_1: Positive = 9.0
    """Sharpness of the attention; 9 for ``t-i``, 4 for ``i-t``."""
    lambda_2: Positive = 6.0
    """Sharpness of the log-sum-exp; 6 for ``t-i``, for ``i-t`` 5 (Flickr30K) or 20 (COCO)."""
    leak: Share = 0.0
    """Slope below 0 of the cut before the attention; 0 in the paper, .1 in its code."""


class LocalSets(SetModel):
    """Sets of local features of both sides, one row for each place; rows of zeros are padding."""

    losses: ClassVar[tuple[str, ...]] = ("triplet", "info_nce")

    def __init__(
        self, config: SetConfig, towers: Towers, generator: torch.Generator | None = None
    ) -> None:
        super().__init__(config, towers, generator)
        self.image_local, self.text_local = (
            local_features(config, tower.local_width, generator=generator) for tower in towers
        )

    @property
    def K(self) -> int:
        """0: as many as an image has places."""
        return 0

    def penalty(self, name: str, x: ElementSet, y: ElementSet) -> Tensor | None:
        """None: these are for sets whose elements were chosen."""
        return None

    def image_set(self, psi: Tensor, phi: Tensor, mask: Tensor | None) -> ElementSet:
        """Psi (B, N, C) -> sets (B, N, D), attention (B, N, N): each element is one place."""
        return _local_set(self.image_local(psi), mask)

    def text_set(self, psi: Tensor, phi: Tensor, mask: Tensor) -> ElementSet:
        """Psi (B, L, C) -> sets (B, L, D), attention (B, L, L): each element is one word."""
        return _local_set(self.text_local(psi), mask)


class SCAN(LocalSets):
    """Stacked cross attention over local features."""

    config: SCANConfig

    @property
    def similarity(self) -> NamedSimilarity:
        """Cross attention."""
        c = self.config
        options: dict[str, float | int | str | bool] = {
            "direction": c.direction,
            "pooling": c.pooling,
            "lambda_1": c.lambda_1,
            "lambda_2": c.lambda_2,
            "leak": c.leak,
        }
        return NamedSimilarity("cross_attention", options)


def _local_set(e: Tensor, mask: Tensor | None) -> ElementSet:
    """Local features (B, N, D) as unit rows, zero where there is nothing."""
    rows = F.normalize(e, dim=-1)
    own = torch.eye(e.shape[1], dtype=e.dtype, device=e.device).expand(len(e), -1, -1)
    if mask is not None:
        rows = rows.masked_fill(~mask.unsqueeze(-1), 0)
        own = own.masked_fill(~mask.unsqueeze(-1), 0)
    return ElementSet(rows, rows, own)
