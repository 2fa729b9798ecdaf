"""EfficientNet-Lite0 as an image encoder: how pixels get there, and what it gives of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, Literal

import torch
from torch import Tensor

from facetwise.encoders.efficientnet import WIDTHS
from facetwise.encoders.features import ImageFeatures
from facetwise.encoders.squares import square
from facetwise.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

    from facetwise.encoders.efficientnet import EfficientNetLite0

__all__ = ["MIDDLE", "PARTS", "LiteEncoder"]

PARTS: Final = (1280, 16, 40, 112, 112)
"""Widths of the parts of `ImageFeatures.pooled`: square roots of the last layer's means, then means
of block 0 (colour), block 4 (texture) and block 10 (parts), and maxima of block 10."""

MIDDLE: Final = 10
"""The block after which `LiteTop` goes on; cells of 16 pixels, and parts of things."""

_MEAN, _STD = 0.498, 0.502


@dataclass(frozen=True)
class LiteEncoder:
    """EfficientNet-Lite0 at a square resolution, frozen.

    Attributes:
        pixels: width and height that pictures are resized to; a multiple of 32.
        layer: what the grid is: the last layer, or block 10, where a tower that is trained
            (`LiteTop`) starts. The global features are those of the whole network in either case.
    """

    pixels: int = 160
    layer: Literal["top", "middle"] = "top"

    def __post_init__(self) -> None:
        if self.pixels < 32 or self.pixels % 32 or self.pixels > 1024:
            raise InputError(f"image pixels must be a multiple of 32 up to 1024, not {self.pixels}")

    @property
    def name(self) -> str:
        """Name of the feature cache."""
        layer = "" if self.layer == "top" else f"{self.layer}-"
        return f"efficientnet-lite0-{layer}{self.pixels}"

    @property
    def grid_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of `ImageFeatures.grid` for one picture."""
        cells = self.pixels // 32
        if self.layer == "middle":
            return (WIDTHS[MIDDLE], 2 * cells, 2 * cells)
        return (PARTS[0], cells, cells)

    @property
    def grid_dtype(self) -> torch.dtype:
        """Of the grid."""
        return torch.float16

    @property
    def parts(self) -> tuple[int, ...]:
        """Widths of the parts of the global features."""
        return PARTS

    @property
    def fingerprint(self) -> str:
        """Hash of the weights and the way pictures are prepared."""
        return _fingerprint(f"{self.name}/1")

    def prepare(self, picture: Image.Image) -> Tensor:
        """An RGB picture -> (3, pixels, pixels) uint8, squeezed into the square."""
        return square(picture, self.pixels)

    @torch.no_grad()
    def encode(self, prepared: Sequence[Tensor]) -> ImageFeatures:
        """Pictures as `prepare` gives them -> their features."""
        if not prepared:
            grid = torch.empty(0, *self.grid_shape, dtype=torch.float16)
            return ImageFeatures(grid, torch.empty(0, sum(PARTS)))
        x = (torch.stack(list(prepared)).float() / 255 - _MEAN) / _STD
        grid, kept = _network()(x)
        pooled = [
            grid.mean((2, 3)).sqrt(),  # ReLU6 came before: nothing is negative
            kept[0].mean((2, 3)),
            kept[4].mean((2, 3)),
            kept[MIDDLE].mean((2, 3)),
            kept[MIDDLE].amax((2, 3)),
        ]
        grid = kept[MIDDLE] if self.layer == "middle" else grid
        return ImageFeatures(grid.half(), torch.cat(pooled, 1))


@cache
def _network() -> EfficientNetLite0:
    """One for all encoders of a process: nobody writes to it."""
    from facetwise.encoders.efficientnet import EfficientNetLite0

    return EfficientNetLite0.pretrained()


@cache
def _fingerprint(name: str) -> str:
    digest = hashlib.blake2b(name.encode(), digest_size=16)
    for parameter in _network().parameters():
        digest.update(parameter.detach().numpy().tobytes())
    return digest.hexdigest()
