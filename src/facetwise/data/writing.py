"""Items to Lance, a batch at a time: checked, told apart, and never all pictures in memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from facetwise.data import store
from facetwise.data.images import check
from facetwise.data.item import Item, Problem
from facetwise.data.schema import CheckedItem, Columns
from facetwise.errors import InputError
from facetwise.progress import bar

__all__ = ["BATCH", "BATCH_BYTES", "MAX_TEXT", "Checker", "image_hash", "write_items"]

BATCH: Final = 256
BATCH_BYTES: Final = 64_000_000
"""A batch ends at so many items or so many picture bytes, whichever comes first."""

_FRAGMENT: Final = 4096
_STEP: Final = 64

MAX_TEXT: Final = 10_000
"""Characters of a text that are kept: a text encoder reads a few hundred."""

_MAX_ID: Final = 500
_SPLITS: Final = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def image_hash(data: bytes) -> str:
    """BLAKE2b-128 of a picture's bytes, in hexadecimal."""
    return blake2b(data, digest_size=16).hexdigest()


class Checker:
    """Items in, batches of readable and distinct items out; the others become problems.

    Args:
        strict: raise on the first problem instead of leaving the item out.
        known: ids that are taken already.
    """

    def __init__(self, *, strict: bool, known: Iterable[str] = ()) -> None:
        self.strict = strict
        self.skipped: list[Problem] = []
        self.notes: list[Problem] = []
        self._seen: dict[str, tuple[str, str]] = dict.fromkeys(
            known, ("", "an item of the collection")
        )

    def batches(self, items: Iterable[Item]) -> Iterator[list[CheckedItem]]:
        """Check pictures on two threads (Pillow releases the interpreter lock) and ids in order.

        Raises:
            InputError: in strict mode, at the first item that would be left out.
        """
        with ThreadPoolExecutor(2) as pool:
            for batch in _batched(items):
                checked = pool.map(_check, batch)
                yield [
                    good
                    for item, result in zip(batch, checked, strict=True)
                    if (good := self._judge(item, result)) is not None
                ]

    def _judge(self, item: Item, result: CheckedItem | InputError) -> CheckedItem | None:
        if not item.id:
            self._skip(item, "id", f"{item.source} has no id; give it one")
            return None
        if len(item.id) > _MAX_ID:
            what = f"the id has {len(item.id)} characters, at most {_MAX_ID} fit; shorten it"
            self._skip(item, "id", f"{item.source}: {what}")
            return None
        if isinstance(result, InputError):
            self._skip(item, "image", str(result))
            return None
        content = _fingerprint(result)
        if item.id in self._seen:
            self._skip_repeated(item, content)
            return None
        self._seen[item.id] = (content, item.source)
        return replace(result, item=self._tidied(item))

    def _skip_repeated(self, item: Item, content: str) -> None:
        before, where = self._seen[item.id]
        if content == before:
            what = f"{item.source} repeats {where} (id {item.id!r}); leave one of them out"
            self._skip(item, "duplicate", what)
        else:
            what = f"the id {item.id!r} is taken by {where}, which differs; ids must be unique"
            self._skip(item, "conflict", f"{item.source}: {what}")

    def _skip(self, item: Item, kind: str, what: str) -> None:
        if self.strict:
            raise InputError(what)
        self.skipped.append(Problem(item.file, item.row, item.id, what, kind))

    def _tidied(self, item: Item) -> Item:
        languages = (*item.languages, *("en",) * len(item.texts))
        pairs = [
            (text.strip()[:MAX_TEXT], language)
            for text, language in zip(item.texts, languages, strict=False)
            if text.strip()
        ]
        if any(len(text.strip()) > MAX_TEXT for text in item.texts):
            self._note(item, "text", f"a text was cut to {MAX_TEXT} characters")
        split = None
        if item.split:
            split = _SPLITS.get(item.split.strip().lower())
            if split is None:
                self._note(
                    item, "split", f"the split {item.split!r} is none of train, val, test; ignored"
                )
        return replace(
            item,
            texts=tuple(text for text, _ in pairs),
            languages=tuple(language for _, language in pairs),
            split=split,
        )

    def _note(self, item: Item, kind: str, what: str) -> None:
        self.notes.append(Problem(item.file, item.row, item.id, f"{item.source}: {what}", kind))


def write_items(
    folder: Path,
    items: Iterable[Item],
    checker: Checker,
    *,
    total: int | None = None,
) -> tuple[Columns, int]:
    """Write `items` as ``items.lance`` into `folder`; returns the columns and the item count.

    A batch that brings new columns or kinds of value begins a new part; parts are joined at the
    end, so that the usual case, columns known from the first batch on, writes everything once.
    """
    database, columns, parts, count = store.connect(folder), Columns(), 0, 0
    table: Any = None
    waiting: list[Any] = []
    with bar("reading items", total) as progress:
        for batch in checker.batches(_counted(items, progress)):
            if not batch:
                continue
            changed = [columns.learn(entry.item) for entry in batch]
            if table is None or any(changed):
                _flush(table, waiting)
                table = database.create_table(f"part{parts}", schema=columns.schema())
                parts += 1
            waiting.append(columns.batch(batch))
            _flush(table, waiting, unless_few=True)
            count += len(batch)
    _flush(table, waiting)
    if parts > 1:
        whole = database.create_table("items", schema=columns.schema())
        for number in range(parts):
            for stored in database.open_table(f"part{number}").search().to_batches(_STEP):
                waiting.append(columns.upgraded(stored))
                _flush(whole, waiting, unless_few=True)
            _flush(whole, waiting)
            database.drop_table(f"part{number}")
    elif parts == 1:
        os.rename(folder / "part0.lance", folder / "items.lance")
    return columns, count


def _flush(table: Any, waiting: list[Any], *, unless_few: bool = False) -> None:
    """Write the batches that wait, as one fragment: many small ones slow every reading down."""
    rows = sum(batch.num_rows for batch in waiting)
    few = rows < _FRAGMENT and sum(batch.nbytes for batch in waiting) < BATCH_BYTES
    if waiting and not (unless_few and few):
        table.add(pa.Table.from_batches(waiting))
        waiting.clear()


def _counted(items: Iterable[Item], progress: Any) -> Iterator[Item]:
    for item in items:
        yield item
        progress.advance()


def _batched(items: Iterable[Item]) -> Iterator[Sequence[Item]]:
    batch: list[Item] = []
    size = 0
    for item in items:
        batch.append(item)
        size += len(item.image or b"")
        if len(batch) >= BATCH or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _check(item: Item) -> CheckedItem | InputError:
    if item.image is None:
        return InputError(f"{item.source} (id {item.id!r}) has no picture; add one")
    place = f"{item.source} (id {item.id!r}): the picture"
    try:
        width, height = check(item.image, source=place)
    except InputError as error:
        return error
    return CheckedItem(item, image_hash(item.image), width, height)


def _fingerprint(entry: CheckedItem) -> str:
    item = entry.item
    parts = (
        entry.image_hash,
        item.texts,
        item.group,
        item.outfits,
        sorted(item.attributes.items()),
    )
    return blake2b(repr(parts).encode("utf-8", "replace"), digest_size=8).hexdigest()
