"""The rows of a table as items, each with its picture."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from facetwise.data.columns import Roles
from facetwise.data.item import Item, Problem
from facetwise.data.pictures import PictureFolder
from facetwise.data.tables import Row, Table, Value, as_text, clean
from facetwise.errors import InputError

__all__ = ["RowReader"]

_YES: Final = frozenset(("yes", "true", "y", "t", "1"))


class RowReader:
    """The rows of a table as items; the ones without a picture become problems.

    `skipped` and `notes` are the table's own lists, which fill while the items are read.
    """

    def __init__(
        self, table: Table, roles: Roles, pictures: PictureFolder, *, strict: bool
    ) -> None:
        self.table = table
        self.roles = roles
        self.pictures = pictures
        self.strict = strict
        self.skipped = table.skipped
        self.notes = table.notes

    def __iter__(self) -> Iterator[Item]:
        for row in self._rows():
            item, picture = self._item(row), self._picture(row)
            if picture is not None and (read := self._read(item, picture)) is not None:
                yield read

    def merged(self) -> Iterator[Item]:
        """One item for each picture, with the texts and values of all of its rows."""
        items: dict[str, Item] = {}
        for row in self._rows():
            item, picture = self._item(row), self._picture(row)
            if isinstance(picture, str):
                known = items.get(picture)
                items[picture] = item if known is None else _joined(known, item)
        for picture, item in items.items():
            if (read := self._read(item, picture)) is not None:
                yield read

    def _rows(self) -> Iterator[Row]:
        seen = 0
        for row in self.table:
            self._refuse_if_strict(seen)
            seen = len(self.skipped)
            yield row
        self._refuse_if_strict(seen)

    def _refuse_if_strict(self, seen: int) -> None:
        if self.strict and len(self.skipped) > seen:
            raise InputError(str(self.skipped[seen]))

    def _item(self, row: Row) -> Item:
        roles, values = self.roles, row.values
        texts = [
            (text, roles.languages.get(column, "en"))
            for column in roles.texts
            for text in _several(values.get(column))
        ]
        parts = [as_text(values.get(column)) for column in roles.group]
        return Item(
            id=self._id(row),
            image=None,
            texts=tuple(text for text, _ in texts),
            languages=tuple(language for _, language in texts),
            group=" / ".join(part for part in parts if part) if parts and all(parts) else None,
            outfits=_several(values.get(roles.outfit or "")),
            split=as_text(values.get(roles.split or "")),
            attributes={name: self._attribute(name, values.get(name)) for name in roles.attributes},
            extras={name: self._extra(name, values.get(name)) for name in roles.extras},
            file=self.table.path.name,
            row=row.number,
        )

    def _id(self, row: Row) -> str:
        if self.roles.id is not None:
            return as_text(row.values.get(self.roles.id)) or ""
        return self._named_picture(row) or f"row {row.number}"

    def _named_picture(self, row: Row) -> str | None:
        """What the row says of its picture's file; None if nothing."""
        image = self.roles.image
        if "{" not in image or image in row.values:
            value = row.values.get(image)
            return value[0] if isinstance(value, tuple) and value else as_text(value)
        parts = {name: as_text(value) for name, value in row.values.items()}
        named = [parts.get(name) for name in re.findall(r"{(.*?)}", image)]
        return re.sub(r"{(.*?)}", lambda hit: parts[hit[1]] or "", image) if all(named) else None

    def _picture(self, row: Row) -> str | bytes | None:
        """The row's picture: its bytes or its file below the folder; None once it is skipped."""
        value = row.values.get(self.roles.image)
        if isinstance(value, bytes):
            return value
        named = self._named_picture(row)
        if named is None:
            self._skip(row, "missing", f"column {self.roles.image!r} names no picture")
            return None
        try:
            file = self.pictures.find(named)
        except InputError as error:
            self._skip(row, "missing", str(error))
            return None
        if file is None:
            what = f"{self.roles.image!r} names {named[:200]!r}, but no picture below"
            where = f"{self.pictures.root} is called so"
            self._skip(row, "missing", f"{what} {where}; put it there")
        return file

    def _read(self, item: Item, picture: str | bytes) -> Item | None:
        if isinstance(picture, bytes):
            return replace(item, image=picture)
        try:
            return replace(item, image=self.pictures.read(picture))
        except InputError as error:
            if self.strict:
                raise
            self.skipped.append(Problem(item.file, item.row, item.id, str(error), "image"))
            return None

    def _skip(self, row: Row, kind: str, what: str) -> None:
        message = f"{self.table.path.name} row {row.number}: {what}, or leave the row out"
        if self.strict:
            raise InputError(message)
        problem = Problem(self.table.path.name, row.number, self._id(row), message, kind)
        self.skipped.append(problem)

    def _attribute(self, name: str, value: Value) -> str | tuple[str, ...] | bool | None:
        if value is None or isinstance(value, tuple):
            return value
        text = as_text(value) or ""
        if name in self.roles.flags:
            return text.lower() in _YES
        separator = self.roles.separators.get(name)
        return text if separator is None else _several(tuple(text.split(separator)))

    def _extra(self, name: str, value: Value) -> float | str | None:
        text = as_text(value)
        return float(text) if text is not None and name in self.roles.numbers else text


def _several(value: Value) -> tuple[str, ...]:
    """A cell as texts: none, one, or those of a list."""
    value = clean(value)
    if isinstance(value, tuple):
        return value
    text = as_text(value)
    return () if text is None else (text,)


def _joined(first: Item, second: Item) -> Item:
    """Two rows of one picture as one item: all texts; where values differ, both."""
    new = [
        (text, language)
        for text, language in zip(second.texts, second.languages, strict=True)
        if text not in first.texts
    ]
    attributes = dict(first.attributes)
    for name, value in second.attributes.items():
        old = attributes.get(name)
        if old is None:
            attributes[name] = value
        elif value is not None and value != old:
            both = [*_words(old), *_words(value)]
            attributes[name] = tuple(dict.fromkeys(both))
    extras = {
        name: value if value is not None else second.extras.get(name)
        for name, value in first.extras.items()
    }
    return replace(
        first,
        texts=(*first.texts, *(text for text, _ in new)),
        languages=(*first.languages, *(language for _, language in new)),
        group=first.group or second.group,
        outfits=tuple(dict.fromkeys((*first.outfits, *second.outfits))),
        split=first.split or second.split,
        attributes=attributes,
        extras=extras,
    )


def _words(value: str | tuple[str, ...] | bool) -> tuple[str, ...]:
    if isinstance(value, tuple):
        return value
    return (str(value).lower() if isinstance(value, bool) else value,)
