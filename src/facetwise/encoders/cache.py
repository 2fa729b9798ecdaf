"""Features computed once: a Lance table beside a collection's items, keyed by content.

Every finished batch is one atomic commit, so that Ctrl-C loses at most a batch and the next run
goes on where this one stopped. Keys are hashes of picture files or texts: a changed picture is
computed anew, an unchanged one never, whichever collection or row it stands in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from facetwise.data import Collection
from facetwise.data.images import decode
from facetwise.data.store import connect
from facetwise.encoders.image import PARTS, ImageEncoder, ImageFeatures
from facetwise.encoders.text import WIDTH, TextEncoder, TextFeatures
from facetwise.progress import bar

__all__ = ["image_features", "pad_tokens", "text_features"]

_BATCH = 64
T = TypeVar("T")


def image_features(
    collection: Collection, encoder: ImageEncoder, rows: Sequence[int]
) -> ImageFeatures:
    """Features of the pictures in `rows`, in that order; computes and keeps what is missing."""
    c, h, w = encoder.grid_shape
    schema = pa.schema(
        [
            ("key", pa.string()),
            ("grid", pa.list_(pa.float16(), c * h * w)),
            ("pooled", pa.list_(pa.float32(), sum(PARTS))),
        ]
    )
    keys = [collection.image_hashes[row] for row in rows]
    table = _table(collection.path, encoder.name, encoder.fingerprint, schema)
    have = _keys(table)
    missing = list(
        {key: row for key, row in zip(keys, rows, strict=True) if key not in have}.items()
    )
    if missing:
        with bar("image features", len(missing)) as progress, ThreadPoolExecutor(1) as reader:
            for batch, prepared in _ahead(reader, collection, encoder, missing):
                features = encoder.encode(prepared)
                table.add(
                    pa.table(
                        {
                            "key": [key for key, _ in batch],
                            "grid": _fixed(features.grid.flatten(1)),
                            "pooled": _fixed(features.pooled),
                        },
                        schema=schema,
                    )
                )
                progress.advance(len(batch))
    found = _read(table, keys)
    order = found["order"]
    return ImageFeatures(
        _matrix(found["table"]["grid"], order).view(-1, c, h, w),
        _matrix(found["table"]["pooled"], order),
    )


def text_features(
    collection: Collection, encoder: TextEncoder, texts: Sequence[str]
) -> TextFeatures:
    """Features of `texts`, in the order asked; computes and keeps what is missing."""
    schema = pa.schema([("key", pa.string()), ("tokens", pa.binary())])
    keys = [hashlib.blake2b(text.encode(), digest_size=16).hexdigest() for text in texts]
    table = _table(collection.path, encoder.name, encoder.fingerprint, schema)
    have = _keys(table)
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in have}
    if missing:
        # Texts of about one length together: no time goes into padding.
        wanted = sorted(missing.items(), key=lambda pair: (len(pair[1]), pair[0]))
        with bar("text features", len(wanted)) as progress:
            for start in range(0, len(wanted), 8 * _BATCH):
                part = wanted[start : start + 8 * _BATCH]
                blobs: list[bytes] = []
                for at in range(0, len(part), _BATCH):
                    features = encoder.encode([text for _, text in part[at : at + _BATCH]])
                    blobs += [
                        tokens[mask].half().numpy().tobytes()
                        for tokens, mask in zip(features.tokens, features.mask, strict=True)
                    ]
                table.add(pa.table({"key": [key for key, _ in part], "tokens": blobs}, schema))
                progress.advance(len(part))
    found = _read(table, keys)
    column = found["table"]["tokens"].combine_chunks()
    rows = [
        torch.from_numpy(np.frombuffer(column[int(index)].as_buffer(), dtype=np.float16).copy())
        for index in found["order"]
    ]
    tokens, mask = pad_tokens([row.view(-1, WIDTH).float() for row in rows])
    return TextFeatures(tokens, mask, encoder.words(texts))


def pad_tokens(rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """(L_i, C) tensors -> (M, L, C) padded with zeros, (M, L) mask.

    >>> tokens, mask = pad_tokens([torch.ones(2, 4), torch.ones(1, 4)])
    >>> tokens.shape, mask.tolist()
    (torch.Size([2, 2, 4]), [[True, True], [True, False]])
    """
    if not rows:
        return torch.empty(0, 0, WIDTH), torch.empty(0, 0, dtype=torch.bool)
    lengths = torch.tensor([len(row) for row in rows])
    tokens = torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True)
    return tokens, torch.arange(tokens.shape[1]) < lengths[:, None]


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


def _table(folder: Path, name: str, fingerprint: str, schema: Any) -> Any:
    # Other weights under the same name get a table of their own.
    database, full = connect(folder), f"features-{name}-{fingerprint[:8]}"
    try:
        return database.open_table(full)
    except (ValueError, RuntimeError):
        return database.create_table(full, schema=schema, exist_ok=True)


def _keys(table: Any) -> set[str]:
    return set(table.search().select(["key"]).to_arrow()["key"].to_pylist())


def _read(table: Any, keys: Sequence[str]) -> dict[str, Any]:
    """The whole cache in one read, and for every key the row where it stands."""
    found = table.search().to_arrow()
    place = {key: index for index, key in enumerate(found["key"].to_pylist())}
    return {"table": found, "order": np.array([place[key] for key in keys], dtype=np.int64)}


def _fixed(values: Tensor) -> Any:
    flat = pa.array(values.contiguous().view(-1).numpy())
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def _matrix(column: Any, order: Any) -> Tensor:
    """A column of fixed-size lists -> (len(order), width), one copy of the rows asked for."""
    width = column.type.list_size
    chunks: Iterable[Any] = column.chunks
    parts = [chunk.flatten().to_numpy(zero_copy_only=True).reshape(-1, width) for chunk in chunks]
    if not parts:
        dtype = np.float16 if pa.types.is_float16(column.type.value_type) else np.float32
        return torch.from_numpy(np.empty((0, width), dtype=dtype))
    out = np.empty((len(order), width), dtype=parts[0].dtype)
    start = 0
    for part in parts:
        here = (order >= start) & (order < start + len(part))
        out[here] = part[order[here] - start]
        start += len(part)
    return torch.from_numpy(out)
