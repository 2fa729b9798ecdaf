"""Features computed once: a Lance table beside a collection's items, keyed by content.

Every finished batch is one atomic commit, so that Ctrl-C loses at most a batch and the next run
goes on where this one stopped. Keys are hashes of picture files or texts: a changed picture is
computed anew, an unchanged one never, whichever collection or row it stands in. What is kept of a
picture or text does not depend on those it was computed together with, to the last bit.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from facetwise.data import Collection
from facetwise.data.images import decode
from facetwise.data.regions import has_regions
from facetwise.data.store import connect
from facetwise.encoders.features import ImageEncoder, ImageFeatures, TextEncoder, TextFeatures
from facetwise.encoders.regions import RegionFile, region_features
from facetwise.errors import FacetwiseError, InputError
from facetwise.progress import bar

__all__ = ["image_features", "pad_tokens", "text_features"]

_BATCH = 64
"""Pictures, or texts, that go through an encoder at once."""

_COMMIT = 512
"""Texts that are kept at once."""

_STEADY = 16
"""Smaller batches go other ways through the matrix products, and differ in the last bits."""

_ARROW = {torch.float16: pa.float16(), torch.uint8: pa.uint8()}
"""Of the grid: of a middle or the last layer, or pixels."""

T = TypeVar("T")


def image_features(
    collection: Collection, encoder: ImageEncoder, rows: Sequence[int]
) -> ImageFeatures:
    """Features of the pictures in `rows`, in that order; computes and keeps what is missing.

    Raises:
        InputError: a picture cannot be read, or is the card of regions that were made elsewhere.
    """
    if isinstance(encoder, RegionFile):
        return region_features(collection, encoder, rows)
    if has_regions(collection):
        raise InputError(
            f"{collection.path} has pre-computed regions, and plain cards for pictures; "
            'fit a run with encoders.image="regions" on it'
        )
    c, h, w = encoder.grid_shape
    schema = pa.schema(
        [
            ("key", pa.string()),
            ("grid", pa.list_(_ARROW[encoder.grid_dtype], c * h * w)),
            ("pooled", pa.list_(pa.float32(), sum(encoder.parts))),
        ]
    )
    hashes = collection.image_hashes
    keys = [hashes[row] for row in rows]
    cache = _Cache(collection, encoder.name, encoder.fingerprint, schema)
    missing = [(key, row) for key, row in dict(zip(keys, rows, strict=True)).items()]
    missing = [(key, row) for key, row in missing if key not in cache.place]
    if missing:
        with bar("image features", len(missing)) as progress, ThreadPoolExecutor(1) as reader:
            for batch, prepared in _ahead(reader, collection, encoder, missing):
                features = encoder.encode(_steady(prepared))
                cache.add(
                    {
                        "key": [key for key, _ in batch],
                        "grid": _fixed(features.grid[: len(batch)].flatten(1)),
                        "pooled": _fixed(features.pooled[: len(batch)]),
                    }
                )
                progress.advance(len(batch))
    grid = torch.empty(len(keys), c * h * w, dtype=encoder.grid_dtype)
    pooled = torch.empty(len(keys), sum(encoder.parts))
    for at, found in cache.read(keys):
        grid[at] = _matrix(found["grid"])
        pooled[at] = _matrix(found["pooled"])
    return ImageFeatures(grid.unflatten(1, (c, h, w)), pooled)


def text_features(
    collection: Collection, encoder: TextEncoder, texts: Sequence[str]
) -> TextFeatures:
    """Features of `texts`, in that order; computes and keeps what is missing.

    Numbers of tokens are made anew each time: that takes less than to read them.
    """
    if not encoder.width:
        return encoder.encode(texts)
    schema = pa.schema([("key", pa.string()), ("tokens", pa.binary())])
    keys = [hashlib.blake2b(text.encode(), digest_size=16).hexdigest() for text in texts]
    cache = _Cache(collection, encoder.name, encoder.fingerprint, schema)
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in cache.place}
    if missing:
        with bar("text features", len(missing)) as progress:
            blobs: dict[str, bytes] = {}
            for batch in _of_one_length(encoder, missing):
                features = encoder.encode(_steady([text for _, text in batch]))
                for (key, _), tokens in zip(batch, features.tokens, strict=False):
                    blobs[key] = tokens.numpy().tobytes()
                if len(blobs) >= _COMMIT:
                    cache.add({"key": list(blobs), "tokens": list(blobs.values())})
                    blobs = {}
                progress.advance(len(batch))
            if blobs:
                cache.add({"key": list(blobs), "tokens": list(blobs.values())})
    rows = [torch.empty(0)] * len(keys)
    for places, found in cache.read(keys):
        for place, blob in zip(places.tolist(), found["tokens"].to_pylist(), strict=True):
            values = np.frombuffer(blob, dtype=np.float16).reshape(-1, encoder.width)
            rows[place] = torch.from_numpy(values.copy())
    return TextFeatures(*pad_tokens(rows, encoder.width), encoder.words(texts))


def pad_tokens(rows: Sequence[Tensor], width: int) -> tuple[Tensor, Tensor]:
    """(L_i, C) tensors -> (M, L, C) padded with zeros, (M, L) mask.

    >>> tokens, mask = pad_tokens([torch.ones(2, 4), torch.ones(1, 4)], 4)
    >>> tokens.shape, mask.tolist()
    (torch.Size([2, 2, 4]), [[True, True], [True, False]])
    """
    if not rows:
        return torch.empty(0, 0, width, dtype=torch.float16), torch.empty(0, 0, dtype=torch.bool)
    lengths = torch.tensor([len(row) for row in rows])
    tokens = torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True)
    return tokens, torch.arange(tokens.shape[1]) < lengths[:, None]


def _of_one_length(
    encoder: TextEncoder, texts: Mapping[str, str]
) -> Iterator[list[tuple[str, str]]]:
    """Batches of (key, text) with equally many tokens: no time and no bits go into padding."""
    lengths = map(len, encoder.words(list(texts.values())))
    entries = sorted(zip(lengths, texts.items(), strict=True))
    for _, same in groupby(entries, key=lambda entry: entry[0]):
        pairs = [pair for _, pair in same]
        for start in range(0, len(pairs), _BATCH):
            yield pairs[start : start + _BATCH]


def _steady(batch: list[T]) -> list[T]:
    """The batch with its last entry repeated until it is no small one."""
    return batch + batch[-1:] * (_STEADY - len(batch))


def _ahead(
    reader: ThreadPoolExecutor,
    collection: Collection,
    encoder: ImageEncoder,
    missing: Sequence[tuple[str, int]],
) -> Iterator[tuple[Sequence[tuple[str, int]], list[Tensor]]]:
    """Batches with their pictures prepared; the next one is read while this one is encoded."""

    def prepare(batch: Sequence[tuple[str, int]]) -> list[Tensor]:
        rows = [row for _, row in batch]
        return [
            encoder.prepare(decode(data, source=f"{collection.path}: item {collection.ids[row]!r}"))
            for row, data in zip(rows, collection.image_bytes(rows), strict=True)
        ]

    batches = [missing[start : start + _BATCH] for start in range(0, len(missing), _BATCH)]
    coming = reader.submit(prepare, batches[0])
    for batch, after in zip(batches, [*batches[1:], None], strict=True):
        prepared = coming.result()
        if after is not None:
            coming = reader.submit(prepare, after)
        yield batch, prepared


class _Cache:
    """The table of one encoder's features beside a collection.

    Attributes:
        place: the row of each key.

    Raises:
        FacetwiseError: it is damaged.
    """

    def __init__(self, collection: Collection, name: str, fingerprint: str, schema: Any) -> None:
        self.database, self.schema = connect(collection.path), schema
        # Other weights under the same name get a table of their own.
        self.name = f"features-{name}-{fingerprint[:8]}"
        self.folder = Path(self.database.uri) / f"{self.name}.lance"
        with self._readable():
            if any(self.folder.glob("_versions/*.manifest")):
                self.table = self.database.open_table(self.name)
            else:
                self._check_writable()
                shutil.rmtree(self.folder, ignore_errors=True)  # a process died that was making it
                self.table = self.database.create_table(self.name, schema=schema, exist_ok=True)
            self.place = self._places()
        self.fresh = True

    def add(self, columns: Mapping[str, Any]) -> None:
        """One atomic commit.

        Raises:
            InputError: the collection is in a place where nothing may be written.
        """
        self._check_writable()
        self.fresh = False
        self.table.add(pa.table(dict(columns), schema=self.schema))

    def read(self, keys: Sequence[str]) -> Iterator[tuple[Tensor, Any]]:
        """The rows of `keys`, in batches as they are stored.

        Yields:
            which of the keys (indices), and their rows as a `pyarrow.RecordBatch`.

        Raises:
            FacetwiseError: the cache is damaged.
        """
        if not keys:
            return
        if not self.fresh:  # other processes may have added rows, too
            self.place, self.fresh = self._places(), True
        rows = np.array([self.place[key] for key in keys], dtype=np.int64)
        order = np.argsort(rows, kind="stable")
        stored = rows[order]
        # What belongs to neighbouring items was mostly computed together, and stands together.
        first, end = int(stored[0]), int(stored[-1]) + 1
        query = self.table.search().offset(first).limit(end - first)
        start = first
        with self._readable():
            for batch in query.to_batches(4 * _BATCH):
                low, high = np.searchsorted(stored, [start, start + batch.num_rows])
                if high > low:
                    found = batch.take(pa.array(stored[low:high] - start))
                    yield torch.from_numpy(order[low:high]), found
                start += batch.num_rows

    def _check_writable(self) -> None:
        if not os.access(self.folder.parent, os.W_OK):
            raise InputError(
                f"{self.folder.parent} is read-only, and not all features of its items are cached "
                "there; use a copy in a place that you may write to"
            )

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except FacetwiseError:
            raise
        except (RuntimeError, OSError, ValueError) as error:
            what = " ".join(str(error).split())[:120]
            raise FacetwiseError(
                f"{self.folder} is damaged ({what}); delete it, and it is computed again"
            ) from error

    def _places(self) -> dict[str, int]:
        keys = self.table.search().select(["key"]).to_arrow()["key"].to_pylist()
        return {key: row for row, key in enumerate(keys)}


def _fixed(values: Tensor) -> Any:
    flat = pa.array(values.contiguous().view(-1).numpy())
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def _matrix(column: Any) -> Tensor:
    """A column of fixed-size lists -> (rows, width)."""
    flat = column.flatten().to_numpy(zero_copy_only=True)
    return torch.from_numpy(flat.reshape(-1, column.type.list_size).copy())
