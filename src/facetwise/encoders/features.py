"""What encoders give: features of pictures and of texts, and what every encoder must offer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch
from torch import Tensor

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["ImageEncoder", "ImageFeatures", "TextEncoder", "TextFeatures", "masked_mean"]

_ROWS = 1024


class ImageFeatures(NamedTuple):
    """Features of N pictures."""

    grid: Tensor
    """(N, C, H, W): local features, place by place, float16; for a tower that is trained whatever
    it starts from (a middle layer, or pixels in uint8). Regions have W = 1."""
    pooled: Tensor
    """(N, sum(parts)) float32: global features, part by part; not normalised."""


class TextFeatures(NamedTuple):
    """Features of M texts, padded to the longest."""

    tokens: Tensor
    """(M, L, C) float16, token by token; for a tower that is trained the tokens' numbers (M, L),
    int64, padded with 0."""
    mask: Tensor
    """(M, L) bool: true where there is a token."""
    words: list[list[str]]
    """The tokens as one would read them."""


class ImageEncoder(Protocol):
    """Pictures to features, frozen: what it gives of a picture is computed once and kept."""

    @property
    def name(self) -> str:
        """Of the feature cache: letters, digits, ``-`` and ``.``; unlike that of any other."""

    @property
    def fingerprint(self) -> str:
        """Hash of the weights and of the way pictures are prepared."""

    @property
    def grid_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of `ImageFeatures.grid` for one picture."""

    @property
    def grid_dtype(self) -> torch.dtype:
        """Of the grid: float16, or uint8 for pixels."""

    @property
    def parts(self) -> tuple[int, ...]:
        """Widths of the parts of `ImageFeatures.pooled`; the first is the network's last layer."""

    def prepare(self, picture: Image.Image) -> Tensor:
        """An RGB picture -> (3, height, width) uint8."""

    def encode(self, prepared: Sequence[Tensor]) -> ImageFeatures:
        """Pictures as `prepare` gives them -> their features."""


class TextEncoder(Protocol):
    """Texts to features of their tokens, frozen."""

    @property
    def name(self) -> str:
        """Of the feature cache."""

    @property
    def fingerprint(self) -> str:
        """Hash of the weights and of the way texts are cut."""

    @property
    def width(self) -> int:
        """C of `TextFeatures.tokens`; 0 if these are numbers of tokens."""

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The words it knows, if they were taken from the training texts; else empty."""

    def words(self, texts: Sequence[str]) -> list[list[str]]:
        """The tokens of each text; cheap, no features are computed."""

    def encode(self, texts: Sequence[str]) -> TextFeatures:
        """Texts -> their features; the empty text has at least one token."""


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean of the real rows. x: (B, N, C), mask: (B, N) -> (B, C), in float32 at least.

    >>> masked_mean(torch.tensor([[[1.0], [3.0], [9.0]]]), torch.tensor([[True, True, False]]))
    tensor([[2.]])
    """
    # In pieces: all texts of a collection at once, in float32, would not fit into a laptop.
    pieces = zip(x.split(_ROWS), mask.split(_ROWS), strict=True)
    return torch.cat([_masked_mean(*piece) for piece in pieces])


def _masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    x = x if x.dtype == torch.float64 else x.float()
    weight = mask.unsqueeze(-1).to(x.dtype)
    return (x * weight).sum(1) / weight.sum(1).clamp_min(1)
