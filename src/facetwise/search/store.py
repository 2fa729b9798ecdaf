"""What an index keeps on disk, and how it is read.

``NAME.index`` is a directory:

- ``index.toml``: format, the model's fingerprint, the collection, counts and shapes.
- ``model/``: a copy of the run, so that an index can be moved and searched alone.
- ``items.lance``: the collection's columns but the pictures; `where` filters these.
- ``vectors.lance``: by the same rows ``sets`` (K D float32, rows of zeros are padding),
  ``attention`` (K H W float16; of a Gaussian, whose rows are mean and log spread, one map),
  ``pairs`` (d float32) and ``thumbnail``.
"""

from __future__ import annotations

import io
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import torch
from torch import Tensor

from facetwise.data import store as lance
from facetwise.data.images import decode
from facetwise.errors import InputError, VersionError
from facetwise.files import write_text

__all__ = [
    "FILE",
    "FORMAT",
    "TILE",
    "About",
    "Vectors",
    "thumbnail",
    "thumbnails",
    "write_items",
    "write_vectors",
]

FILE: Final = "index.toml"
FORMAT: Final = 1
TILE: Final = 65_536
"""Sets that are kept together, slot-major: as many are scored in one product."""

_THUMBNAIL: Final = 256
_KEPT_BYTES: Final = 65_536
_SHOWN_BY_BROWSERS: Final = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF")


@dataclass(frozen=True)
class About:
    """``index.toml``.

    Attributes:
        fingerprint: of the model that made the vectors.
        collection, collection_path, collection_version: what was indexed.
        items: how many.
        sets: [K, D], or [] without a set model.
        attention: [H, W] of the map of each slot, or [].
        pairs: d, or 0 without a pair model.
        attributes: attribute group to its kind, as in the collection.
    """

    fingerprint: str
    collection: str
    collection_path: str
    collection_version: int
    items: int
    sets: list[int]
    attention: list[int]
    pairs: int
    attributes: Mapping[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write ``index.toml`` into `folder`."""
        import tomli_w

        write_text(folder / FILE, tomli_w.dumps({"format": FORMAT, **asdict(self)}))

    @classmethod
    def read(cls, folder: Path) -> About:
        """Read ``index.toml`` from `folder`.

        Raises:
            InputError: `folder` is no index, or the file is damaged.
            VersionError: a newer facetwise made it.
        """
        try:
            content = tomllib.loads((folder / FILE).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError) as error:
            what = "is no index" if folder.exists() else "does not exist"
            raise InputError(
                f"{folder} {what} (no {FILE} there); make one with: "
                "facetwise index RUN COLLECTION --out NAME.index"
            ) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            raise InputError(
                f"{folder / FILE} cannot be read ({error}); build the index again"
            ) from error
        made = content.pop("format", None)
        if isinstance(made, int) and made > FORMAT:
            raise VersionError(
                f"{folder} has format {made}, this facetwise reads up to {FORMAT}; "
                "update it with: pip install --upgrade facetwise"
            )
        try:
            return cls(**content)
        except TypeError as error:
            raise InputError(
                f"{folder / FILE} does not say what it should ({error}); build the index again"
            ) from error


def thumbnail(data: bytes, *, source: str) -> bytes:
    """A picture of at most 256 pixels a side, as JPEG; one that is small already stays as it is."""
    from PIL import Image

    if len(data) <= _KEPT_BYTES and data.startswith(_SHOWN_BY_BROWSERS):
        with Image.open(io.BytesIO(data)) as image:
            if max(image.size) <= _THUMBNAIL:
                return data
    picture = decode(data, source=source)
    picture.thumbnail((_THUMBNAIL, _THUMBNAIL), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=88, subsampling=0)
    return out.getvalue()


def thumbnails(pictures: Sequence[bytes], names: Sequence[str]) -> list[bytes]:
    """`thumbnail` of each, on two threads (Pillow releases the interpreter lock)."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda data, name: thumbnail(data, source=name), pictures, names))


def write_items(folder: Path, table: pa.Table) -> None:
    """Write ``items.lance``: the collection's columns in row order."""
    lance.connect(folder).create_table("items", table)


def write_vectors(folder: Path, batches: Iterator[Mapping[str, Tensor | list[bytes]]]) -> None:
    """Write ``vectors.lance`` from batches of tensors (n, ...) and lists, one row an item."""
    database, table = lance.connect(folder), None
    for batch in batches:
        arrow = pa.table({name: _to_arrow(values) for name, values in batch.items()})
        if table is None:
            table = database.create_table("vectors", arrow)
        else:
            table.add(arrow)


def _to_arrow(values: Tensor | list[bytes]) -> pa.Array:
    if isinstance(values, list):
        return pa.array(values, pa.binary())
    flat = values.detach().cpu().flatten(1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat.flatten().numpy()), flat.shape[1])


class Vectors:
    """``vectors.lance`` opened: vectors are read once, maps and thumbnails when they are asked.

    Attributes:
        sets: tiles of (n, K, D), each laid out slot-major, rows of zeros are padding; empty without
            a set model.
        pairs: (N, d) or None.
    """

    def __init__(self, folder: Path, about: About) -> None:
        self._table = lance.open_table(folder, "vectors")
        self._about = about
        self.sets: tuple[Tensor, ...] = ()
        self.pairs: Tensor | None = None
        n = about.items
        if about.sets:
            k, d = about.sets
            tiles = [
                torch.empty(k, min(TILE, n - start), d).transpose(0, 1)
                for start in range(0, n, TILE)
            ]
            for start, values in self._read("sets"):
                _fill(tiles, start, values.reshape(-1, k, d))
            self.sets = tuple(tiles)
        if about.pairs:
            self.pairs = torch.empty(n, about.pairs)
            for start, values in self._read("pairs"):
                self.pairs.numpy()[start : start + len(values)] = values

    def set(self, row: int) -> Tensor:
        """(K, D) of one item."""
        return self.sets[row // TILE][row % TILE]

    def attention(self, row: int) -> Tensor | None:
        """(K, H, W) where each slot of an item looks, or None if that is not kept.

        A Gaussian's set has two rows and one map: (1, H, W).
        """
        if not self._about.attention:
            return None
        h, w = self._about.attention
        column = lance.take(self._table, [row], ["attention"])["attention"]
        values = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
        maps = torch.tensor(values.astype("float32")).reshape(-1, h, w)
        return maps / maps.sum(dim=(1, 2), keepdim=True).clamp_min(1e-12)

    def thumbnails(self, rows: Sequence[int]) -> list[bytes]:
        """The small pictures of `rows`, in the order asked."""
        column = lance.take(self._table, rows, ["thumbnail"])["thumbnail"]
        found: list[bytes] = column.to_pylist()
        return found

    def _read(self, name: str) -> Iterator[tuple[int, Any]]:
        """A column of vectors as (first row, (n, width) array), chunk by chunk."""
        start = 0
        for chunk in lance.select(self._table, [name])[name].chunks:
            values = chunk.flatten().to_numpy(zero_copy_only=False).reshape(len(chunk), -1)
            yield start, values
            start += len(chunk)


def _fill(tiles: Sequence[Tensor], start: int, values: Any) -> None:
    """Copy (n, K, D) to the tiles that rows `start` to `start + n` lie in."""
    done = 0
    while done < len(values):
        tile, place = divmod(start + done, TILE)
        count = min(len(values) - done, TILE - place)
        tiles[tile][place : place + count].numpy()[...] = values[done : done + count]
        done += count
