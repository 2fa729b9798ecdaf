"""The two encoders of a run, and the towers that go with them, as a recipe names them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal, NamedTuple

import torch

from facetwise.config import Count, Within
from facetwise.encoders.features import ImageEncoder, TextEncoder
from facetwise.encoders.lite import LiteEncoder
from facetwise.encoders.minilm import MiniLM
from facetwise.encoders.towers import FrozenGrid, FrozenTokens, ImageTower, TextTower

__all__ = ["EncoderConfig", "Encoders", "Towers"]


@dataclass(frozen=True)
class EncoderConfig:
    """Which encoders, and whether they are trained."""

    image: str = "efficientnet-lite0"
    """``efficientnet-lite0``, or a vision model of transformers: a folder, or a name on the hub."""
    pixels: int = 160
    """Width and height of what the image encoder sees; a multiple of 32 (of its patch)."""
    components: Count = 256
    """Principal components kept of a frozen grid's channels: ours, for speed."""
    text: str = "minilm"
    """``minilm``, ``glove`` or ``words`` (a Bi-GRU over word vectors, trained, from GloVe or from
    scratch), or a text model of transformers: a folder, or a name on the hub."""
    max_tokens: Annotated[int, Within(4, 512)] = 64
    """Longer texts are cut."""
    tune: tuple[Literal["image", "text"], ...] = ()
    """Towers that are trained with the heads; of EfficientNet the blocks after the tenth."""


class Towers(NamedTuple):
    """Of the two sides."""

    image: ImageTower
    text: TextTower


@dataclass(frozen=True)
class Encoders:
    """The frozen encoders that `config` names.

    Attributes:
        config: which.
        vocabulary: of encoders that take their words from the training texts.
    """

    config: EncoderConfig = EncoderConfig()
    vocabulary: tuple[str, ...] = ()

    @classmethod
    def of(cls, config: EncoderConfig, texts: Sequence[str]) -> Encoders:
        """With the words of the training `texts`, where an encoder needs them."""
        return cls(config)

    @cached_property
    def images(self) -> ImageEncoder:
        """Of pictures."""
        return LiteEncoder(self.config.pixels)

    @cached_property
    def texts(self) -> TextEncoder:
        """Of texts."""
        return MiniLM(self.config.max_tokens)

    def towers(self, generator: torch.Generator | None = None) -> Towers:
        """New ones, trained ones as the encoder's weights are, the rest at random."""
        image = FrozenGrid(self.images.grid_shape[0], self.images.parts, self.config.components)
        return Towers(image, FrozenTokens(self.texts.width))
