"""Model: a set model, a pair model, or both, over the same frozen encoders; what a run holds."""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import torch
from torch import Tensor

from facetwise.data.images import decode
from facetwise.encoders import (
    ImageEncoder,
    ImageFeatures,
    TextEncoder,
    image_features,
    text_features,
)
from facetwise.errors import FacetwiseError, InputError, VersionError
from facetwise.files import write_bytes, write_text
from facetwise.models.config import read_config
from facetwise.models.dive import DivE, DivEConfig
from facetwise.models.pan import PAN, Condition, PANConfig
from facetwise.models.vse import VSE, VSEConfig
from facetwise.similarity import ConditionalSimilarity, PairScore, score_matrix

if TYPE_CHECKING:
    from PIL import Image

    from facetwise.data import Collection

__all__ = ["FORMAT", "SET_MODELS", "ImageEmbedding", "Model", "SetModel", "TextEmbedding", "load"]

FORMAT: Final = 1
"""Version of the files in a run."""

MODEL_FILE: Final = "model.toml"
_BATCH = 256

SetModel = DivE | VSE
SET_MODELS: Final[Mapping[str, tuple[Any, Any]]] = {
    "dive": (DivE, DivEConfig),
    "vse": (VSE, VSEConfig),
}
"""Name in a recipe to the set model's class and configuration."""


class ImageEmbedding(NamedTuple):
    """N images under both models; what a run does not have is None."""

    sets: Tensor | None
    """(N, K, D), rows of length 1."""
    attention: Tensor | None
    """(N, K, H, W): where each slot looks; sums to 1 over the cells."""
    pairs: Tensor | None
    """(N, d)."""


class TextEmbedding(NamedTuple):
    """M texts under the set model."""

    sets: Tensor
    """(M, K, D), rows of length 1."""
    attention: list[Tensor]
    """For each text (K, L): which tokens each slot reads; sums to 1."""
    tokens: list[list[str]]
    """The L tokens of each text, first and last markers included."""


class Model:
    """What `fit` makes and `load` opens: encodes images and texts, and compares them.

    Args:
        images: the image encoder.
        texts: the text encoder.
        sets: the set model, if any.
        pairs: the pair model, if any.
        trained_on: hashes of the pictures that were seen in training, so that nobody evaluates on
            them by mistake.
        name: of the run, for titles.
    """

    def __init__(
        self,
        images: ImageEncoder,
        texts: TextEncoder,
        *,
        sets: SetModel | None,
        pairs: PAN | None,
        trained_on: frozenset[str] = frozenset(),
        name: str = "",
    ) -> None:
        if sets is None and pairs is None:
            raise InputError("a model needs a set model or a pair model")
        self.image_encoder, self.text_encoder = images, texts
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
    def K(self) -> int:
        """Elements of a set; 0 without a set model."""
        return 0 if self.sets is None else self.sets.K

    @property
    def dim(self) -> int:
        """Width of a set's elements; 0 without a set model."""
        return 0 if self.sets is None else self.sets.dim

    @property
    def alpha(self) -> float:
        """Sharpness of smooth-Chamfer."""
        return self._need_sets().alpha

    @property
    def set_similarity(self) -> str:
        """Name of the set similarity, as in `similarity.SIMILARITIES`."""
        return self._need_sets().similarity_name

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Of the pair model; empty without one."""
        return () if self.pairs is None else self.pairs.conditions

    @property
    def conditional(self) -> ConditionalSimilarity | None:
        """PAN's similarity over pair features, if there is a pair model."""
        return None if self.pairs is None else self.pairs.conditional

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
            digest.update(f"{type(part).__name__}{asdict(part.config)}".encode())
            for name, value in sorted(part.state_dict().items()):
                digest.update(name.encode())
                digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        digest.update("|".join(condition.name for condition in self.conditions).encode())
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
        """Texts -> sets (M, K, D), rows of length 1.

        Raises:
            InputError: the run has no set model.
        """
        return self.embed_texts(texts).sets

    def similarity(self, x: Tensor, y: Tensor) -> Tensor:
        """The set similarity that the model was trained with: x (N, K, D), y (M, K, D) -> (N, M)."""
        return score_matrix(x, y, self._need_sets().similarity)

    def embed_images(self, images: Sequence[str | Path | bytes | Image.Image]) -> ImageEmbedding:
        """Pictures -> everything that is known of them, in one pass of the encoder.

        Raises:
            InputError: a picture cannot be read.
        """
        parts: list[ImageEmbedding] = []
        for start in range(0, max(len(images), 1), _BATCH):
            prepared = [
                self.image_encoder.prepare(_picture(image, start + index))
                for index, image in enumerate(images[start : start + _BATCH])
            ]
            parts.append(self._heads(self.image_encoder.encode(prepared)))
        return _joined(parts)

    def embed_collection(
        self, collection: Collection, rows: Sequence[int] | None = None
    ) -> ImageEmbedding:
        """The pictures in `rows` of a collection (all of them by default), by cached features."""
        rows = range(len(collection)) if rows is None else rows
        features = image_features(collection, self.image_encoder, rows)
        return self.embed_features(features)

    @torch.no_grad()
    def embed_features(self, features: ImageFeatures) -> ImageEmbedding:
        """Features of frozen encoders -> embeddings."""
        return _joined(
            [
                self._heads(
                    ImageFeatures(
                        features.grid[start : start + _BATCH],
                        features.pooled[start : start + _BATCH],
                    )
                )
                for start in range(0, max(len(features.pooled), 1), _BATCH)
            ]
        )

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
        sets: list[Tensor] = []
        attention: list[Tensor] = []
        tokens: list[list[str]] = []
        for start in range(0, len(texts), _BATCH):
            part = texts[start : start + _BATCH]
            if cached_in is None:
                features = self.text_encoder.encode(part)
            else:
                features = text_features(cached_in, self.text_encoder, part)
            out = model.texts(features.tokens, features.mask)
            sets.append(out.elements)
            attention += [
                weights[:, mask] for weights, mask in zip(out.attention, features.mask, strict=True)
            ]
            tokens += features.words
        empty = torch.empty(0, model.K, model.dim)
        return TextEmbedding(torch.cat(sets) if sets else empty, attention, tokens)

    @torch.no_grad()
    def pair_scores(self, h1: Tensor, h2: Tensor) -> PairScore:
        """h1, h2: (P, d) -> score (P,), conditions (P, M), relevance (P, M).

        Raises:
            InputError: the run has no pair model.
        """
        if self.pairs is None:
            raise InputError("this run has no pair model; fit it on groups or attributes")
        return self.pairs(h1, h2)  # type: ignore[no-any-return]

    # -- files ----------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write the model's files (TOML and safetensors) into the directory `path`."""
        import tomli_w
        from safetensors.torch import save

        path = Path(path)
        path.mkdir(parents=True, exist_ok=True)
        about: dict[str, Any] = {
            "format": FORMAT,
            "name": self.name,
            "fingerprint": self.fingerprint,
            "encoders": {
                "pixels": self.image_encoder.pixels,
                "max_tokens": self.text_encoder.max_tokens,
            },
        }
        if self.sets is not None:
            kind = type(self.sets).__name__.lower()
            about["sets"] = {"model": kind, **asdict(self.sets.config)}
            write_bytes(path / "sets.safetensors", save(_contiguous(self.sets)))
        if self.pairs is not None:
            groups = [c.group for c in self.conditions if c.group is not None]
            about["pairs"] = {"model": "pan", "groups": groups, **asdict(self.pairs.config)}
            write_bytes(path / "pairs.safetensors", save(_contiguous(self.pairs)))
        write_text(path / "seen.txt", "".join(f"{name}\n" for name in sorted(self.trained_on)))
        write_text(path / MODEL_FILE, tomli_w.dumps(about))  # last: without it there is no model

    @classmethod
    def load(cls, path: str | Path) -> Model:
        """Open the model in the directory `path`.

        Raises:
            InputError: it is not there or damaged.
            VersionError: a newer facetwise wrote it.
        """
        path = Path(path)
        about = _read_about(path)
        try:
            encoders = about["encoders"]
            sets: SetModel | None = None
            if "sets" in about:
                options = dict(about["sets"])
                made, config = SET_MODELS[options.pop("model")]
                sets = made(read_config(config, options, path / MODEL_FILE, "sets"))
                _fill(sets, path / "sets.safetensors")
            pairs: PAN | None = None
            if "pairs" in about:
                options = dict(about["pairs"])
                options.pop("model")
                groups = options.pop("groups")
                pairs = PAN(read_config(PANConfig, options, path / MODEL_FILE, "pairs"), groups)
                _fill(pairs, path / "pairs.safetensors")
            seen = (path / "seen.txt").read_text(encoding="utf-8").split()
            model = cls(
                ImageEncoder(encoders["pixels"]),
                TextEncoder(encoders["max_tokens"]),
                sets=sets,
                pairs=pairs,
                trained_on=frozenset(seen),
                name=about["name"],
            )
        except FacetwiseError:
            raise
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{path} is damaged ({type(error).__name__}: {error}); fit it again"
            ) from error
        if model.fingerprint != about["fingerprint"]:
            raise InputError(
                f"{path}: the weights are not those that {MODEL_FILE} was written for (a changed "
                "file, or other weights of an encoder package); fit it again"
            )
        return model

    # -- inside ---------------------------------------------------------------------------------

    def _need_sets(self) -> SetModel:
        if self.sets is None:
            raise InputError("this run has no set model; fit it on a collection with texts")
        return self.sets

    @torch.no_grad()
    def _heads(self, features: ImageFeatures) -> ImageEmbedding:
        sets = attention = pairs = None
        if self.sets is not None:
            out = self.sets.images(*self.sets.prepare(features))
            sets = out.elements
            attention = out.attention.unflatten(-1, tuple(features.grid.shape[-2:]))
        if self.pairs is not None:
            pairs = self.pairs.embed(features.pooled)
        return ImageEmbedding(sets, attention, pairs)


def load(path: str | Path) -> Model:
    """Open a run: the model that `fit` wrote into the directory `path` (safetensors and TOML).

    Raises:
        InputError: it is not there or damaged.
        VersionError: a newer facetwise wrote it.
    """
    return Model.load(path)


def _read_about(path: Path) -> dict[str, Any]:
    file = path / MODEL_FILE
    try:
        about = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        unfinished = (path / "recipe.toml").exists()
        way_out = "its training did not finish: run fit again" if unfinished else "run fit first"
        raise InputError(f"{path} holds no {MODEL_FILE}, so it is no run; {way_out}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{file} cannot be read ({error}); fit the run again") from error
    version = about.get("format")
    if not isinstance(version, int):
        raise InputError(f"{file} has no format number; fit the run again")
    if version > FORMAT:
        raise VersionError(
            f"{path} was written by a newer facetwise (format {version}, this one reads up to "
            f"{FORMAT}); upgrade facetwise"
        )
    return about


def _fill(part: torch.nn.Module, file: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        part.load_state_dict(load_file(file))
    except (OSError, SafetensorError, RuntimeError) as error:
        what = " ".join(str(error).split())[:120]
        raise InputError(f"{file} is missing or damaged ({what}); fit the run again") from error


def _contiguous(part: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().cpu().contiguous() for name, value in part.state_dict().items()}


def _picture(image: str | Path | bytes | Image.Image, index: int) -> Image.Image:
    if isinstance(image, bytes):
        return decode(image, source=f"picture {index + 1}")
    if isinstance(image, str | os.PathLike):
        try:
            data = Path(image).read_bytes()
        except OSError as error:
            raise InputError(f"{image}: {error.strerror or error}; give a picture file") from error
        return decode(data, source=str(image))
    return image.convert("RGB")


def _joined(parts: Sequence[ImageEmbedding]) -> ImageEmbedding:
    def cat(values: Sequence[Tensor | None]) -> Tensor | None:
        kept = [value for value in values if value is not None]
        return torch.cat(kept) if kept else None

    return ImageEmbedding(
        cat([part.sets for part in parts]),
        cat([part.attention for part in parts]),
        cat([part.pairs for part in parts]),
    )
