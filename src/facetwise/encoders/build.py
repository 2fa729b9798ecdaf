"""The two encoders of a run, and the towers that go with them, as a recipe names them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Final, Literal, NamedTuple

import torch

from facetwise.config import Count, Share, Within
from facetwise.encoders.adapter import AdaptedGrid
from facetwise.encoders.augment_words import Marks
from facetwise.encoders.build_text import WORD_ENCODERS, text_encoder, text_tower
from facetwise.encoders.colour import ColourEncoder
from facetwise.encoders.features import ImageEncoder, TextEncoder
from facetwise.encoders.lite import LiteEncoder
from facetwise.encoders.lite_top import LiteTop
from facetwise.encoders.regions import REGIONS, RegionFile, RegionTower
from facetwise.encoders.towers import FrozenGrid, ImageTower, TextTower
from facetwise.encoders.transformers_grid import TransformersGrid
from facetwise.encoders.transformers_images import TransformersImages
from facetwise.encoders.words import vocabulary_of
from facetwise.errors import InputError

__all__ = ["LITE", "EncoderConfig", "Encoders", "Towers"]

LITE: Final = "efficientnet-lite0"
"""The image encoder that comes with pip."""


@dataclass(frozen=True)
class EncoderConfig:
    """Which encoders, and whether they are trained."""

    image: str = LITE
    """``efficientnet-lite0``; a vision model of transformers: a folder, or a name on the hub; or
    ``regions``, pre-computed ones of a collection that was imported with them."""
    pixels: int = 160
    """Width and height of what the image encoder sees; a multiple of 32 (of its patch)."""
    colour: bool = False
    """Whether a histogram of the picture's colours is one more part of its global features: ours,
    for things that are told apart by colour, too. Of pictures and frozen networks only."""
    components: Count = 256
    """Principal components kept of a frozen grid's channels: ours, for speed. As many as
    regions are wide leave those as they are, and on the disk."""
    regions: Count = 36
    """Of an image (METHODS 4.7)."""
    region_width: Count = 2048
    """Of a region's features (METHODS 4.7)."""
    text: str = "minilm"
    """``minilm``, ``glove`` or ``words`` (a Bi-GRU over word vectors, trained, from GloVe or from
    scratch), or a text model of transformers: a folder, or a name on the hub."""
    max_tokens: Annotated[int, Within(4, 512)] = 64
    """Longer texts are cut."""
    text_global: Literal["usual", "mean", "max", "first", "last", "last_place", "model"] = "usual"
    """phi of a text. Of a Bi-GRU ``last`` (usual: METHODS T-20), ``last_place`` (as in PVSE's
    code), ``max`` or ``mean``; else ``mean`` (usual) or ``max`` of the tokens, the ``first``
    (BERT's CLS), the ``last``, or the ``model``'s own output (CLIP, SigLIP)."""
    text_local: Literal["words", "states"] = "words"
    """psi of a Bi-GRU: the words' vectors (METHODS T-21) or its states."""
    text_dropout: Share = 0.1
    """Of the words' vectors and of the Bi-GRU's states (METHODS 2.4)."""
    gru_hidden: Count = 1024
    """Of the Bi-GRU, in each direction (METHODS 2.4)."""
    gru_directions: Literal["averaged", "concatenated"] = "averaged"
    """Of the Bi-GRU: ``averaged`` in DivE and VSE-infinity, ``concatenated`` in PVSE and PCME."""
    word_width: Count = 300
    """Of a word's vector from scratch (METHODS 3.2); GloVe's have 50, the papers' 300."""
    word_vectors: Literal["tuned", "fixed"] = "tuned"
    """Whether the words' vectors are trained with the Bi-GRU (METHODS 2.4)."""
    word_least: Count = 1
    """Rarer words of the training texts are unknown: ours, the papers name no number."""
    tune: tuple[Literal["image", "text"], ...] = ()
    """Towers that are trained with the heads; of EfficientNet the blocks after the tenth."""
    adapter: Annotated[int, Within(0)] = 0
    """Inner width of a residual MLP over the frozen grid, trained in place of the network; 0: none.
    Ours, for a laptop."""
    crop: Annotated[float, Within(0, 1, above=True)] = 1.0
    """A trained image tower sees windows whose sides are from this share of the picture's up to
    all of it; 1: the whole picture. .6 in VSE-infinity."""
    flip: bool = False
    """A trained image tower sees half of the pictures mirrored, as in VSE-infinity; not ours where
    texts tell left from right."""


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
        if config.text not in WORD_ENCODERS:
            return cls(config)
        return cls(config, vocabulary_of(texts, config.word_least))

    @cached_property
    def images(self) -> ImageEncoder:
        """Of pictures."""
        c = self.config
        if not c.colour:
            return self._plain_images
        if c.image == REGIONS or "image" in c.tune:
            raise InputError(
                "[encoders] colour: is for pictures and a network that is not trained; write "
                "colour = false, or take image out of tune"
            )
        return ColourEncoder(self._plain_images)

    @cached_property
    def _plain_images(self) -> ImageEncoder:
        c = self.config
        if c.image == LITE:
            return LiteEncoder(c.pixels, "middle" if "image" in c.tune else "top")
        if c.image == REGIONS:
            if "image" in c.tune:
                raise InputError("regions have no network to train; leave image out of tune")
            return RegionFile(c.regions, c.region_width)
        return TransformersImages(c.image, c.pixels, "pixels" if "image" in c.tune else "top")

    @cached_property
    def texts(self) -> TextEncoder:
        """Of texts."""
        return text_encoder(self.config, self.vocabulary)

    @property
    def marks(self) -> Marks | None:
        """Of the texts' tokens, for `augment_texts`; None of frozen features."""
        return getattr(self.texts, "marks", None)

    def towers(self, generator: torch.Generator | None = None) -> Towers:
        """New ones, trained ones as the encoder's weights are, the rest at random."""
        image = self._image_tower(generator)
        return Towers(image, text_tower(self.config, self.texts, generator))

    def _image_tower(self, generator: torch.Generator | None) -> ImageTower:
        c = self.config
        if c.image == REGIONS and not c.adapter and c.components >= c.region_width:
            return RegionTower(c.region_width)
        if "image" not in c.tune:
            frozen = FrozenGrid(self.images.grid_shape[0], self.images.parts, c.components)
            return AdaptedGrid(frozen, c.adapter, generator) if c.adapter else frozen
        if c.image == LITE:
            return LiteTop(crop=c.crop, flip=c.flip)
        return TransformersGrid(c.image, c.pixels, crop=c.crop, flip=c.flip)
