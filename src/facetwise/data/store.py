"""LanceDB, held in one place: connecting, filtering with clear errors, rows in the order asked."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from facetwise.errors import InputError

__all__ = ["connect", "open_table", "select", "take"]

_QUOTED = re.compile(r"'(?:[^']|'')*'|`[^`]*`|\"[^\"]*\"")
_MISSING = re.compile(r"No field named (.+?)\. Valid fields are")


def connect(folder: Path) -> Any:
    """The LanceDB database in `folder`."""
    # Lance's logger reads this once, when its library starts; its warnings are not for users.
    os.environ.setdefault("LANCE_LOG", "error")
    import lancedb

    return lancedb.connect(str(folder))


def open_table(folder: Path, name: str) -> Any:
    """The Lance table `name` in `folder`.

    Raises:
        InputError: it is not there or cannot be read.
    """
    try:
        return connect(folder).open_table(name)
    except (ValueError, RuntimeError, OSError) as error:
        raise InputError(
            f"{folder} holds no readable table {name}.lance; make it again from its source"
        ) from error


def select(table: Any, columns: Sequence[str], where: str | None = None) -> pa.Table:
    """The `columns` of a Lance table, in stored order, of the rows for which `where` holds.

    Args:
        table: a LanceDB table.
        columns: names as stored.
        where: SQL such as ``gender = 'Men' AND year > 2012``; names with blanks in backticks.

    Raises:
        InputError: a column or the filter does not fit; the message lists the columns.
    """
    known = [str(name) for name in table.schema.names]
    wrong = [name for name in columns if name not in known]
    if wrong:
        raise InputError(f"no column {wrong[0]!r}; there are {', '.join(known)}")
    query = table.search()
    if where is not None:
        # In parentheses: Lance reads the longest beginning that makes sense and drops the rest.
        query = query.where(f"({_one_condition(where)})")
    try:
        return query.select(list(columns)).to_arrow()
    except (ValueError, RuntimeError) as error:
        if where is None:
            raise
        raise _bad_filter(where, str(error), known) from error


def take(table: Any, rows: Sequence[int], columns: Sequence[str]) -> pa.Table:
    """The `columns` of the given `rows` (0 is the first), in the order asked; repeats allowed.

    Raises:
        IndexError: a row is not there.
    """
    count = table.count_rows()
    if any(not 0 <= row < count for row in rows):
        raise IndexError(f"rows go from 0 to {count - 1}")
    if not rows:
        return table.schema.empty_table().select(list(columns))
    # Lance answers sorted, whatever was asked.
    distinct = sorted(set(rows))
    found = table.take_offsets(distinct).select(list(columns)).to_arrow()
    place = {row: index for index, row in enumerate(distinct)}
    return found.take(pa.array([place[row] for row in rows]))


def _one_condition(where: str) -> str:
    if not where.strip():
        raise InputError("the filter is empty; write one such as gender = 'Men'")
    if ";" in _QUOTED.sub("", where):
        raise InputError(f"the filter {where!r} holds a ';'; write one condition, joined by AND")
    return where


def _bad_filter(where: str, why: str, columns: Iterable[str]) -> InputError:
    missing = _MISSING.search(why)
    if missing:
        name = missing.group(1).strip('"').replace('""', '"')
        detail = f"names {name!r}, which is no column"
    else:
        reason = why.partition("(sql parser error: ")[2] or why.rpartition("Invalid input, ")[2]
        detail = f"cannot be read ({' '.join(reason.split())[:120].rstrip('.)')})"
    names = ", ".join(f"`{name}`" if re.search(r"\W", name) else name for name in columns)
    return InputError(
        f"the filter {where!r} {detail}; write one such as gender = 'Men' over the columns {names}"
    )
