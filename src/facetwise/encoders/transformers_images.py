"""Any vision model of transformers as an image encoder: frozen, or the start of a tuned one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from facetwise.encoders.features import ImageFeatures
from facetwise.encoders.hub import short_name, weights_hash
from facetwise.encoders.squares import square
from facetwise.encoders.vision import Preparation, VisionNetwork
from facetwise.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["TransformersImages"]

_LARGEST = torch.finfo(torch.float16).max


@dataclass(frozen=True)
class TransformersImages:
    """A model's last grid and its global feature, or the pixels and its global feature.

    Attributes:
        source: a folder with config.json and model.safetensors, or a name on the hub.
        pixels: width and height that pictures are resized to; a multiple of the model's patch.
        layer: what the grid is: the model's last layer, or the pixels that a tuned model starts
            from (`TransformersGrid`).
    """

    source: str
    pixels: int = 224
    layer: Literal["top", "pixels"] = "top"

    def __post_init__(self) -> None:
        if not 16 <= self.pixels <= 1024:
            raise InputError(f"image pixels must be from 16 to 1024, not {self.pixels}")

    @property
    def name(self) -> str:
        """Name of the feature cache."""
        layer = "" if self.layer == "top" else f"-{self.layer}"
        return f"{short_name(self.source)}{layer}-{self.pixels}"

    @property
    def fingerprint(self) -> str:
        """Hash of the weights and of the way pictures are prepared."""
        return _fingerprint(self.source, self.pixels, f"{self.layer}/1")

    @property
    def grid_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of `ImageFeatures.grid` for one picture."""
        if self.layer == "pixels":
            return (3, self.pixels, self.pixels)
        return _network(self.source, self.pixels).grid_shape

    @property
    def grid_dtype(self) -> torch.dtype:
        """Of the grid."""
        return torch.uint8 if self.layer == "pixels" else torch.float16

    @property
    def parts(self) -> tuple[int, ...]:
        """One: the width of the model's global feature."""
        return (_network(self.source, self.pixels).pooled_width,)

    def prepare(self, picture: Image.Image) -> Tensor:
        """An RGB picture -> (3, pixels, pixels) uint8."""
        return square(picture, self.pixels, resampling=_preparation(self.source).resampling)

    @torch.no_grad()
    def encode(self, prepared: Sequence[Tensor]) -> ImageFeatures:
        """Pictures as `prepare` gives them -> their features, on the device they are on."""
        if not prepared:
            grid = torch.empty(0, *self.grid_shape, dtype=self.grid_dtype)
            return ImageFeatures(grid, torch.empty(0, sum(self.parts)))
        x = torch.stack(list(prepared))
        grid, pooled = _network(self.source, self.pixels).to(x.device)(x)
        if self.layer == "pixels":
            return ImageFeatures(x, pooled)
        return ImageFeatures(grid.clamp(-_LARGEST, _LARGEST).half(), pooled)


@lru_cache(maxsize=2)
def _network(source: str, pixels: int) -> VisionNetwork:
    """One for all encoders of a process: nobody writes to it."""
    return VisionNetwork.pretrained(source, pixels).eval()


@lru_cache(maxsize=2)
def _preparation(source: str) -> Preparation:
    return Preparation.of(source)


@lru_cache(maxsize=8)
def _fingerprint(source: str, pixels: int, what: str) -> str:
    network = _network(source, pixels)
    return weights_hash(network.model, what, str(pixels), str(network.preparation))
