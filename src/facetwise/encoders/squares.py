"""Pictures as squares of bytes: what image encoders start from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["square"]


def square(picture: Image.Image, pixels: int, *, resampling: int | None = None) -> Tensor:
    """An RGB picture -> (3, pixels, pixels) uint8.

    It is squeezed into the square rather than cropped: a product photo's edge matters.

    Args:
        picture: RGB.
        pixels: width and height.
        resampling: Pillow's number of the way to resample; bilinear if left out.
    """
    from PIL import Image

    way = Image.Resampling.BILINEAR if resampling is None else Image.Resampling(resampling)
    if picture.size != (pixels, pixels):
        picture = picture.resize((pixels, pixels), way, reducing_gap=3.0)
    return torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)
