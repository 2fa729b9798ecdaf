"""Collection: items with pictures, texts, attributes and groups, kept as one Lance table.

A directory ``NAME.collection`` holds ``collection.toml`` (what the columns mean), ``items.lance``
(one row an item; the directory is a LanceDB database) and ``features-*.lance`` (caches that can be
made again). Rows keep their order: row `r` of every property and tensor is the same item.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from facetwise.data import store
from facetwise.data.item import Item, Problem
from facetwise.data.manifest import FILE, Manifest
from facetwise.data.schema import Columns
from facetwise.data.writing import Checker, write_items
from facetwise.errors import InputError
from facetwise.files import building

if TYPE_CHECKING:
    from PIL import Image

    from facetwise.data.attributes import AttributeTable
    from facetwise.data.columns import ColumnNames

__all__ = ["Collection", "Item", "Problem"]

_CACHED = (
    *("ids", "texts", "languages", "groups", "outfits", "splits"),
    *("image_hashes", "attributes", "_row_of"),
)


class Collection:
    """Items on disk; open one with `open`, make one with `create`, `from_folder`, `from_table`."""

    def __init__(self, path: Path, manifest: Manifest, table: Any) -> None:
        self.path = path
        self.manifest = manifest
        self._table = table

    def __repr__(self) -> str:
        return f"Collection({str(self.path)!r}, {len(self)} items)"

    # -- making and opening ---------------------------------------------------------------------

    @classmethod
    def open(cls, path: str | Path) -> Collection:
        """Open the collection in the directory `path`.

        Raises:
            InputError: it is not there, is no collection, or is damaged.
            VersionError: a newer facetwise made it.
        """
        path = Path(path)
        manifest = Manifest.read(path)
        return cls(path, manifest, store.open_table(path, "items"))

    @classmethod
    def create(
        cls,
        path: str | Path,
        items: Iterable[Item],
        *,
        name: str | None = None,
        overwrite: bool = False,
        strict: bool = False,
        skipped: Sequence[Problem] = (),
        notes: Sequence[Problem] = (),
        source: str = "",
        roles: Mapping[str, str] | None = None,
        total: int | None = None,
    ) -> Collection:
        """Write `items`, streamed in batches, as a new collection in the directory `path`.

        An item without a readable picture, or with an id that is taken, is left out and listed in
        `skipped`. Whatever goes wrong, an old collection at `path` stays as it is.

        Args:
            path: the directory to make.
            items: read once; may be a generator over more pictures than fit into memory.
            name: for titles; by default from `path`.
            overwrite: replace a collection that is there already (its feature caches are kept).
            strict: raise instead of leaving an item out.
            skipped: problems that a reader has met before (kept as a reference, read at the end).
            notes: remarks on rows that were kept, likewise.
            source: the table or folder that the items come from.
            roles: what played which role in the source, for `inspect`.
            total: number of items, for the progress bar.

        Raises:
            InputError: no item is left, or (strict) one is bad, or `path` may not be replaced.
            FacetwiseError: the disk is full.
        """
        path = Path(path)
        checker = Checker(strict=strict)
        with building(path, overwrite=overwrite, marker=FILE) as fresh:
            columns, count = write_items(fresh, items, checker, total=total)
            left_out = sorted(
                (*skipped, *checker.skipped), key=lambda problem: (problem.file, problem.row or 0)
            )
            if count == 0:
                why = f" (the first of {len(left_out)} problems: {left_out[0]})" if left_out else ""
                raise InputError(f"{source or path}: no items to keep{why}; nothing was written")
            Manifest(
                name=name or path.name.removesuffix(".collection"),
                source=source,
                roles=roles or {},
                attributes=columns.attributes,
                extras=columns.extras,
                renamed=columns.renamed,
            ).having(left_out, (*notes, *checker.notes)).write(fresh)
            _keep_caches(path, fresh)
        return cls.open(path)

    @classmethod
    def from_folder(
        cls,
        folder: str | Path,
        *,
        table: str | Path | None = None,
        out: str | Path | None = None,
        name: str | None = None,
        strict: bool = False,
        overwrite: bool = False,
        **columns: Unpack[ColumnNames],
    ) -> Collection:
        """Make a collection of a folder's pictures, with its table if it holds one.

        A column's role is guessed from its name and contents unless it is given. Without a table,
        a picture's subfolder is its group and the words of its file name are its text.

        Args:
            folder: where the pictures are, at any depth.
            table: csv, parquet or jsonl, in the folder or anywhere; by default the only one there.
            out: the collection to make; by default ``FOLDER.collection`` beside the folder.
            name: for titles.
            strict: raise at the first bad row instead of leaving it out.
            overwrite: replace a collection that is there already.
            columns: ``id`` (without one, a picture is the item, and its rows are joined);
                ``image`` (paths, file names or stems, or a pattern such as ``images/{id}.jpg``);
                ``texts`` (``caption_de`` holds German ones); ``attributes``; ``group`` (says which
                items are of one kind); ``outfit``; ``split`` (train, val, test). Several columns
                as a sequence, or with commas between them.

        Raises:
            InputError: nothing to read, a column that is not there, no usable row, or (strict) a
                bad one. What was at `out` stays as it was.
        """
        from facetwise.data.importing import from_folder

        return from_folder(
            folder, table=table, out=out, name=name, strict=strict, overwrite=overwrite, **columns
        )

    @classmethod
    def from_table(
        cls,
        path: str | Path,
        *,
        out: str | Path | None = None,
        name: str | None = None,
        strict: bool = False,
        overwrite: bool = False,
        **columns: Unpack[ColumnNames],
    ) -> Collection:
        """Make a collection of a table whose pictures are in its own folder; as `from_folder`.

        By default it is written beside the table: ``shop.csv`` becomes ``shop.collection``.
        """
        from facetwise.data.importing import from_table

        return from_table(path, out=out, name=name, strict=strict, overwrite=overwrite, **columns)

    # -- what it holds --------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """For titles."""
        return self.manifest.name

    @property
    def attribute_groups(self) -> tuple[str, ...]:
        """The attribute groups, which are also the names of their columns."""
        return tuple(self.manifest.attributes)

    @property
    def extras(self) -> tuple[str, ...]:
        """Columns that are neither attributes nor roles, to filter by."""
        return tuple(self.manifest.extras)

    @property
    def skipped(self) -> tuple[Problem, ...]:
        """What was left out, and why."""
        return self.manifest.skipped

    @property
    def notes(self) -> tuple[Problem, ...]:
        """Remarks on rows that were kept."""
        return self.manifest.notes

    @property
    def version(self) -> int:
        """Number of the stored version; every `append` and `delete` counts it up."""
        return int(self._table.version)

    @property
    def columns(self) -> tuple[str, ...]:
        """All column names."""
        return tuple(str(name) for name in self._table.schema.names)

    def __len__(self) -> int:
        return int(self._table.count_rows())

    @cached_property
    def ids(self) -> list[str]:
        """The ids, in row order."""
        return self._column("id")

    @cached_property
    def texts(self) -> list[list[str]]:
        """The texts of each item; may be empty lists."""
        return self._column("texts")

    @cached_property
    def languages(self) -> list[list[str]]:
        """The language of each text."""
        return self._column("languages")

    @cached_property
    def groups(self) -> list[str | None]:
        """The class or product of each item."""
        return self._column("group")

    @cached_property
    def outfits(self) -> list[list[str]]:
        """The sets of items that each item belongs to."""
        return self._column("outfits")

    @cached_property
    def splits(self) -> list[str | None]:
        """``train``, ``val``, ``test``, or None where the data set gives none."""
        return self._column("split")

    @cached_property
    def image_hashes(self) -> list[str]:
        """BLAKE2b-128 of each picture file."""
        return self._column("image_hash")

    @cached_property
    def attributes(self) -> AttributeTable:
        """What is present, absent or unknown: one row for each item."""
        from facetwise.data.attributes import AttributeTable

        table = store.select(self._table, ["unknown", *self.attribute_groups])
        return AttributeTable.from_arrow(table, self.manifest.attributes)

    def image_bytes(self, rows: Sequence[int]) -> list[bytes]:
        """The picture files of `rows`, in the order asked, as they came."""
        found: list[bytes] = store.take(self._table, rows, ["image"])["image"].to_pylist()
        return found

    def images(self, rows: Sequence[int]) -> list[Image.Image]:
        """The pictures of `rows`, in the order asked: upright RGB, transparency over white."""
        from facetwise.data.images import decode

        return [
            decode(data, source=f"{self.path}: the picture of item {self.ids[row]!r}")
            for row, data in zip(rows, self.image_bytes(rows), strict=True)
        ]

    def table(self, columns: Sequence[str] | None = None, where: str | None = None) -> Any:
        """Columns as a `pyarrow.Table`, in row order; all but the pictures unless named.

        Args:
            columns: names as in `columns`.
            where: SQL such as ``gender = 'Men' AND year > 2012``; a list of values is asked with
                ``array_has(colours, 'Red')``; a name with blanks stands in backticks.

        Raises:
            InputError: a name or the filter is wrong; the message lists the columns.
        """
        if columns is None:
            columns = [name for name in self.columns if name != "image"]
        return store.select(self._table, columns, where)

    def rows(self, where: str) -> list[int]:
        """The rows for which the SQL condition `where` holds.

        Raises:
            InputError: as `table`.
        """
        found: list[str] = self.table(["id"], where)["id"].to_pylist()
        return [self._row_of[name] for name in found]

    def row(self, id: str) -> int:
        """The row of an id.

        Raises:
            InputError: there is no such item.
        """
        try:
            return self._row_of[id]
        except KeyError:
            raise InputError(f"{self.path} has no item with the id {id!r}") from None

    # -- changing it ----------------------------------------------------------------------------

    def append(self, items: Iterable[Item], *, strict: bool = True) -> None:
        """Add items behind the present rows, in one atomic commit.

        Raises:
            InputError: an id is taken, a picture is unreadable (not `strict`: these are left out
                and listed), or an attribute group is new.
        """
        import pyarrow as pa

        manifest = self.manifest
        columns = Columns(
            dict(manifest.attributes), dict(manifest.extras), dict(manifest.renamed), frozen=True
        )
        checker = Checker(strict=strict, known=self.ids)
        failure: list[BaseException] = []
        interrupted = False

        def batches() -> Iterator[Any]:
            try:
                for batch in checker.batches(items):
                    for entry in batch:
                        columns.learn(entry.item)
                    if interrupted:
                        raise KeyboardInterrupt
                    yield columns.batch(batch)
            except BaseException as error:
                failure.append(error)
                raise RuntimeError("appending stopped") from error

        try:
            self._table.add(pa.RecordBatchReader.from_batches(columns.schema(), batches()))
        except Exception:
            if failure:
                raise failure[0] from None
            raise
        except BaseException:
            interrupted = True  # Lance may still be reading on its own thread
            raise
        self._changed(manifest.having(checker.skipped, checker.notes))

    def delete(self, where: str) -> int:
        """Remove the rows for which `where` holds, in one atomic commit; returns how many.

        Raises:
            InputError: the filter is wrong, or it would leave nothing.
        """
        count = len(self.rows(where))
        if count == len(self):
            raise InputError(f"{where!r} would remove every item; delete the folder {self.path}")
        if count:
            self._table.delete(where)
            self._changed(self.manifest)
        return count

    def _changed(self, manifest: Manifest) -> None:
        if manifest != self.manifest:
            manifest.write(self.path)
            self.manifest = manifest
        for name in _CACHED:
            self.__dict__.pop(name, None)

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.ids)}

    def _column(self, name: str) -> list[Any]:
        values: list[Any] = store.select(self._table, [name])[name].to_pylist()
        return values


def _keep_caches(old: Path, fresh: Path) -> None:
    """Bring the old collection's feature caches along; they are keyed by picture and text."""
    for cache in old.glob("features-*.lance") if old.is_dir() else ():
        try:
            shutil.copytree(cache, fresh / cache.name, copy_function=os.link)
        except (OSError, shutil.Error):
            shutil.rmtree(fresh / cache.name, ignore_errors=True)
