"""Tables as they come (csv, parquet, jsonl) to rows of cleaned values, one at a time."""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from facetwise.data.item import Problem
from facetwise.errors import InputError

__all__ = ["SUFFIXES", "UNKNOWN", "Row", "Table", "Value", "as_text", "clean", "read_table"]

Value = str | float | bool | bytes | tuple[str, ...] | None
"""A cell: None is unknown; a tuple is a list; bytes are an embedded picture."""

UNKNOWN: Final = frozenset(("", "na", "n/a", "nan", "null", "none", "unknown", "?", "-"))
"""Words (in any case) that say that a value is not known."""

SUFFIXES: Final = frozenset((".csv", ".tsv", ".parquet", ".jsonl", ".ndjson"))

_FIELD_LIMIT: Final = 1_000_000
_READ: Final = 1 << 20
_EXACT: Final = 1 << 53


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        number: as a spreadsheet counts (the header is row 1); in jsonl the line; in parquet from 1.
        values: column to value.
    """

    number: int
    values: dict[str, Value]


@dataclass
class Table:
    """A table that can be read several times; a reading fills `skipped` and `notes` afresh.

    Attributes:
        path: the file.
        columns: names, each one once.
        skipped: rows that could not be read.
        notes: rows that were mended, columns that were renamed.
    """

    path: Path
    columns: tuple[str, ...]
    _read: Callable[[Table], Iterator[Row]]
    skipped: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)

    def __iter__(self) -> Iterator[Row]:
        self.skipped.clear()
        self.notes.clear()
        return self._read(self)

    def skip(self, row: int, what: str) -> None:
        """List a row that is left out."""
        message = f"{self.path.name} row {row}: {what}"
        self.skipped.append(Problem(self.path.name, row, "", message, "row"))

    def note(self, row: int, what: str) -> None:
        """List a row that is kept with a remark."""
        message = f"{self.path.name} row {row}: {what}"
        self.notes.append(Problem(self.path.name, row, "", message, "row"))


def read_table(path: str | Path) -> Table:
    """Open a table by its suffix: csv (also tsv, txt), parquet, jsonl (also ndjson).

    Raises:
        InputError: not there, empty, not UTF-8, without a header, or of another kind.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} does not exist; give the table's path")
    suffix = path.suffix.lower()
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty; expected a header and at least one row")
    if suffix in (".csv", ".tsv", ".txt"):
        return _csv(path)
    if suffix == ".parquet":
        return _parquet(path)
    if suffix in (".jsonl", ".ndjson"):
        return _jsonl(path)
    raise InputError(f"{path} is no table that can be read; save it as .csv, .parquet or .jsonl")


def clean(value: Any) -> Value:
    """A cell as text, number, bool, tuple of texts, bytes, or None for unknown.

    >>> clean(" N/A "), clean(" red "), clean(["a", None, "?"]), clean(3)
    (None, 'red', ('a',), 3.0)
    """
    if isinstance(value, str):
        text = value.strip()
        return None if text.lower() in UNKNOWN else text
    if value is None or isinstance(value, (bool, bytes)):
        return value
    if isinstance(value, (int, float)):
        if isinstance(value, int) and abs(value) > _EXACT:
            return str(value)  # a long id, which a float would round
        return None if value != value else float(value)
    if isinstance(value, dict):  # how the datasets library stores a picture
        if isinstance(value.get("bytes"), bytes):
            return bytes(value["bytes"])
        return clean(value.get("path")) if "path" in value else json.dumps(value, sort_keys=True)
    if isinstance(value, (list, tuple)):
        parts = [as_text(clean(part)) for part in value]
        known = tuple(part for part in parts if part is not None)
        return known if known or not parts else None
    return clean(str(value))


def as_text(value: Value) -> str | None:
    """A cleaned cell in words: 3.0 is ``3``, True is ``yes``."""
    if value is None or isinstance(value, bytes):
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) <= _EXACT else f"{value:.15g}"
    return ", ".join(value) if isinstance(value, tuple) else value


def _csv(path: Path) -> Table:
    _check_utf8(path)
    if csv.field_size_limit() < _FIELD_LIMIT:
        csv.field_size_limit(_FIELD_LIMIT)
    with open(path, encoding="utf-8-sig", newline="") as file:
        line = next((line for line in file if line.strip()), "")
    if not line:
        raise InputError(f"{path} is empty; expected a header and at least one row")
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",;\t|", key=line.count)
    columns, remarks = _unique_names(next(csv.reader([line], delimiter=delimiter)))

    def read(table: Table) -> Iterator[Row]:
        for remark in remarks:
            table.note(1, remark)
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter)
            number, seen, last_line = 0, False, 0
            while True:
                try:
                    fields = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    raise InputError(
                        f"{path} row {number + 1}: {error}; is a quotation mark left open?"
                    ) from error
                lines, last_line = reader.line_num - last_line, reader.line_num
                number += 1
                if not any(field.strip() for field in fields):
                    continue
                if not seen:
                    seen = True
                    continue
                row = _fitted(table, number, fields, delimiter, lines)
                if row is not None:
                    yield row

    return Table(path, columns, read)


def _fitted(table: Table, number: int, fields: list[str], delimiter: str, lines: int) -> Row | None:
    """The fields as a row; surplus ones are the last column's, which held unquoted delimiters."""
    expected = len(table.columns)
    if len(fields) < expected:
        hint = f" (it spans {lines} lines: is a quotation mark left open?)" if lines > 1 else ""
        table.skip(
            number, f"{len(fields)} fields instead of {expected}{hint}; left out, complete the row"
        )
        return None
    surplus = fields[expected:]
    if any(field.strip() for field in surplus):
        last = table.columns[-1]
        table.note(
            number,
            f"{len(fields)} fields instead of {expected}: joined the last ones to {last!r}; "
            f"put values that hold {delimiter!r} in quotation marks",
        )
        fields = [*fields[: expected - 1], delimiter.join(fields[expected - 1 :])]
    values = zip(table.columns, fields[:expected], strict=True)
    return Row(number, {name: clean(value) for name, value in values})


def _check_utf8(path: Path) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset = row = 0
    with open(path, "rb") as file:
        while True:
            block = file.read(_READ)
            if offset == 0 and block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise InputError(f"{path} is UTF-16; save it as CSV UTF-8")
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                place = max(0, error.start - pending)
                row += block.count(b"\n", 0, place) + 1
                raise InputError(
                    f"{path} row {row}: byte {offset + error.start - pending} is not UTF-8; "
                    "save the table as UTF-8 (in a spreadsheet: CSV UTF-8)"
                ) from error
            if not block:
                return
            row += block.count(b"\n")
            offset += len(block)


def _unique_names(header: list[str]) -> tuple[tuple[str, ...], list[str]]:
    names: list[str] = []
    remarks: list[str] = []
    for place, raw in enumerate(header, 1):
        name = raw.strip() or f"column {place}"
        number = 1
        while name in names:
            number += 1
            name = f"{raw.strip()} {number}"
        if name != raw.strip():
            why = "has no name" if not raw.strip() else f"is the second {raw.strip()!r}"
            remarks.append(f"column {place} {why}; it is called {name!r}")
        names.append(name)
    return tuple(names), remarks


def _parquet(path: Path) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        columns, _ = _unique_names(list(pq.ParquetFile(path).schema_arrow.names))
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} cannot be read as parquet ({error}); write it again") from error

    def read(table: Table) -> Iterator[Row]:
        number = 0
        try:
            for batch in pq.ParquetFile(path).iter_batches(batch_size=256):
                for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    number += 1
                    named = zip(table.columns, values, strict=True)
                    yield Row(number, {name: clean(value) for name, value in named})
        except (pa.ArrowException, OSError) as error:
            raise InputError(
                f"{path} is damaged after row {number} ({error}); write it again"
            ) from error

    return Table(path, columns, read)


def _jsonl(path: Path) -> Table:
    _check_utf8(path)

    def read(table: Table) -> Iterator[Row]:
        with open(path, encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    values = json.loads(line)
                except (json.JSONDecodeError, RecursionError) as error:
                    table.skip(number, f"no JSON ({error}); left out, mend the line")
                    continue
                if not isinstance(values, dict):
                    table.skip(
                        number, 'no JSON object such as {"id": "1"}; left out, mend the line'
                    )
                    continue
                yield Row(number, {str(name): clean(value) for name, value in values.items()})

    columns: dict[str, None] = {}
    first = Table(path, (), read)
    for row in first:
        columns.update(dict.fromkeys(row.values))
    if not columns:
        why = first.skipped[0].what if first.skipped else f"{path} holds nothing"
        raise InputError(f"{path}: no row can be read ({why}); expected one JSON object a line")
    return Table(path, tuple(columns), read)
