"""Photos with captions: what every image-text reader returns, and how it is put together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

from facetwise.data.benchmarks.checks import check_count
from facetwise.data.benchmarks.source import files_fingerprint
from facetwise.data.item import Item, Problem
from facetwise.errors import InputError

__all__ = ["Captioned", "CaptionedImages", "Photos", "captioned_images", "numbered_caption"]

_SPLITS: Final = {"dev": "val", "restval": "train", "train+restval": "train"}


@dataclass(frozen=True)
class CaptionedImages:
    """N photos and their C captions, in the order of the published split; a `Source`.

    Attributes:
        name: data set and split: ``flickr8k-dev``.
        split: as it was asked for.
        folder: where it was read from.
        images: (N,) image ids, unique.
        files: (N,) the photos.
        captions: (C,) texts; five an image, in image order (METHODS 4.5).
        caption_ids: (C,) ids, unique.
        owner: (C,) the number of each caption's image, ascending.
        problems: damaged lines that were skipped, and what is missing and was allowed to be.
    """

    name: str
    split: str
    folder: Path
    images: tuple[str, ...]
    files: tuple[Path, ...]
    captions: tuple[str, ...]
    caption_ids: tuple[str, ...]
    owner: tuple[int, ...]
    problems: tuple[Problem, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    @cached_property
    def texts(self) -> tuple[tuple[str, ...], ...]:
        """(N,) the captions of each image."""
        found: list[tuple[str, ...]] = [()] * len(self.images)
        for image, pairs in groupby(zip(self.owner, self.captions, strict=True), lambda it: it[0]):
            found[image] = tuple(caption for _, caption in pairs)
        return tuple(found)

    def items(self) -> Iterator[Item]:
        """An item an image, its picture read when it is reached."""
        split = _SPLITS.get(self.split, self.split)
        known = split if split in ("train", "val", "test") else None
        for image, file, texts in zip(self.images, self.files, self.texts, strict=True):
            yield Item(image, file.read_bytes(), texts, split=known, file=str(file))

    def fingerprint(self) -> str:
        """Another one when a photo or a caption has changed."""
        return files_fingerprint(self.files, self.name, *self.images, *self.captions)


class Captioned(NamedTuple):
    """A photo as a reader found it in the annotations.

    Attributes:
        image: its id.
        photo: its file name, with the folder that the annotations give.
        captions: (id, text) of each caption, in published order.
    """

    image: str
    photo: str
    captions: Sequence[tuple[str, str]]


class Photos:
    """Where the photos of a data set lie: each folder is listed once, not asked file by file.

    Args:
        root: the data set's folder.
        folders: where the photos may lie below it; the usual place first.
    """

    def __init__(self, root: Path, folders: Sequence[str]) -> None:
        self.root, self.folders = root, tuple(folders)
        self._listed: dict[Path, frozenset[str]] = {}

    def find(self, name: str) -> Path | None:
        """The file `name`, with its own folder or without, in the first place that holds it."""
        for folder in (*self.folders, "."):
            for path in (self.root / folder / name, self.root / folder / Path(name).name):
                if path.name in self._names(path.parent):
                    return path
        return None

    def _names(self, folder: Path) -> frozenset[str]:
        if folder not in self._listed:
            there = folder.iterdir() if folder.is_dir() else iter(())
            self._listed[folder] = frozenset(path.name for path in there)
        return self._listed[folder]


def captioned_images(
    name: str,
    split: str,
    entries: Iterable[Captioned],
    photos: Photos,
    *,
    published: int | None,
    damaged: Sequence[Problem] = (),
    per_image: int = 5,
    allow_partial: bool = False,
) -> CaptionedImages:
    """Put a split together: the first five captions of each image that has a photo.

    An image keeps fewer than five captions only where damaged lines account for it.

    Args:
        name: of the data set: ``flickr8k``.
        split: as it was asked for.
        entries: what the annotations say, in the published order.
        photos: where the files are.
        published: how many photos the split has; None where nobody has published that.
        damaged: lines of the caption files that were skipped.
        per_image: captions that the protocol takes of each image.
        allow_partial: go on with what is there.

    Raises:
        InputError: photos or captions are missing (not `allow_partial`), or all of them are.
    """
    root = photos.root
    kept: dict[str, tuple[Path, Sequence[tuple[str, str]]]] = {}
    problems, missing, short = list(damaged), [], []
    for image, photo, captions in entries:
        file = photos.find(photo)
        if image in kept:
            said = f"{root}: the image {image} is listed twice in {split}; the second was skipped"
            problems.append(Problem(str(root), None, image, said, kind="duplicate"))
        elif file is None or not captions:
            missing.append(photo if file is None else f"captions of {photo}")
        else:
            kept[image] = (file, captions[:per_image])
            if len(captions) < per_image:
                short.append(f"{per_image - len(captions)} of {image}")
    if not kept:
        raise InputError(_nothing(name, split, photos, missing))
    count = sum(len(captions) for _, captions in kept.values())
    lacking = per_image * len(kept) - count
    checks = [
        ("photos with captions", len(kept), published or len(kept) + len(missing), missing),
        ("captions", count, count if lacking <= len(damaged) else count + lacking, short),
    ]
    for what, found, expected, names in checks:
        problem = check_count(
            f"{split} {what}",
            found,
            expected,
            where=root,
            missing=names,
            allow_partial=allow_partial,
        )
        problems += [problem] if problem else []
    pairs = [
        (number, *caption)
        for number, (_, captions) in enumerate(kept.values())
        for caption in captions
    ]
    owner, ids, texts = zip(*pairs, strict=True)
    return CaptionedImages(
        name=f"{name}-{split}",
        split=split,
        folder=root,
        images=tuple(kept),
        files=tuple(file for file, _ in kept.values()),
        captions=texts,
        caption_ids=ids,
        owner=owner,
        problems=tuple(problems),
    )


def numbered_caption(image: str, number: int) -> str:
    """The id of an image's caption, counted from 0, as Flickr's data sets write it.

    >>> numbered_caption("1000268201_693b08cb0e.jpg", 3)
    '1000268201_693b08cb0e.jpg#3'
    """
    return f"{image}#{number}"


def _nothing(name: str, split: str, photos: Photos, missing: Sequence[str]) -> str:
    places = ", ".join(f"{folder}/" for folder in photos.folders)
    lacks = f"; looked for {missing[0]}" if missing else ""
    return (
        f"{photos.root} holds no photo with captions of {name} {split}{lacks}; "
        f"put the photos into one of {places}"
    )
