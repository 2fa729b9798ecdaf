"""The columns of ``items.lance``: their names, their types, and items turned into Arrow."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import pyarrow as pa

from facetwise.data.item import Item
from facetwise.errors import InputError

__all__ = ["FIXED", "CheckedItem", "Columns", "ExtraKind", "Kind"]

Kind = Literal["one", "several", "flag"]
"""An attribute group's column: one value (string), several (list of strings), or yes/no (bool)."""

ExtraKind = Literal["number", "text"]

FIXED: Final = pa.schema(
    [
        ("id", pa.string()),
        ("image", pa.binary()),
        ("image_hash", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("texts", pa.list_(pa.string())),
        ("languages", pa.list_(pa.string())),
        ("group", pa.string()),
        ("outfits", pa.list_(pa.string())),
        ("split", pa.string()),
        ("unknown", pa.list_(pa.string())),
    ]
)
"""The columns that every collection has, in this order."""

_TYPES: Final[dict[str, Any]] = {
    "one": pa.string(),
    "several": pa.list_(pa.string()),
    "flag": pa.bool_(),
    "number": pa.float64(),
    "text": pa.string(),
}


@dataclass(frozen=True)
class CheckedItem:
    """An item whose picture was read: upright size in pixels and BLAKE2b-128 of its bytes."""

    item: Item
    image_hash: str
    width: int
    height: int


@dataclass
class Columns:
    """Which attribute groups and extras there are, under which column names.

    Lance compares column names without regard to case, and some names are taken: a second
    ``Colour`` beside ``colour``, or an attribute called ``group``, gets a suffix (``group_2``).

    >>> columns = Columns()
    >>> columns.learn(Item("1", b"", attributes={"group": "a", "colour": ("red",)}))
    True
    >>> columns.attributes
    {'group_2': 'one', 'colour': 'several'}
    >>> columns.renamed
    {'group': 'group_2'}
    """

    attributes: dict[str, Kind] = field(default_factory=dict)
    extras: dict[str, ExtraKind] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    frozen: bool = False

    def schema(self) -> Any:
        """The Arrow schema: fixed columns, attribute groups, extras."""
        kinds: Mapping[str, str] = {**self.attributes, **self.extras}
        return pa.schema([*FIXED, *((name, _TYPES[kind]) for name, kind in kinds.items())])

    def learn(self, item: Item) -> bool:
        """Take in the item's columns and value types; returns whether the schema changed.

        Raises:
            InputError: the columns are frozen (appending) and the item does not fit them.
        """
        changed = False
        for name, value in item.attributes.items():
            if value is None:
                continue
            column = self._column(name, self.attributes, self.extras)
            old = self.attributes.get(column)
            new = _widened(old, value)
            if new != old:
                changed |= self._set(self.attributes, column, new, item)
        for name, extra in item.extras.items():
            if extra is None:
                continue
            column = self._column(name, self.extras, self.attributes)
            kind: ExtraKind = "text" if isinstance(extra, str) else "number"
            known = self.extras.get(column)
            if known is None or (known == "number" and kind == "text"):
                changed |= self._set(self.extras, column, kind, item)
        return changed

    def batch(self, items: Sequence[CheckedItem]) -> Any:
        """The items as one Arrow record batch of `schema`."""
        arrays: dict[str, list[Any]] = {name: [] for name in self.schema().names}
        for entry in items:
            for name, value in self._row(entry).items():
                arrays[name].append(value)
        schema = self.schema()
        columns = [pa.array(arrays[name], type=schema.field(name).type) for name in schema.names]
        return pa.record_batch(columns, schema=schema)

    def upgraded(self, batch: Any) -> Any:
        """A batch written under an earlier, narrower schema, brought to the present one."""
        schema, columns = self.schema(), []
        for entry in schema:
            index = batch.schema.get_field_index(entry.name)
            if index < 0:
                columns.append(pa.nulls(batch.num_rows, entry.type))
                continue
            values = batch.column(index)
            if pa.types.is_list(entry.type) and not pa.types.is_list(values.type):
                rows = [None if value is None else [value] for value in _words(values)]
                columns.append(pa.array(rows, type=entry.type))
            elif values.type != entry.type:
                columns.append(pa.array(_words(values), type=entry.type))
            else:
                columns.append(values)
        return pa.record_batch(columns, schema=schema)

    def _set(self, where: dict[str, Any], column: str, kind: str, item: Item) -> bool:
        if self.frozen:
            known = ", ".join(where) or "none"
            raise InputError(
                f"{item.source}: {column!r} does not fit the collection's columns ({known}); "
                "make the collection again with all items"
            )
        where[column] = kind
        return True

    def _column(self, name: str, own: Mapping[str, str], other: Mapping[str, str]) -> str:
        known = self._known(name, own)
        if known is not None:
            return known
        plain = re.sub(r"[\x00-\x1f`\".\\]", "_", name).strip() or "column"
        taken = {column.lower() for column in (*FIXED.names, *own, *other)}
        column, number = plain, 1
        while column.lower() in taken:
            number += 1
            column = f"{plain}_{number}"
        if column != name:
            self.renamed[name] = column
        return column

    def _known(self, name: str, own: Mapping[str, str]) -> str | None:
        renamed = self.renamed.get(name)
        if renamed in own:
            return renamed
        return name if name in own and name not in self.renamed.values() else None

    def _row(self, entry: CheckedItem) -> dict[str, Any]:
        item = entry.item
        row: dict[str, Any] = {
            "id": item.id,
            "image": item.image,
            "image_hash": entry.image_hash,
            "width": entry.width,
            "height": entry.height,
            "texts": list(item.texts),
            "languages": [*item.languages, *["en"] * len(item.texts)][: len(item.texts)],
            "group": item.group,
            "outfits": list(item.outfits),
            "split": item.split,
            "unknown": [self._renamed_pair(pair) for pair in item.unknown],
        }
        for column in (*self.attributes, *self.extras):
            row[column] = None
        for name, value in item.attributes.items():
            if (group := self._known(name, self.attributes)) is not None:
                row[group] = _as_kind(value, self.attributes[group])
        for name, extra in item.extras.items():
            if (extra_column := self._known(name, self.extras)) is not None:
                row[extra_column] = _as_extra(extra, self.extras[extra_column])
        return row

    def _renamed_pair(self, pair: str) -> str:
        group, equals, value = pair.partition("=")
        return (self._known(group, self.attributes) or group) + equals + value


def _widened(old: Kind | None, value: str | tuple[str, ...] | bool) -> Kind:
    new: Kind = (
        "flag" if isinstance(value, bool) else "one" if isinstance(value, str) else "several"
    )
    if old is None or old == new:
        return new
    return "several" if "several" in (old, new) else "one"


def _as_kind(value: str | Iterable[str] | bool | None, kind: Kind) -> Any:
    if value is None or (kind == "flag" and isinstance(value, bool)):
        return value
    if isinstance(value, bool):
        value = str(value).lower()
    if kind == "several":
        return [value] if isinstance(value, str) else list(dict.fromkeys(value))
    return value


def _as_extra(value: float | str | None, kind: ExtraKind) -> float | str | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return float(value) if kind == "number" else _number_word(value)


def _number_word(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _words(values: Any) -> list[str | None]:
    """An Arrow array of strings, bools or numbers as the words that `_row` would have written."""
    return [
        None
        if value is None
        else str(value).lower()
        if value is True or value is False
        else _number_word(value)
        for value in values.to_pylist()
    ]
