"""CUB-200-2011: birds of 200 classes with attributes (METHODS 4.1).

Class ids are the official ones, whatever classes are there; the splits are in `cub_splits`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final

from facetwise.data.benchmarks.captions import Photos
from facetwise.data.benchmarks.checks import Damage, check_count, need_file
from facetwise.data.benchmarks.cub_attributes import (
    BirdAttributes,
    attribute_names,
    class_states,
    image_states,
)
from facetwise.data.benchmarks.cub_splits import CLASSES, PUBLISHED, class_ids
from facetwise.data.benchmarks.reading import text_lines
from facetwise.data.benchmarks.source import files_fingerprint
from facetwise.data.item import Item, Problem
from facetwise.errors import InputError

__all__ = ["Birds", "read"]

_BY_PHOTO: Final = "attributes/image_attribute_labels.txt"
_BY_CLASS: Final = "attributes/class_attribute_labels_continuous.txt"


@dataclass(frozen=True)
class Birds:
    """The photos of a split; a `Source`. Few-shot roles are the `split` of the items of ``all``.

    Attributes:
        split: a name of `PUBLISHED`.
        folder: the one that holds ``images.txt``.
        numbers: (N,) ids of ``images.txt``.
        paths: (N,) below ``images/``: ``001.Black_footed_Albatross/x.jpg``.
        classes: (N,) official class ids, from 1.
        class_names: of all 200: ``Black footed Albatross``.
        problems: what was skipped or is missing, of the attributes too.
        attribute_rows: the attributes by photo, or by class; None where there are none.
        by_photo: the rows of `attribute_rows` are photos, not classes.
    """

    split: str
    folder: Path
    numbers: tuple[int, ...]
    paths: tuple[str, ...]
    classes: tuple[int, ...]
    class_names: Mapping[int, str]
    problems: tuple[Problem, ...]
    attribute_rows: BirdAttributes | None
    by_photo: bool

    @property
    def name(self) -> str:
        """``cub-novel``."""
        return f"cub-{self.split}"

    def __len__(self) -> int:
        return len(self.paths)

    def items(self) -> Iterator[Item]:
        """An item a photo: its class is its group, the class's name its text."""
        by_class: dict[int, tuple[dict[str, tuple[str, ...] | None], tuple[str, ...]]] = {}
        for row, (path, number) in enumerate(zip(self.paths, self.classes, strict=True)):
            known: dict[str, tuple[str, ...] | None] = {}
            unknown: tuple[str, ...] = ()
            if self.attribute_rows is not None and self.by_photo:
                known, unknown = self.attribute_rows.of(row)
            elif self.attribute_rows is not None:
                if number not in by_class:
                    by_class[number] = self.attribute_rows.of(number - 1)
                known, unknown = by_class[number]
            file = self.folder / "images" / path
            yield Item(
                path,
                file.read_bytes(),
                (self.class_names[number],),
                group=f"{number:03d} {self.class_names[number]}",
                split=self._roles[number],
                attributes=known,
                unknown=unknown,
                file=str(file),
            )

    def fingerprint(self) -> str:
        """Another one when a photo or a file of labels has changed."""
        read = (self.name, str(self.attribute_rows is not None), *self.paths)
        return files_fingerprint((*self._photos, *self._labels), *read)

    @cached_property
    def _photos(self) -> tuple[Path, ...]:
        return tuple(self.folder / "images" / path for path in self.paths)

    @property
    def _labels(self) -> tuple[Path, ...]:
        names = ("images.txt", "image_class_labels.txt", "classes.txt", _BY_PHOTO, _BY_CLASS)
        return tuple(self.folder / name for name in names)

    @cached_property
    def _roles(self) -> dict[int, str]:
        splits = ("base", "val", "novel") if self.split == "all" else (self.split,)
        return {
            number: PUBLISHED[split].role
            for split in splits
            for number in class_ids(split, self.folder, self.class_names)
        }


def read(
    folder: str | Path,
    split: str = "all",
    *,
    attributes: bool = True,
    allow_partial: bool = False,
) -> Birds:
    """Read a split of CUB-200-2011.

    Args:
        folder: as unpacked: it holds ``images.txt``, or ``CUB_200_2011/images.txt`` (perhaps twice
            nested).
        split: a name of `PUBLISHED`.
        attributes: read them, too; those of photos take seconds, and retrieval needs none.
        allow_partial: photos, classes or labels may be missing.

    Raises:
        InputError: files or photos are missing, or too many lines are damaged.
    """
    if split not in PUBLISHED:
        raise InputError(f"CUB has no split {split!r}; there are {', '.join(PUBLISHED)}")
    root = _root(Path(folder))
    names, problems = _class_names(root)
    wanted = class_ids(split, root, names)
    listed, damaged = _listed(root, wanted)
    problems += damaged
    photos = Photos(root, ("images",))
    there = {number: entry for number, entry in listed.items() if photos.find(entry[0])}
    missing = [f"images/{path}" for number, (path, _) in listed.items() if number not in there]
    present = {label for _, label in there.values()}
    lacking = [f"{number:03d} {names[number]}" for number in sorted(wanted - present)]
    counts = PUBLISHED[split]
    for what, found, published, absent in (
        ("classes", len(present), counts.classes, lacking),
        ("photos", len(there), counts.photos, missing),
    ):
        problem = check_count(
            what if split == "all" else f"{split} {what}",
            found,
            published,
            where=root,
            missing=absent,
            allow_partial=allow_partial,
        )
        problems += [problem] if problem else []
    if not there:
        raise InputError(f"{root} holds no photo of {split}; they belong into images/")
    rows, by_photo, of_labels = (
        _attributes(root, tuple(there), allow_partial) if attributes else (None, False, ())
    )
    return Birds(
        split=split,
        folder=root,
        numbers=tuple(there),
        paths=tuple(path for path, _ in there.values()),
        classes=tuple(label for _, label in there.values()),
        class_names=names,
        problems=(*problems, *of_labels),
        attribute_rows=rows,
        by_photo=by_photo,
    )


def _root(folder: Path) -> Path:
    inner = "CUB_200_2011"
    places = ("images.txt", f"{inner}/images.txt", f"{inner}/{inner}/images.txt")
    return need_file(folder, *places, what="ids and paths of the photos").parent


def _class_names(root: Path) -> tuple[dict[int, str], list[Problem]]:
    file = need_file(root, "classes.txt", what="ids and names of the classes")
    damage = Damage(file)
    names: dict[int, str] = {}
    for row, text in text_lines(file, damage):
        number, _, name = text.strip().partition(" ")
        if not number.isdecimal() or not name or int(number) in names:
            damage.add(row, "expected a new id and 001.Name")
        else:
            names[int(number)] = name.partition(".")[2].replace("_", " ") or name
    if sorted(names) != list(range(1, CLASSES + 1)):
        raise InputError(
            f"{file}: {len(names)} classes, expected {CLASSES} with the ids 1 to {CLASSES}, though "
            "photos of some may be missing; take the published file"
        )
    return names, list(damage.problems)


def _listed(root: Path, wanted: frozenset[int]) -> tuple[dict[int, tuple[str, int]], list[Problem]]:
    """Image id to path and class, of the wanted classes; and what was skipped."""
    file = need_file(root, "image_class_labels.txt", what="the class of each photo")
    damage = Damage(file)
    labels: dict[str, int] = {}
    for row, text in text_lines(file, damage):
        fields = text.split()
        if len(fields) != 2 or not all(field.isdecimal() for field in fields):
            damage.add(row, "expected an image id and a class id")
        else:
            labels[fields[0]] = int(fields[1])
    problems = list(damage.problems)
    damage = Damage(root / "images.txt")
    found: dict[int, tuple[str, int]] = {}
    for row, text in text_lines(damage.file, damage):
        number, _, path = text.strip().partition(" ")
        parts = PurePosixPath(path).parts
        if not number.isdecimal() or len(parts) != 2 or ".." in parts or parts[0] == "/":
            damage.add(row, "expected an image id and class/file.jpg")
        elif number not in labels:
            damage.add(row, f"no class for it in {file.name}", id=path)
        elif int(number) in found:
            damage.add(row, f"the image id {number} is taken", id=path)
        elif labels[number] in wanted:
            found[int(number)] = (path, labels[number])
    return found, [*problems, *damage.problems]


def _attributes(
    root: Path, numbers: tuple[int, ...], allow_partial: bool
) -> tuple[BirdAttributes | None, bool, tuple[Problem, ...]]:
    """By photo where that file is there, else by class, else none at all."""
    by_photo = (root / _BY_PHOTO).exists()
    file = root / (_BY_PHOTO if by_photo else _BY_CLASS)
    if not file.exists():
        return None, False, ()
    listing = need_file(
        root,
        "attributes.txt",
        "attributes/attributes.txt",
        "../attributes.txt",
        "../../attributes.txt",
        what="names of the attributes",
    )
    damage, labels = Damage(listing), Damage(file)
    groups, values = attribute_names(listing, damage)
    missing: Problem | None = None
    if by_photo:
        states, missing = image_states(file, numbers, labels, allow_partial=allow_partial)
    else:
        states = class_states(file, labels)
    problems = (*damage.problems, *labels.problems, *([missing] if missing else []))
    return BirdAttributes(groups, values, states), by_photo, problems
