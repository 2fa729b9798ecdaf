"""Text and JSON files of a benchmark, however they were saved."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from facetwise.data.benchmarks.checks import Damage
from facetwise.errors import InputError

__all__ = ["Line", "json_object", "text_lines"]


class Line(NamedTuple):
    """A line without its end; row 1 is the first of the file."""

    row: int
    text: str


def text_lines(file: Path, damage: Damage) -> Iterator[Line]:
    r"""The lines that are neither blank nor damaged: UTF-8, with or without BOM, any line ends.

    Lines with bytes that are no UTF-8, or with control characters, are added to `damage`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "names.txt"
    ...     _ = file.write_bytes(b"\xef\xbb\xbfa.jpg\r\n\r\nb.j\x00g\nc.jpg")
    ...     damage = Damage(file)
    ...     [(line.row, line.text) for line in text_lines(file, damage)], len(damage.problems)
    ([(1, 'a.jpg'), (4, 'c.jpg')], 1)
    """
    data = file.read_bytes().removeprefix(b"\xef\xbb\xbf")
    # Only the two usual line ends: str.splitlines would also split at U+2028 within a caption.
    for row, raw in enumerate(data.split(b"\n"), 1):
        try:
            text = raw.removesuffix(b"\r").decode("utf-8")
        except UnicodeDecodeError:
            damage.add(row, "is no UTF-8 text")
            continue
        if any(letter < " " and letter != "\t" for letter in text):
            damage.add(row, "holds control characters")
        elif text.strip():
            yield Line(row, text)


def json_object(file: Path) -> dict[str, Any]:
    """The object in a JSON file, with or without BOM.

    Raises:
        InputError: it is no JSON, or no object.
    """
    try:
        found = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file} is no whole JSON file ({error}); get it again") from None
    if not isinstance(found, dict):
        kind = type(found).__name__
        raise InputError(f"{file} holds a {kind}, expected an object; is it the right file?")
    return found
