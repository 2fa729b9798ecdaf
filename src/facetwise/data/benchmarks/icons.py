"""Icon families as outfits: icons that one designer drew belong together.

An outfit is a handful of icons of one family, an item's type is its name: which "home" goes with
this "lock" and this "bell"? Only style tells, for every family draws the same 38 things.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from facetwise.data.benchmarks.iconify import IconSet, png_of
from facetwise.data.benchmarks.packages import Package
from facetwise.data.benchmarks.source import files_fingerprint
from facetwise.data.item import Item, Problem
from facetwise.errors import InputError

__all__ = [
    "LEAST",
    "PACKAGE",
    "SIZE",
    "TYPES",
    "Family",
    "IconFamilies",
    "outfits_of",
    "part_of",
    "read",
    "sisters",
]

PACKAGE: Final = Package(
    "@iconify/json", "2.2.535", "each its own (column licence)", "the designers of 243 families"
)

TYPES: Final[tuple[str, ...]] = (
    *("calendar", "star", "bookmark", "heart", "folder", "camera", "link", "cloud"),
    *("lock", "flag", "search", "home", "clock", "bell", "arrow-right", "arrow-left"),
    *("book", "eye", "play", "tag", "pause", "phone", "key", "plus"),
    *("globe", "share", "arrow-down", "compass", "arrow-up", "filter", "credit-card", "check"),
    *("download", "code", "keyboard", "clipboard", "briefcase", "map"),
)
"""The 38 names that most monochrome families have."""

LEAST: Final = 12
"""Types that a family must draw to take part: 122 families do, two of which are copies."""

SIZE: Final = 6
"""Icons of an outfit. Each icon is in `_ROUNDS` outfits, each time with others."""

_ROUNDS: Final = 4
_PIXELS: Final = 128
# Families that continue another designer's work; sisters by author or name are found as such.
_FORKS: Final = (
    ("feather", "lucide", "meteor-icons"),
    ("ion", "famicons"),
    ("fa", "la"),
    ("mdi", "ic", "zmdi"),
    ("ic", "material-symbols"),
)


@dataclass(frozen=True)
class Family:
    """The icons of one designer's set.

    Attributes:
        prefix: its name in Iconify: ``lucide``.
        sisters: a name that families of one origin share.
        licence: as SPDX names it.
        icons: type to the name of the drawing.
    """

    prefix: str
    sisters: str
    licence: str
    icons: Mapping[str, str]

    @property
    def part(self) -> str:
        """``train``, ``val`` or ``test``."""
        return part_of(self.sisters)


@dataclass(frozen=True)
class IconFamilies:
    """The icons, family by family; a Source.

    Attributes:
        folder: the cache of packages.
        split: ``train``, ``val``, ``test`` or ``all``.
        families: of that split.
        problems: families that were left out for their licence, or as copies.
    """

    folder: Path
    split: str
    families: tuple[Family, ...]
    problems: tuple[Problem, ...]

    @property
    def name(self) -> str:
        """``icons-test``."""
        return f"icons-{self.split}"

    def __len__(self) -> int:
        return sum(len(family.icons) for family in self.families)

    def items(self) -> Iterator[Item]:
        """Each icon in black on white: its name is its group and ``type``, with ``family``."""
        for family in self.families:
            icons = IconSet.read(_file(self.folder, family.prefix))
            outfits = outfits_of(family.prefix, sorted(family.icons))
            for kind, name in family.icons.items():
                source = f"{family.prefix}:{name}"
                yield Item(
                    id=f"{family.prefix}/{kind}",
                    image=png_of(icons.svg(name), _PIXELS, source=source),
                    texts=(kind.replace("-", " "),),
                    group=kind,
                    outfits=outfits[kind],
                    split=family.part,
                    attributes={"type": kind, "family": family.prefix},
                    extras={"sisters": family.sisters, "licence": family.licence},
                    file=source,
                )

    def fingerprint(self) -> str:
        """Of the package's version and of what is read of it."""
        drawn = [f"{family.prefix} {sorted(family.icons.items())}" for family in self.families]
        return files_fingerprint([], "icons/1", PACKAGE.folder, self.split, *drawn)


def read(folder: Path, split: str = "all") -> IconFamilies:
    """The families of a split, from the package that `packages.fetch` has put into `folder`.

    Takes part: every family of one colour that draws at least `LEAST` of the `TYPES`. Families
    whose licence forbids commercial use are left out, and those that repeat another family (half
    of their drawings are the same): nobody can say which of two equal icons belongs. A split holds
    whole families, and sisters (versions, weights and forks of one design) stay together.

    Args:
        folder: the cache that holds `PACKAGE`.
        split: ``train``, ``val``, ``test`` or ``all``.

    Raises:
        InputError: no such split, or the package is missing or damaged.
    """
    if split not in ("train", "val", "test", "all"):
        raise InputError(f"icons has no split {split!r}; there are train, val, test, all")
    index = PACKAGE.find(folder) / "collections.json"
    try:
        about: dict[str, Any] = json.loads(index.read_bytes())
        licences = {prefix: str(info["license"].get("spdx", "")) for prefix, info in about.items()}
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise InputError(
            f"{index} is missing or damaged; delete the package, get it again"
        ) from error
    origin = sisters(about)
    families: list[Family] = []
    drawn: dict[str, dict[str, str]] = {}
    problems: list[Problem] = []
    for prefix, info in sorted(about.items()):
        if info.get("palette"):
            continue  # of several colours
        if re.search(r"\bNC\b", licences[prefix]):
            what = f"the family {prefix} is not free for commercial use; left out"
            problems.append(Problem(f"{prefix}.json", None, prefix, what, "licence"))
            continue
        if split not in ("all", part_of(origin[prefix])):
            continue
        drawings = IconSet.read(_file(folder, prefix))
        names = drawings.names()
        icons = {kind: names[kind] for kind in TYPES if kind in names}
        # Two names of one drawing would be two items that are one picture: the first name has it.
        first = {drawing: kind for kind, drawing in reversed(icons.items())}
        icons = {kind: drawing for kind, drawing in icons.items() if first[drawing] == kind}
        if len(icons) >= LEAST:
            families.append(Family(prefix, origin[prefix], licences[prefix], icons))
            drawn[prefix] = {kind: drawings.svg(name) for kind, name in icons.items()}
    copies = _copies(drawn)
    problems += [
        Problem(f"{copy}.json", None, copy, f"the family {copy} repeats {of}; left out", "copy")
        for copy, of in copies.items()
    ]
    kept = tuple(family for family in families if family.prefix not in copies)
    return IconFamilies(Path(folder), split, kept, tuple(problems))


def part_of(sisters: str) -> str:
    """The split of families of one origin: three in ten are ``test``, one is ``val``.

    >>> part_of("fa"), part_of("feather")
    ('train', 'test')
    """
    place = int.from_bytes(blake2b(sisters.encode(), digest_size=4).digest()) % 10
    return "test" if place < 3 else "val" if place == 3 else "train"


def sisters(about: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """For each family the first name among those of one origin.

    Of one origin are families with one author, with the same first word in their names (without
    a version number: fa, fa6, fa7-solid), and forks.

    >>> found = sisters({"fa": {}, "fa6-solid": {}, "la": {}, "tabler": {}})
    >>> found["fa6-solid"], found["la"], found["tabler"]
    ('fa', 'fa', 'tabler')
    """
    parent = {prefix: prefix for prefix in about}

    def root(prefix: str) -> str:
        while parent[prefix] != prefix:
            prefix = parent[prefix]
        return prefix

    first: dict[str, str] = {}
    for prefix, info in about.items():
        author = info.get("author", {})
        # https://github.com/OWNER/REPOSITORY: one owner has several repositories
        owner = str(author.get("url") or author.get("name") or prefix).lower()
        owner = "/".join(owner.split("/")[:4])
        stem = re.sub(r"\d+$", "", prefix.partition("-")[0])
        forks = [f"fork {n}" for n, names in enumerate(_FORKS) if prefix in names]
        for key in (f"author {owner}", f"stem {stem}", *forks):
            a, b = sorted((root(prefix), root(first.setdefault(key, prefix))))
            parent[b] = a
    return {prefix: root(prefix) for prefix in about}


def outfits_of(family: str, kinds: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The outfits of each of a family's icons: a few rounds, each cut into outfits of `SIZE`.

    Icons that are left over at the end of a round join its last outfit.

    >>> outfits_of("lucide", [f"icon {n}" for n in range(12)])["icon 0"][0].startswith("lucide/0-")
    True
    """
    found: dict[str, list[str]] = {kind: [] for kind in kinds}
    for turn in range(_ROUNDS):
        salt = f"{family} {turn} "
        order = sorted(kinds, key=lambda kind: blake2b((salt + kind).encode()).digest())
        count = max(1, len(order) // SIZE)
        for place, kind in enumerate(order):
            found[kind].append(f"{family}/{turn}-{min(place // SIZE, count - 1)}")
    return {kind: tuple(names) for kind, names in found.items()}


def _copies(drawn: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Families half of whose drawings are those of another one that draws as many types or more."""
    kept: list[str] = []
    found: dict[str, str] = {}
    for prefix in sorted(drawn, key=lambda name: (-len(drawn[name]), name)):
        own = drawn[prefix]
        for other in kept:
            same = sum(drawn[other].get(kind) == svg for kind, svg in own.items())
            if 2 * same >= len(own):
                found[prefix] = other
                break
        else:
            kept.append(prefix)
    return found


def _file(folder: Path, prefix: str) -> Path:
    return PACKAGE.find(folder) / "json" / f"{prefix}.json"
