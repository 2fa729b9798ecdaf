"""Three incompatible ways to split the birds of CUB-200-2011 (METHODS T-46), each by its name.

With i = official class id - 1:

- few-shot: ``base`` i % 2 == 0 (100 classes), ``val`` i % 4 == 1 (50), ``novel`` i % 4 == 3 (50);
- metric learning: ``train`` i < 100, ``test`` the rest;
- captions, zero-shot: ``captions-train`` (150) and ``captions-test`` (50), whose classes are listed
  in ``trainvalclasses.txt`` and ``testclasses.txt``, files that come with the captions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from facetwise.data.benchmarks.checks import Damage, need_file
from facetwise.data.benchmarks.reading import text_lines
from facetwise.errors import InputError

__all__ = ["CLASSES", "PUBLISHED", "Published", "class_ids"]

CLASSES: Final = 200
"""In the whole data set."""


class Published(NamedTuple):
    """How many classes and photos a split has, and what it is called in a Collection."""

    classes: int
    photos: int
    role: str


PUBLISHED: Final[Mapping[str, Published]] = MappingProxyType(
    {
        "all": Published(200, 11_788, ""),
        "base": Published(100, 5_885, "train"),
        "val": Published(50, 2_950, "val"),
        "novel": Published(50, 2_953, "test"),
        "train": Published(100, 5_864, "train"),
        "test": Published(100, 5_924, "test"),
        "captions-train": Published(150, 8_855, "train"),
        "captions-test": Published(50, 2_933, "test"),
    }
)
"""The splits by name. The photos of the pairs and triples add up to 11,788."""

_LISTS: Final = {"captions-train": "trainvalclasses.txt", "captions-test": "testclasses.txt"}

_RANGES: Final[Mapping[str, range]] = MappingProxyType(
    {
        "all": range(CLASSES),
        "base": range(0, CLASSES, 2),
        "val": range(1, CLASSES, 4),
        "novel": range(3, CLASSES, 4),
        "train": range(CLASSES // 2),
        "test": range(CLASSES // 2, CLASSES),
    }
)


def class_ids(split: str, folder: Path, names: Collection[int]) -> frozenset[int]:
    """The official ids, from 1, of the classes of a split.

    Args:
        split: a name of `PUBLISHED`.
        folder: where the captions' lists of classes may lie.
        names: the ids of all classes.

    Raises:
        InputError: there is no such split, or its list is missing or names other classes.

    >>> ids = class_ids("novel", Path(), range(1, 201))
    >>> len(ids), min(ids), max(ids)
    (50, 4, 200)
    """
    if split in _RANGES:
        return frozenset(number for number in names if number - 1 in _RANGES[split])
    if split not in _LISTS:
        raise InputError(f"CUB has no split {split!r}; there are {', '.join(PUBLISHED)}")
    file = need_file(
        folder, _LISTS[split], f"../{_LISTS[split]}", what=f"the classes of {split}, one a line"
    )
    damage = Damage(file, limit=0)
    found = set()
    for row, text in text_lines(file, damage):
        number = text.strip().partition(".")[0]
        if not number.isdecimal() or int(number) not in names:
            damage.add(row, "expected a class such as 004.Groove_billed_Ani")
        else:
            found.add(int(number))
    return frozenset(found)
