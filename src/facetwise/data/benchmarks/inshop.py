"""In-Shop Clothes Retrieval (DeepFashion): photos of garments as queries and as a gallery.

Attributes belong to garments, not to photos: every photo of a garment gets all of them, shown or
not. Where the file that holds them lies differs between archives (METHODS 4.3); without it, photos
still have the gender and the category that their path says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facetwise.data.benchmarks.captions import Photos
from facetwise.data.benchmarks.checks import Damage, check_count, need_file
from facetwise.data.benchmarks.reading import text_lines
from facetwise.data.benchmarks.source import files_fingerprint
from facetwise.data.item import Item, Problem
from facetwise.errors import InputError

__all__ = ["PUBLISHED", "Garments", "Photo", "Status", "read"]

Status = Literal["train", "query", "gallery"]

PUBLISHED: Final[Mapping[Status, tuple[int, int]]] = MappingProxyType(
    {"train": (25_882, 3_997), "query": (14_218, 3_985), "gallery": (12_612, 3_985)}
)
"""Photos and garments of each part. Queries and gallery show the same garments."""

ATTRIBUTES: Final = 463

_SPLITS: Final[Mapping[str, tuple[Status, ...]]] = MappingProxyType(
    {"test": ("query", "gallery"), "train": ("train",), "all": ("train", "query", "gallery")}
)
_PLACES: Final = ("Anno/attributes", "Anno", "Anno/Anno", ".", "attributes")


class Photo(NamedTuple):
    """A line of the partition.

    Attributes:
        path: ``img/WOMEN/Tops/id_00000042/01_2_side.jpg``.
        garment: ``id_00000042``.
        status: the part that it belongs to.
    """

    path: str
    garment: str
    status: Status


@dataclass(frozen=True)
class Garments:
    """The photos of a split; a `Source`.

    Attributes:
        split: ``test`` (queries, then gallery, as listed), ``train`` or ``all``.
        folder: where it was read from.
        photos: (N,) in the order of the partition.
        files: (N,) where they lie.
        attribute_names: (A,) empty where the attributes were not found.
        states: garment to (A,) int8: 1 present, 0 absent, -1 unknown.
        problems: damaged lines that were skipped, and what is missing and was allowed to be.
    """

    split: str
    folder: Path
    photos: tuple[Photo, ...]
    files: tuple[Path, ...]
    attribute_names: tuple[str, ...]
    states: Mapping[str, NDArray[np.int8]]
    problems: tuple[Problem, ...]

    @property
    def name(self) -> str:
        """``inshop-test``."""
        return f"inshop-{self.split}"

    def __len__(self) -> int:
        return len(self.photos)

    def items(self) -> Iterator[Item]:
        """An item a photo; its status is an extra, its garment its group."""
        roles: Mapping[Status, str] = {"train": "train", "query": "test", "gallery": "test"}
        for photo, file in zip(self.photos, self.files, strict=True):
            gender, category = photo.path.split("/")[1:3]
            shown, unknown = self._known.get(photo.garment, (None, ()))
            about: dict[str, str | tuple[str, ...] | None] = {
                "gender": gender,
                "category": category.replace("_", " "),
            }
            if self.attribute_names:
                about["attribute"] = shown
            yield Item(
                photo.path,
                file.read_bytes(),
                group=photo.garment,
                split=roles[photo.status],
                attributes=about,
                unknown=unknown,
                extras={"status": photo.status},
                file=str(file),
            )

    def fingerprint(self) -> str:
        """Another one when a photo, the partition or an attribute has changed."""
        states = (f"{garment} {row.tobytes().hex()}" for garment, row in self.states.items())
        return files_fingerprint(self.files, self.name, *map(str, self.photos), *states)

    @cached_property
    def _known(self) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
        """Garment to what is present, and to ``attribute=name`` of what is unknown."""
        names = np.array(self.attribute_names, dtype=object)
        return {
            garment: (
                tuple(names[row == 1].tolist()),
                tuple(f"attribute={name}" for name in names[row < 0].tolist()),
            )
            for garment, row in self.states.items()
        }


def read(folder: str | Path, split: str = "test", *, allow_partial: bool = False) -> Garments:
    """Read a split of In-Shop.

    Args:
        folder: it holds ``Eval/list_eval_partition.txt`` and ``Img/img/`` (or ``img/``).
        split: ``test``, ``train`` or ``all``.
        allow_partial: photos may be missing.

    Raises:
        InputError: files or photos are missing, or too many lines are damaged.
    """
    if split not in _SPLITS:
        raise InputError(f"In-Shop has no split {split!r}; there are {', '.join(_SPLITS)}")
    root = Path(folder)
    listed, problems = _partition(root)
    places = Photos(root, ("Img", "."))
    wanted = [photo for photo in listed if photo.status in _SPLITS[split]]
    located = [(photo, places.find(photo.path)) for photo in wanted]
    found = [(photo, file) for photo, file in located if file is not None]
    missing = [photo.path for photo, file in located if file is None]
    for status in _SPLITS[split]:
        photos, garments = PUBLISHED[status]
        ours = [photo for photo, _ in found if photo.status == status]
        for what, count, published, absent in (
            (f"{status} photos", len(ours), photos, missing),
            (f"{status} garments", len({photo.garment for photo in ours}), garments, ()),
        ):
            problem = check_count(
                what, count, published, where=root, missing=absent, allow_partial=allow_partial
            )
            problems += [problem] if problem else []
    if not found:
        raise InputError(f"{root} holds no photo of {split}; they belong into Img/img/")
    names, states, damaged = _attributes(root, {photo.garment for photo, _ in found})
    return Garments(
        split=split,
        folder=root,
        photos=tuple(photo for photo, _ in found),
        files=tuple(file for _, file in found),
        attribute_names=names,
        states=states,
        problems=(*problems, *damaged),
    )


def _partition(root: Path) -> tuple[list[Photo], list[Problem]]:
    name = "list_eval_partition.txt"
    file = need_file(
        root, f"Eval/{name}", f"Anno/{name}", name, what="which photo is a query, which is gallery"
    )
    damage = Damage(file)
    found: dict[str, Photo] = {}
    for row, text in text_lines(file, damage):
        fields = text.split()
        if row <= 2 and (len(fields) == 1 or fields[0] == "image_name"):
            continue  # the count and the header; what counts is what is there
        if len(fields) != 3 or fields[2] not in PUBLISHED:
            damage.add(row, "expected image, garment, and train, query or gallery")
            continue
        parts = PurePosixPath(fields[0]).parts
        if len(parts) < 4 or ".." in parts or parts[0] == "/":
            damage.add(row, "expected img/GENDER/category/garment/photo.jpg", id=fields[0])
        elif fields[0] in found:
            damage.add(row, "is listed already", id=fields[0])
        else:
            status = next(status for status in PUBLISHED if status == fields[2])
            found[fields[0]] = Photo(fields[0], fields[1], status)
    return list(found.values()), list(damage.problems)


def _attributes(
    root: Path, garments: set[str]
) -> tuple[tuple[str, ...], dict[str, NDArray[np.int8]], tuple[Problem, ...]]:
    """Names, and the states of the garments; nothing where either file is not there."""
    names_file, items_file = (
        next((root / place / name for place in _PLACES if (root / place / name).exists()), None)
        for name in ("list_attr_cloth.txt", "list_attr_items.txt")
    )
    if names_file is None or items_file is None:
        return (), {}, ()
    damage = Damage(names_file)
    names = tuple(text.strip() for row, text in text_lines(names_file, damage) if row > 2)
    if len(names) != ATTRIBUTES:
        raise InputError(
            f"{names_file}: {len(names)} attributes, expected {ATTRIBUTES} below a count and a "
            "header; take the published file"
        )
    rows = Damage(items_file)
    states: dict[str, NDArray[np.int8]] = {}
    for row, text in text_lines(items_file, rows):
        garment, *values = text.split()
        if row <= 2:
            continue
        try:
            labels = np.array(values, dtype=np.int8)
        except (ValueError, OverflowError):
            rows.add(row, "expected numbers behind the garment", id=garment)
            continue
        if len(labels) != len(names) or not np.isin(labels, (-1, 0, 1)).all():
            rows.add(row, f"expected {len(names)} values, each 1, -1 or 0", id=garment)
        elif garment in garments:
            # in the file -1 is absent and 0 unknown; here 0 and -1
            states[garment] = np.where(labels == 1, 1, np.where(labels == -1, 0, -1)).astype("int8")
    return names, states, (*damage.problems, *rows.problems)
