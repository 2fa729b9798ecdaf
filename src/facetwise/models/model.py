"""Model: a set model, a pair model, or both, over the same frozen encoders; what a run holds."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from facetwise.config import settings
from facetwise.data.images import decode, upright
from facetwise.encoders import (
    Encoders,
    ImageEncoder,
    ImageFeatures,
    RegionFile,
    TextEncoder,
    image_features,
    text_features,
)
from facetwise.errors import InputError
from facetwise.models.claims import agreeing
from facetwise.models.embedding import ImageEmbedding, TextEmbedding, joined, padded
from facetwise.models.known import known_of
from facetwise.models.pair_model import Condition, Known, PairModel
from facetwise.models.set_model import SetModel
from facetwise.similarity import NamedSimilarity, PairScore, PairSimilarity, score_matrix

if TYPE_CHECKING:
    from PIL import Image

    from facetwise.data import Collection

__all__ = ["Model"]

_BATCH = 256
"""Features that go through the heads at once."""

_TEXTS = 4096
"""Texts whose kept features are read at once, 100 MB of them."""

_PICTURES = 64
"""Pictures that go through the encoder at once: its first layers are large."""


class Model:
    """What `fit` makes and `load` opens: encodes images and texts, and compares them.

    Args:
        encoders: of pictures and texts.
        sets: the set model, if any.
        pairs: the pair model, if any.
        trained_on: hashes of the pictures that were seen in training, so that nobody evaluates on
            them by mistake.
        name: of the run, for titles.
    """

    def __init__(
        self,
        encoders: Encoders,
        *,
        sets: SetModel | None,
        pairs: PairModel | None,
        trained_on: frozenset[str] = frozenset(),
        name: str = "",
    ) -> None:
        if sets is None and pairs is None:
            raise InputError("a model needs a set model or a pair model")
        self.encoders = encoders
        self.sets = None if sets is None else sets.eval().requires_grad_(False)
        self.pairs = None if pairs is None else pairs.eval().requires_grad_(False)
        self.trained_on = trained_on
        self.name = name

    def __repr__(self) -> str:
        parts = [type(part).__name__ for part in (self.sets, self.pairs) if part is not None]
        return f"Model({' and '.join(parts)}, {self.fingerprint[:12]})"

    # -- what it is -----------------------------------------------------------------------------

    @property
    def has_sets(self) -> bool:
        """Whether texts can be asked."""
        return self.sets is not None

    @property
    def has_pairs(self) -> bool:
        """Whether there are conditions."""
        return self.pairs is not None

    @property
    def image_encoder(self) -> ImageEncoder:
        """Of pictures."""
        return self.encoders.images

    @property
    def text_encoder(self) -> TextEncoder:
        """Of texts."""
        return self.encoders.texts

    @property
    def K(self) -> int:
        """Elements of a picture's set; 0 without a set model."""
        return 0 if self.sets is None else self.sets.K

    @property
    def dim(self) -> int:
        """Width of a set's elements; 0 without a set model."""
        return 0 if self.sets is None else self.sets.dim

    @property
    def similarity_spec(self) -> NamedSimilarity:
        """The set similarity with its options."""
        return self._need_sets().similarity

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Of the pair model; empty without one."""
        return () if self.pairs is None else self.pairs.conditions

    @property
    def pair_similarity(self) -> PairSimilarity | None:
        """How the pair model compares two vectors, if there is one."""
        return None if self.pairs is None else self.pairs.similarity

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all weights and settings, encoders included: equal means equal embeddings."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(self.image_encoder.fingerprint.encode())
        digest.update(self.text_encoder.fingerprint.encode())
        for part in (self.sets, self.pairs):
            if part is None:
                digest.update(b"none")
                continue
            digest.update(f"{type(part).__name__}{settings(part.config)}".encode())
            for name, value in sorted(part.state_dict().items()):
                digest.update(name.encode())
                digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        named = [condition.name for condition in self.conditions]
        types = [] if self.pairs is None else self.pairs.taught.types
        digest.update("|".join([*named, *types]).encode())
        return digest.hexdigest()

    # -- embedding ------------------------------------------------------------------------------

    def encode_images(self, images: Sequence[str | Path | bytes | Image.Image]) -> Tensor:
        """Pictures (paths, files' bytes, PIL images) -> sets (N, K, D), rows of length 1.

        Raises:
            InputError: a picture cannot be read, or the run has no set model.
        """
        self._need_sets()
        sets = self.embed_images(images).sets
        assert sets is not None
        return sets

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Texts -> sets (M, L, D); L = K but where a set has as many rows as the text has words.

        Rows have length 1, rows of zeros are padding.

        Raises:
            InputError: the run has no set model.
        """
        return self.embed_texts(texts).sets

    def similarity(self, x: Tensor, y: Tensor) -> Tensor:
        """The set similarity it was trained with: images x (N, K, D), texts y (M, L, D) -> (N, M).

        It is symmetric but for cross attention, where texts attend to images.
        """
        return score_matrix(x, y, self.similarity_spec)

    def embed_images(self, images: Sequence[str | Path | bytes | Image.Image]) -> ImageEmbedding:
        """Pictures -> everything that is known of them, in one pass of the encoder.

        Raises:
            InputError: a picture cannot be read.
        """
        if isinstance(images, str | bytes | os.PathLike):
            raise InputError("expected a list of pictures, not one picture; put it in brackets")
        parts: list[ImageEmbedding] = []
        for start in range(0, max(len(images), 1), _PICTURES):
            prepared = [
                self.image_encoder.prepare(_picture(image, start + index))
                for index, image in enumerate(images[start : start + _PICTURES])
            ]
            parts.append(self._heads(self.image_encoder.encode(prepared)))
        return joined(parts)

    def embed_collection(
        self, collection: Collection, rows: Sequence[int] | None = None
    ) -> ImageEmbedding:
        """The pictures in `rows` of a collection (all of them by default), by cached features."""
        rows = range(len(collection)) if rows is None else rows
        features = image_features(collection, self.image_encoder, rows)
        return self.embed_features(features, self.known(collection, rows))

    def known(self, collection: Collection, rows: Sequence[int]) -> Known:
        """What the pair model wants to know of a collection's items beside their pictures."""
        if self.pairs is None:
            return Known()
        return known_of(collection, rows, self.pairs.config, self.pairs.taught)

    @torch.no_grad()
    def embed_features(self, features: ImageFeatures, known: Known = Known()) -> ImageEmbedding:
        """Features of frozen encoders, and what else is known of the items -> embeddings.

        Each item by itself: edges between them are for protocols that have some.
        """
        parts: list[ImageEmbedding] = []
        for start in range(0, max(len(features.pooled), 1), _BATCH):
            rows = slice(start, start + _BATCH)
            some = ImageFeatures(features.grid[rows], features.pooled[rows])
            types = None if known.types is None else known.types[rows]
            parts.append(self._heads(some, Known(types)))
        return joined(parts)

    @torch.no_grad()
    def embed_texts(
        self, texts: Sequence[str], *, cached_in: Collection | None = None
    ) -> TextEmbedding:
        """Texts -> sets, what each slot reads, and the tokens.

        Args:
            texts: M of them.
            cached_in: keep their features with this collection.

        Raises:
            InputError: the run has no set model.
        """
        model = self._need_sets()
        if isinstance(texts, str):
            raise InputError(f"expected a list of texts, not one text; write [{texts!r}]")
        sets: list[Tensor] = []
        attention: list[Tensor] = []
        tokens: list[list[str]] = []
        step = _BATCH if cached_in is None else _TEXTS
        for start in range(0, len(texts), step):
            part = texts[start : start + step]
            if cached_in is None:
                features = self.text_encoder.encode(part)
            else:
                features = text_features(cached_in, self.text_encoder, part)
            tokens += features.words
            for local, mask in zip(
                features.tokens.split(_BATCH), features.mask.split(_BATCH), strict=True
            ):
                out = model.texts(local, mask)
                sets.append(out.elements)
                attention += [
                    weights[:, own] for weights, own in zip(out.attention, mask, strict=True)
                ]
        return TextEmbedding(padded(sets, model.K, model.dim), attention, tokens)

    @torch.no_grad()
    def pair_scores(self, h1: Tensor, h2: Tensor) -> PairScore:
        """h1, h2: (P, d) -> score (P,), conditions (P, M), relevance (P, M).

        Raises:
            InputError: the run has no pair model.
        """
        if self.pairs is None:
            raise InputError("this run has no pair model; fit it on groups or attributes")
        return self.pairs(h1, h2)  # type: ignore[no-any-return]

    def agreeing(self, pair: PairScore) -> Tensor:
        """Which conditions say that two pictures agree, (P, M) bool (`models.claims`).

        Raises:
            InputError: the run has no pair model.
        """
        if self.pairs is None:
            raise InputError("this run has no pair model; fit it on groups or attributes")
        return agreeing(self.pairs, pair)

    def save(self, path: str | Path) -> None:
        """Write the model's files (TOML and safetensors) into the directory `path`.

        Raises:
            FacetwiseError: the disk is full.
        """
        from facetwise.models.run import save

        save(self, path)

    # -- inside ---------------------------------------------------------------------------------

    def _need_sets(self) -> SetModel:
        if self.sets is None:
            raise InputError("this run has no set model; fit it on a collection with texts")
        return self.sets

    @torch.no_grad()
    def _heads(self, features: ImageFeatures, known: Known = Known()) -> ImageEmbedding:
        sets = attention = pairs = None
        if self.sets is not None:
            out = self.sets.images(*self.sets.prepare(features))
            sets = out.elements
            if not isinstance(self.image_encoder, RegionFile):  # nobody knows where those lie
                attention = out.attention.unflatten(-1, _places(out.attention.shape[-1], features))
        if self.pairs is not None:
            pairs = self.pairs.embed(self.pairs.prepare(features), known)
        return ImageEmbedding(sets, attention, pairs)


def _places(cells: int, features: ImageFeatures) -> tuple[int, int]:
    """Rows and columns of what slots look at; a trained tower's grid may be coarser than cached."""
    height, width = features.grid.shape[-2:]
    shrunk = max(1, round((height * width / max(cells, 1)) ** 0.5))
    return -(-height // shrunk), -(-width // shrunk)


def _picture(image: str | Path | bytes | Image.Image, index: int) -> Image.Image:
    if isinstance(image, bytes):
        return decode(image, source=f"picture {index + 1}")
    if isinstance(image, str | os.PathLike):
        try:
            data = Path(image).read_bytes()
        except OSError as error:
            raise InputError(f"{image}: {error.strerror or error}; give a picture file") from error
        return decode(data, source=str(image))
    return upright(image, source=f"picture {index + 1}")
