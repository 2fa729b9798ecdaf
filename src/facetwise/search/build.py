"""A collection and a model to the files of an index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from facetwise.progress import bar

from .store import About, thumbnails, write_items, write_vectors

if TYPE_CHECKING:
    from facetwise.data import Collection

    from .needs import SearchModel

__all__ = ["write_index"]

_BATCH = 2048  # items that are embedded and written together


def write_index(folder: Path, model: SearchModel, collection: Collection) -> None:
    """Write everything an index holds into `folder`, a batch of items at a time."""
    model.save(folder / "model")
    columns = [name for name in collection.columns if name != "image"]
    write_items(folder, collection.table(columns))
    shapes: dict[str, list[int]] = {}
    write_vectors(folder, _batches(model, collection, shapes))
    About(
        fingerprint=model.fingerprint,
        collection=collection.name,
        collection_path=str(collection.path),
        collection_version=collection.version,
        items=len(collection),
        sets=shapes.get("sets", []),
        attention=shapes.get("attention", [])[1:],
        pairs=sum(shapes.get("pairs", [])),
        attributes=dict(collection.manifest.attributes),
    ).write(folder)


def _batches(
    model: SearchModel, collection: Collection, shapes: dict[str, list[int]]
) -> Iterator[Mapping[str, Tensor | list[bytes]]]:
    with bar("indexing", len(collection)) as progress, torch.inference_mode():
        for start in range(0, len(collection), _BATCH):
            rows = list(range(start, min(start + _BATCH, len(collection))))
            embedding = model.embed_collection(collection, rows)
            batch: dict[str, Tensor | list[bytes]] = {}
            for name, values, dtype in (
                ("sets", embedding.sets, torch.float32),
                ("attention", embedding.attention, torch.float16),
                ("pairs", embedding.pairs, torch.float32),
            ):
                if values is not None:
                    shapes[name] = list(values.shape[1:])
                    batch[name] = values.to(dtype)
            names = [f"{collection.path}: the picture of item {collection.ids[r]!r}" for r in rows]
            batch["thumbnail"] = thumbnails(collection.image_bytes(rows), names)
            yield batch
            progress.advance(len(rows))
