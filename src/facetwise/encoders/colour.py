"""A histogram of a picture's colours, as one more part of its global features.

Networks that tell things apart forget what colour they are: of two product photos with one base
colour ours knows little (FIELDNOTES, PAN 7: retrieval by type and colour gains nine points from a
histogram). It needs no network, so that it costs next to nothing beside one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
import torch.nn.functional as F
from torch import Tensor

from facetwise.encoders.features import ImageEncoder, ImageFeatures

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["BINS", "ColourEncoder", "colour_histogram"]

_CUBE: Final = 4
"""Steps of red, of green and of blue."""

_HUES: Final = 12
_GREYS: Final = 8
_PALE: Final = 40 / 255
"""Pixels that are less saturated, or darker, are grey: their hue says nothing."""

BINS: Final = _CUBE**3 + _GREYS + 2 * _HUES
"""Width of the part: a cube of red, green and blue, greys, and hues in two lightnesses."""

_SIDE: Final = 64
"""Of the picture that is counted: finer than that is texture, not colour."""


@dataclass(frozen=True)
class ColourEncoder:
    """Another encoder, whose global features get one more part: the square roots of a histogram.

    Attributes:
        inner: whose features the others are; its squares are RGB bytes.
    """

    inner: ImageEncoder

    @property
    def name(self) -> str:
        """Of the feature cache."""
        return f"{self.inner.name}-colour"

    @property
    def fingerprint(self) -> str:
        """Of the inner encoder's and of the way colours are counted."""
        counted = f"{self.inner.fingerprint}/colour-{_CUBE}-{_HUES}-{_GREYS}-{_SIDE}/1"
        return hashlib.blake2b(counted.encode(), digest_size=16).hexdigest()

    @property
    def grid_shape(self) -> tuple[int, int, int]:
        """As the inner encoder's."""
        return self.inner.grid_shape

    @property
    def grid_dtype(self) -> torch.dtype:
        """As the inner encoder's."""
        return self.inner.grid_dtype

    @property
    def parts(self) -> tuple[int, ...]:
        """The inner encoder's, then the histogram."""
        return (*self.inner.parts, BINS)

    def prepare(self, picture: Image.Image) -> Tensor:
        """As the inner encoder's: (3, height, width) uint8."""
        return self.inner.prepare(picture)

    def encode(self, prepared: Sequence[Tensor]) -> ImageFeatures:
        """The inner encoder's features and the histogram behind them."""
        grid, pooled = self.inner.encode(prepared)
        if not prepared:
            return ImageFeatures(grid, pooled.new_empty(0, sum(self.parts)))
        counts = colour_histogram(torch.stack(list(prepared)))
        return ImageFeatures(grid, torch.cat([pooled, counts.sqrt()], 1))


def colour_histogram(pictures: Tensor) -> Tensor:
    """Shares of a picture's area: (N, 3, H, W) uint8 RGB -> (N, BINS).

    Every pixel counts once in the cube and once among greys and hues, so a row sums to 2.

    >>> red = torch.tensor([200, 0, 0], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    >>> colour_histogram(red).nonzero()[:, 1].tolist()
    [48, 73]
    """
    x = F.adaptive_avg_pool2d(pictures.float(), _SIDE) / 255
    red, green, blue = x.flatten(2).unbind(1)
    steps = (x.flatten(2) * _CUBE).long().clamp_max(_CUBE - 1)
    cube = (steps[:, 0] * _CUBE + steps[:, 1]) * _CUBE + steps[:, 2]
    value = x.flatten(2).amax(1)
    spread = value - x.flatten(2).amin(1)
    apart = spread.clamp_min(1e-6)
    hue = torch.where(
        value == red,
        (green - blue) / apart % 6,
        torch.where(value == green, (blue - red) / apart + 2, (red - green) / apart + 4),
    )
    pale = (spread / value.clamp_min(1e-6) < _PALE) | (value < _PALE)
    grey = (value * _GREYS).long().clamp_max(_GREYS - 1)
    # Half a step on, so that red, at the seam of the circle, is one hue and not two.
    turned = (hue * _HUES / 6 + 0.5).long() % _HUES
    hued = _GREYS + 2 * turned + (value > 0.5)
    places = torch.cat([cube, _CUBE**3 + torch.where(pale, grey, hued)], 1)
    counts = torch.zeros(len(x), BINS).scatter_add_(1, places, torch.ones(places.shape))
    return counts / _SIDE**2
