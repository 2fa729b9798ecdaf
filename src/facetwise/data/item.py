"""One thing of a collection, and what was wrong with one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Item", "Problem"]


@dataclass(frozen=True)
class Item:
    """A picture with its words, attributes and memberships.

    Attributes:
        id: unique in the collection, not empty.
        image: the picture file's bytes as they came. An item without is listed and left out.
        texts: captions, names, descriptions; may be empty.
        languages: a code for each text (``en``); shorter than `texts` means ``en`` for the rest.
        group: class or product id: items of one group show the same thing.
        outfits: ids of the sets of items that it belongs to.
        split: ``train``, ``val`` or ``test`` where the data set gives one.
        attributes: attribute group to value: a string (one of the group's values holds), several
            strings (exactly these hold), a bool (a flag), or None (unknown).
        unknown: ``group=value`` pairs that are neither present nor absent.
        extras: numbers and texts to filter by; not attributes.
        file: the file that it comes from, for messages.
        row: its row in that file, for messages.
    """

    id: str
    image: bytes | None
    texts: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    group: str | None = None
    outfits: tuple[str, ...] = ()
    split: str | None = None
    attributes: Mapping[str, str | tuple[str, ...] | bool | None] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    extras: Mapping[str, float | str | None] = field(default_factory=dict)
    file: str = ""
    row: int | None = None

    @property
    def source(self) -> str:
        """Where it comes from, as a message should begin: ``styles.csv row 3``."""
        place = f"{self.file} row {self.row}" if self.row is not None else self.file
        return place.strip() or f"item {self.id!r}"


@dataclass(frozen=True)
class Problem:
    """A row that was left out, or one that was kept with a remark.

    Attributes:
        file: the table or picture; may be empty.
        row: 1 is the first row below the header; None where there are no rows.
        id: the item's id where it has one.
        what: one sentence: what is wrong, what was expected, the way out.
        kind: a word to count by: ``image``, ``missing``, ``duplicate``, ``row``, ``text``, ...
    """

    file: str
    row: int | None
    id: str
    what: str
    kind: str = "row"

    def __str__(self) -> str:
        return self.what
