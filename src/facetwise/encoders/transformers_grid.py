"""A whole vision model of transformers as a tower that is trained, from pixels on."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

from facetwise.encoders.augment import crop_and_flip
from facetwise.encoders.features import ImageFeatures
from facetwise.encoders.standardise import GridNorm, PartNorm
from facetwise.encoders.towers import ImageTower
from facetwise.encoders.vision import VisionNetwork

__all__ = ["TransformersGrid"]

_PICTURES = 128
"""Whose grids are enough for the statistics."""


class TransformersGrid(ImageTower):
    """Pixels to the model's last grid and its global feature, both standardised.

    Statistics of batch normalisation stay as they were pretrained (METHODS 2.7, 3.2): batches here
    are small, and their pictures alike. All other weights are trained.

    Args:
        source: a folder with config.json and model.safetensors, or a name on the hub.
        pixels: width and height of the pictures.
        crop, flip: in training, of the pixels; see `crop_and_flip`.

    Raises:
        InputError: as `VisionNetwork.pretrained`.
    """

    trained = True

    def __init__(self, source: str, pixels: int, *, crop: float = 1.0, flip: bool = False) -> None:
        super().__init__()
        self.network = VisionNetwork.pretrained(source, pixels).requires_grad_(True)
        self.crop, self.flip = crop, flip
        self.local_width = self.network.grid_shape[0]
        self.global_width = self.network.pooled_width
        self.grid_norm = GridNorm(self.local_width)
        self.norm = PartNorm((self.global_width,))

    @torch.no_grad()
    def fit(self, features: ImageFeatures) -> None:
        step = max(1, -(-len(features.grid) // _PICTURES))
        before = self.training
        self.eval()
        given = [self.network(part) for part in features.grid[::step].split(16)]
        self.train(before)
        self.grid_norm.fit(torch.cat([grid for grid, _ in given]))
        self.norm.fit(features.pooled)
        # Of a network that was trained before (VirTex) the means are others than the encoder's.
        own = torch.cat([pooled for _, pooled in given])
        self.norm.mean += own.mean(0) - features.pooled[::step].mean(0)

    def prepare(self, features: ImageFeatures) -> tuple[Tensor, Tensor]:
        """The pixels, and nothing: the global feature is the trained model's own."""
        return features.grid, features.pooled[:, :0]

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """a: (B, 3, pixels, pixels) uint8, b: (B, 0) -> psi (B, H * W, C) and phi (B, P)."""
        x = a.float()
        if self.training:
            x = crop_and_flip(x, crop=self.crop, flip=self.flip)
        grid, pooled = self.network(x)
        return self.grid_norm(grid), self.norm(pooled) * self.global_width**0.5

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
        return self
