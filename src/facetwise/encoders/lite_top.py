"""EfficientNet-Lite0's last blocks as a tower that is trained: from parts to things."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from facetwise.encoders.augment import crop_and_flip
from facetwise.encoders.efficientnet import TOP, EfficientNetLite0
from facetwise.encoders.features import ImageFeatures
from facetwise.encoders.lite import MIDDLE, PARTS
from facetwise.encoders.standardise import GridNorm, PartNorm
from facetwise.encoders.towers import ImageTower

__all__ = ["LiteTop"]

_PICTURES = 512
"""Whose grids are enough for the statistics."""

_BELOW_ROOT = 1e-5
"""Added to a channel's mean before the root, whose slope at 0 is infinite."""


class LiteTop(ImageTower):
    """Blocks 11 to 15 and the last layer, trained, over the frozen outputs of block 10.

    It starts as the pretrained network, batch normalisation folded into the convolutions: phi as
    `FrozenGrid` gives it, psi the same cells with all of their 1,280 channels. Of phi the part of
    the last layer is trained with it, the frozen parts of the other layers stay.

    Args:
        crop, flip: in training, of the middle grid; see `crop_and_flip`.
    """

    trained = True

    def __init__(self, *, crop: float = 1.0, flip: bool = False) -> None:
        super().__init__()
        network = EfficientNetLite0.pretrained().requires_grad_(True)
        self.crop, self.flip = crop, flip
        self.blocks = network.blocks[MIDDLE + 1 :]
        self.head = network.head
        self.grid_norm = GridNorm(TOP)
        self.norm = PartNorm(PARTS)
        self.local_width = TOP
        self.global_width = sum(PARTS)

    @torch.no_grad()
    def fit(self, features: ImageFeatures) -> None:
        step = max(1, -(-len(features.grid) // _PICTURES))
        parts = features.grid[::step].split(64)
        grid = torch.cat([self._top(part.float()) for part in parts])
        self.grid_norm.fit(grid)
        self.norm.fit(features.pooled)
        # Of blocks that were trained before (VirTex) the means are others than the encoder's.
        moved = self._root(grid).mean(0) - features.pooled[::step, : PARTS[0]].mean(0)
        self.norm.mean[: PARTS[0]] += moved

    def prepare(self, features: ImageFeatures) -> tuple[Tensor, Tensor]:
        return features.grid, features.pooled[:, PARTS[0] :]

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """a: (B, 112, 2H, 2W), b: (B, 280) -> psi (B, H * W, 1280) and phi (B, 1560)."""
        x = a.float()
        if self.training:
            x = crop_and_flip(x, crop=self.crop, flip=self.flip)
        grid = self._top(x)
        phi = self.norm(torch.cat([self._root(grid), b], 1)) * self.global_width**0.5
        return self.grid_norm(grid), phi

    def _top(self, x: Tensor) -> Tensor:
        # Channels last: a step on a CPU takes two thirds of the time.
        x = x.contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            x = block(x)
        return F.relu6(self.head(x))

    @staticmethod
    def _root(grid: Tensor) -> Tensor:
        """(B, 1280, H, W) -> (B, 1280), as the encoder pools its last layer."""
        return (grid.mean((2, 3), dtype=torch.float32) + _BELOW_ROOT).sqrt()
