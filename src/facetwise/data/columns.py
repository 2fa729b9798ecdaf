"""Which column of a table plays which role, guessed from names and contents."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypedDict

from facetwise.data.pictures import PictureFolder
from facetwise.data.tables import Table, Value, as_text
from facetwise.errors import InputError

__all__ = ["ColumnNames", "Profile", "Roles", "guess_roles", "is_number", "profile"]

_NAMES: Final = {
    "id": r"id|(item|product|image|article)_?id|uid|uuid|sku|asin|key",
    "image": r"image|img|picture|photo|file|file_?name|path"
    r"|(image|img|picture|photo|file)_?(id|file|name|path|file_?name)",
    "text": r"(.*_)?(text|caption|title|name|description|sentence|comment|alt)s?",
    "group": r"group|(product_?|item_?)?group_?id|class|class_?(id|name)|category_?id|concept"
    r"|species|label|(model|pair)_?id",
    "outfit": r"(outfit|set|look)s?(_?ids?)?",
    "split": r"split|fold|subset|partition",
}
_LANGUAGE: Final = re.compile(r"[_-](en|es|ja|ko|pt|it|fr|de|fa|id|zh|ru|tr|ar|nl|pl|sv|hi|uk)$")
_SPLIT_WORDS: Final = frozenset(
    ("train", "training", "val", "valid", "validation", "dev", "test", "testing")
)
_YES_NO: Final = frozenset(("yes", "no", "true", "false", "y", "n", "t", "f", "0", "1"))
_SAMPLE: Final = 200
_MAX_VALUES: Final = 500
"""A column with more different values than this is not taken for an attribute group."""


class ColumnNames(TypedDict, total=False):
    """Columns that the user names; several as a sequence, or with commas between them."""

    id: str | None
    image: str | None
    texts: str | Sequence[str] | None
    attributes: str | Sequence[str] | None
    group: str | Sequence[str] | None
    outfit: str | None
    split: str | None


@dataclass
class Profile:
    """What the cells of one column are like.

    Attributes:
        known: cells that hold something.
        hashes: one number for each different text.
        distinct: the different texts, until there are too many for an attribute.
        parts: texts in all cells, more than `known` where cells are lists.
        words: words in all texts.
        numbers: cells that are numbers.
        lists: cells that are lists.
        pictures: cells that are embedded pictures.
        separators: cells of several values behind ``|`` or ``;``.
    """

    known: int = 0
    hashes: set[int] = field(default_factory=set)
    distinct: dict[str, None] = field(default_factory=dict)
    words: int = 0
    numbers: int = 0
    lists: int = 0
    pictures: int = 0
    separators: dict[str, int] = field(default_factory=lambda: {"|": 0, ";": 0})
    parts: int = 0

    def add(self, value: Value) -> None:
        """Take in one cell."""
        if value is None or value == ():
            return
        self.known += 1
        if isinstance(value, bytes):
            self.pictures += 1
            return
        self.lists += isinstance(value, tuple)
        for text in value if isinstance(value, tuple) else (as_text(value) or "",):
            self.parts += 1
            self.words += len(text.split())
            self.numbers += isinstance(value, float) or is_number(text)
            for separator in self.separators:
                self.separators[separator] += separator in text
            self.hashes.add(hash(text))
            if len(self.distinct) <= _MAX_VALUES:
                self.distinct[text] = None

    @property
    def sample(self) -> list[str]:
        """The first different texts."""
        return list(self.distinct)[:_SAMPLE]

    @property
    def numeric(self) -> bool:
        """Whether every cell is a number."""
        return self.parts > 0 and self.numbers == self.parts

    @property
    def flag(self) -> bool:
        """Whether every cell is yes or no."""
        return 0 < len(self.distinct) <= 2 and {text.lower() for text in self.distinct} <= _YES_NO

    @property
    def unique(self) -> bool:
        """Whether hardly any two cells are the same (a few repeated ids are errors to report)."""
        return self.parts == self.known and len(self.hashes) >= 0.98 * self.known

    @property
    def separator(self) -> str | None:
        """What stands between several values of one cell, if anything does."""
        found = max(self.separators, key=self.separators.__getitem__)
        return found if self.separators[found] >= 0.05 * max(1, self.known) else None

    @property
    def categorical(self) -> bool:
        """Whether a few values repeat, so that it is worth calling them attributes."""
        parts = self.separator
        values = {part for text in self.distinct for part in text.split(parts)}
        if not 2 <= len(values) <= _MAX_VALUES or len(self.distinct) > _MAX_VALUES:
            return False
        return self.parts >= 2 * len(values) or self.lists > 0

    @property
    def repeated(self) -> bool:
        """Whether values come again, so that they may name groups or pictures of several rows."""
        return 2 <= len(self.hashes) <= 0.67 * self.parts


@dataclass(frozen=True)
class Roles:
    """Columns by role.

    Attributes:
        image: a column, or a pattern such as ``images/{id}.jpg``.
        id: None: the picture's path is the id, and rows of one picture are one item.
        texts: columns of texts.
        attributes: columns of attribute groups.
        group: columns that make the group together.
        outfit: a column of outfit ids.
        split: a column of train, val, test.
        extras: all other columns that hold something.
        languages: text column to its language, where its name ends in one.
        separators: attribute column to what stands between several values of a cell.
        flags: attribute columns of yes and no.
        numbers: extra columns that hold numbers only.
    """

    image: str
    id: str | None = None
    texts: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    outfit: str | None = None
    split: str | None = None
    extras: tuple[str, ...] = ()
    languages: dict[str, str] = field(default_factory=dict)
    separators: dict[str, str] = field(default_factory=dict)
    flags: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()

    def summary(self) -> dict[str, str]:
        """Role to columns, for people."""
        found = {
            "id": self.id or "",
            "image": self.image,
            "texts": ", ".join(self.texts),
            "attributes": ", ".join(self.attributes),
            "group": ", ".join(self.group),
            "outfit": self.outfit or "",
            "split": self.split or "",
            "extras": ", ".join(self.extras),
        }
        return {role: columns for role, columns in found.items() if columns}


def is_number(text: str) -> bool:
    """Whether `text` is a finite decimal number."""
    return re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?", text) is not None


def profile(table: Table) -> tuple[dict[str, Profile], int]:
    """Read the table once: a profile of each column, and the number of rows."""
    profiles = {name: Profile() for name in table.columns}
    count = 0
    for row in table:
        count += 1
        for name, value in row.values.items():
            profiles[name].add(value)
    return profiles, count


def guess_roles(
    table: Table,
    profiles: dict[str, Profile],
    pictures: PictureFolder,
    columns: ColumnNames,
) -> Roles:
    """The roles as given in `columns`, and a guess for each that is missing there.

    Raises:
        InputError: a given column is not there, or no column leads to pictures.
    """
    id, image = columns.get("id"), columns.get("image")
    outfit, split = columns.get("outfit"), columns.get("split")
    texts, attributes = _names(columns.get("texts")), _names(columns.get("attributes"))
    group = _names(columns.get("group"))
    given: dict[str, Sequence[str | None]] = {
        "id": [id],
        "image": [image if image and "{" not in image else None],
        "texts": texts or (),
        "attributes": attributes or (),
        "group": group or (),
        "outfit": [outfit],
        "split": [split],
    }
    for role, names in given.items():
        for name in names:
            if name is not None and name not in profiles:
                raise InputError(
                    f"{table.path.name} has no column {name!r} (given for {role}); "
                    f"it has {', '.join(table.columns)}"
                )
    image = image or _image_column(profiles, pictures) or _no_pictures(table, pictures)
    taken = {name for name in (id, image, outfit, split) if name} | {*(texts or ())}
    free = [name for name in profiles if name not in taken]
    if id is None:
        # A column of ids may also be that of the pictures' names.
        id = next((n for n in [*free, image] if n in profiles and _is_id(n, profiles[n])), None)
    taken |= {id} if id else set()
    if split is None:
        split = next(
            (n for n in free if n not in taken and _called(n, "split") and _is_split(profiles[n])),
            None,
        )
    if outfit is None:
        outfit = next((n for n in free if n not in taken and _called(n, "outfit")), None)
    taken |= {name for name in (split, outfit) if name}
    if texts is None:
        asked = {*(attributes or ()), *(group or ())}
        texts = [n for n in free if n not in taken | asked and _is_text(n, profiles[n])]
    taken |= {*texts}
    if group is None:
        group = [
            n for n in free if n not in taken and _called(n, "group") and profiles[n].repeated
        ][:1]
    if attributes is None:
        attributes = [n for n in free if n not in taken and _is_attribute(profiles[n])]
    used = taken | {*attributes} | {*group}
    extras = tuple(
        n for n in free if n not in used and profiles[n].known and not profiles[n].pictures
    )
    return Roles(
        image=image,
        id=id,
        texts=tuple(texts),
        attributes=tuple(attributes),
        group=tuple(group),
        outfit=outfit,
        split=split,
        extras=extras,
        numbers=frozenset(n for n in extras if profiles[n].numeric),
        languages={n: found.group(1) for n in texts if (found := _LANGUAGE.search(n.lower()))},
        separators={n: parts for n in attributes if (parts := profiles[n].separator)},
        flags=frozenset(n for n in attributes if profiles[n].flag),
    )


def _names(given: str | Sequence[str] | None) -> Sequence[str] | None:
    if isinstance(given, str):
        return tuple(name.strip() for name in given.split(",") if name.strip())
    return given


def _called(name: str, role: str) -> bool:
    """Whether a column's name, written in any of the usual ways, suits the role."""
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])|[\s-]+", "_", name.strip()).lower()
    if role == "text":
        plain = _LANGUAGE.sub("", plain)
    return re.fullmatch(_NAMES[role], plain) is not None


def _is_id(name: str, column: Profile) -> bool:
    """Whether cells tell rows apart; what is called "id" may repeat some, as errors to report."""
    plainly = name.strip().lower() == "id" and column.parts == column.known > 0
    return (plainly and not column.repeated) or (_called(name, "id") and column.unique)


def _image_column(profiles: dict[str, Profile], pictures: PictureFolder) -> str | None:
    """The column most of whose cells are pictures or lead to files."""
    best, best_share = None, 0.5
    for name, column in profiles.items():
        if not column.known:
            continue
        share = 1.0 if column.pictures else _found(column.sample, pictures)
        # years may happen to be some pictures' numbers, too; names differ from row to row
        share += 0.1 * len(column.hashes) / max(1, column.parts)
        share += 0.01 * _called(name, "image") + 0.001 * _called(name, "id")
        if share > best_share:
            best, best_share = name, share
    if best is None:  # perhaps all files are missing: then the name must do
        best = next((n for n in profiles if _called(n, "image") and profiles[n].known), None)
    return best


def _found(sample: Iterable[str], pictures: PictureFolder) -> float:
    hits = total = 0
    for text in sample:
        total += 1
        try:
            hits += pictures.find(text) is not None
        except (InputError, ValueError, OSError):
            continue
    return hits / total if total else 0.0


def _no_pictures(table: Table, pictures: PictureFolder) -> str:
    seen = f"{len(pictures.files)} pictures" if pictures.files else "no pictures"
    raise InputError(
        f"{table.path.name}: no column names the picture files ({seen} below {pictures.root}, "
        f"columns {', '.join(table.columns)}); name it with --image COLUMN or "
        "--image 'images/{id}.jpg'"
    )


def _is_split(column: Profile) -> bool:
    return {text.lower() for text in column.distinct} <= _SPLIT_WORDS


def _is_text(name: str, column: Profile) -> bool:
    if not column.parts or column.numeric or column.flag:
        return False
    if any(text.startswith(("http://", "https://")) for text in column.sample):
        return False
    varied = len(column.hashes) >= 0.2 * column.parts
    words = column.words / column.parts
    return (_called(name, "text") and (varied or words >= 3)) or (words >= 4 and varied)


def _is_attribute(column: Profile) -> bool:
    if column.flag and len(column.distinct) == 2:
        return True
    return not column.pictures and column.categorical and not column.numeric
