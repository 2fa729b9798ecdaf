"""Few-shot splits as JSON files, as PAN's and other few-shot code writes them (METHODS 4.2).

A file a split, ``base.json``, ``val.json`` and ``novel.json``: ``label_names`` (all classes),
``image_names`` (absolute paths on the machine that wrote them) and ``image_labels`` (places in
``label_names``). The same code's features, edges and attributes are ``.pt`` files, which are not
opened: they are pickles, and loading one runs whatever code it holds. Nothing is lost by that:
features are computed from the pictures, and CUB's own folder (``cub``) has the attributes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, Final

from facetwise.data.benchmarks.captions import Photos
from facetwise.data.benchmarks.reading import json_object
from facetwise.data.benchmarks.source import files_fingerprint
from facetwise.data.item import Item, Problem
from facetwise.errors import InputError

__all__ = ["FewShotSplit", "read"]

_ROLES: Final[Mapping[str, str]] = MappingProxyType(
    {"base": "train", "val": "val", "novel": "test"}
)
_PLACES: Final = ("images", "CUB_200_2011/images", "../images", "../CUB_200_2011/images", "..")
_SHOWN: Final = 3


@dataclass(frozen=True)
class FewShotSplit:
    """The pictures of one split, or of ``all``; a `Source`.

    Attributes:
        split: ``base``, ``val``, ``novel`` or ``all``.
        folder: the one that holds the JSON files.
        listed: (N) split, class and file of each picture.
        problems: what was skipped, and what is missing and was allowed to be.
    """

    split: str
    folder: Path
    listed: tuple[tuple[str, str, Path], ...]
    problems: tuple[Problem, ...]

    @property
    def name(self) -> str:
        """The folder's and the split's: ``CUB-novel``."""
        return f"{self.folder.resolve().name}-{self.split}"

    def __len__(self) -> int:
        return len(self.listed)

    def items(self) -> Iterator[Item]:
        """An item a picture: its class is its group, the class's name its text."""
        for split, label, file in self.listed:
            yield Item(
                _id(str(file)),
                file.read_bytes(),
                (_words(label),),
                group=label,
                split=_ROLES[split],
                file=str(file),
            )

    def fingerprint(self) -> str:
        """Another one when a picture or the lists have changed."""
        files = [self.folder / f"{split}.json" for split in _ROLES]
        return files_fingerprint((*files, *(file for _, _, file in self.listed)), self.name)


def read(folder: str | Path, split: str = "all", *, allow_partial: bool = False) -> FewShotSplit:
    """Read a split.

    Pictures are looked for where the file says, then below the folder by class and name, as
    ``images/001.Black_footed_Albatross/x.jpg``.

    Args:
        folder: the one that holds ``base.json``, ``val.json`` and ``novel.json``.
        split: one of these, or ``all``; ``train`` and ``test`` are base and novel.
        allow_partial: pictures may be missing; of ``all``, lists too.

    Raises:
        InputError: there is no such list, it holds something else, or pictures are missing.
    """
    root = Path(folder)
    asked = {"train": "base", "dev": "val", "test": "novel"}.get(split, split)
    if asked not in (*_ROLES, "all"):
        raise InputError(f"few-shot lists have no split {split!r}; there are base, val, novel, all")
    problems: list[Problem] = []
    listed: list[tuple[str, str, Path]] = []
    photos = Photos(root, _PLACES)
    seen: set[str] = set()
    for name in _ROLES if asked == "all" else (asked,):
        file = root / f"{name}.json"
        if not file.is_file():
            if asked == "all" and allow_partial:
                problems.append(_missing(root, f"{file.name} is missing"))
                continue
            raise InputError(_no_list(root, file))
        entries, wrong = _entries(file)
        problems += wrong
        lost = []
        for path, label in entries:
            found = Path(path) if Path(path).is_file() else photos.find(_id(path))
            if found is None:
                lost.append(path)
            elif _id(path) in seen:
                problems.append(Problem(str(file), None, path, "is listed twice; skipped", "row"))
            else:
                seen.add(_id(path))
                listed.append((name, label, found))
        if lost:
            said = f"{file}: {len(lost):,} of {len(entries):,} pictures are missing: {lost[0]}"
            if not allow_partial:
                raise InputError(
                    f"{said}; put them into {root / 'images'}, in a folder for each class, or go "
                    "on with what is there: --allow-partial"
                )
            problems.append(_missing(file, said))
    if not listed:
        raise InputError(f"{root}: no picture of {asked} was found; put them into images/")
    return FewShotSplit(asked, root, tuple(listed), tuple(problems))


def _entries(file: Path) -> tuple[list[tuple[str, str]], list[Problem]]:
    """Path and class of each picture; a remark where official code would lose pairs."""
    found = json_object(file)
    names = _list(found, "label_names", str, file)
    paths = _list(found, "image_names", str, file)
    labels = _list(found, "image_labels", int, file)
    if len(paths) != len(labels):
        raise InputError(
            f"{file}: {len(paths)} image_names and {len(labels)} image_labels; expected one label "
            "a picture"
        )
    outside = [label for label in labels if not 0 <= label < len(names)]
    if outside:
        raise InputError(
            f"{file} image_labels: {outside[0]} is none of the {len(names)} places in label_names"
        )
    runs = 1 + sum(a != b for a, b in pairwise(labels))
    problems = []
    if labels and runs > len(set(labels)):
        said = "pictures of a class do not stand together: the official code would lose their pairs"
        problems.append(Problem(str(file), None, "", said, "note"))
    return [(path, names[label]) for path, label in zip(paths, labels, strict=True)], problems


def _list(found: Mapping[str, Any], key: str, kind: type, file: Path) -> list[Any]:
    values = found.get(key)
    fits = isinstance(values, list) and all(
        isinstance(value, kind) and not isinstance(value, bool) for value in values
    )
    if not fits:
        there = ", ".join(sorted(found)[:_SHOWN]) or "nothing"
        what = "texts" if kind is str else "whole numbers"
        raise InputError(
            f"{file}: expected {key}, a list of {what}, beside label_names, image_names and "
            f"image_labels; it holds {there}"
        )
    return list(values or [])


def _id(path: str) -> str:
    """Class and file: ``001.Black_footed_Albatross/x.jpg``."""
    return "/".join(PurePosixPath(path.replace("\\", "/")).parts[-2:])


def _words(label: str) -> str:
    """``001.Black_footed_Albatross`` in words."""
    number, dot, name = label.partition(".")
    return (name if dot and number.isdecimal() else label).replace("_", " ")


def _missing(where: Path, said: str) -> Problem:
    return Problem(str(where), None, "", said, "missing")


def _no_list(root: Path, file: Path) -> str:
    if not root.is_dir():
        return f"{root} is no folder; give the one that holds base.json, val.json and novel.json"
    pickles = sorted(path.name for path in root.glob("*.pt"))
    if pickles:
        return (
            f"{root} has no {file.name}, but {pickles[0]}: .pt files are pickles, which can run "
            "code, and are not opened; put the JSON lists there, features are made of the pictures"
        )
    return f"{root} has no {file.name}; give the folder that holds base.json, val.json, novel.json"
