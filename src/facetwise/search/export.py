"""An index's vectors as a Parquet file, for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data import store as lance
from ..errors import InputError
from ..files import replacing
from ..progress import bar

if TYPE_CHECKING:
    from .index import Index

__all__ = ["export_vectors"]

_BATCH = 4096


def export_vectors(index: Index, path: str | Path, *, overwrite: bool = False) -> int:
    """Write the ids and vectors of `index` to the Parquet file `path`.

    Columns: `id`; `sets`, K lists of D numbers, where the run has a set model: L2-normalised, lists
    of zeros are padding (of Gaussians the mean and the log spread, as they are);
    `pairs`, d numbers, where it has a pair model. The file's metadata names the model
    (`facetwise.model`, its fingerprint) and the collection (`facetwise.collection`). Rows are in
    the order of the collection.

    Returns:
        How many items were written.

    Raises:
        InputError: `path` is there already and `overwrite` is not asked.
        FacetwiseError: the disk is full; an old file is still there.
    """
    import pyarrow as pa
    import pyarrow.parquet as parquet

    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path} is a directory; name a file such as {path / 'vectors.parquet'}")
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists already; choose another name, or --overwrite it")
    about = index.about
    fields = [pa.field("id", pa.string())]
    if about.sets:
        fields.append(pa.field("sets", pa.list_(pa.list_(pa.float32()))))
    if about.pairs:
        fields.append(pa.field("pairs", pa.list_(pa.float32())))
    schema = pa.schema(
        fields,
        metadata={"facetwise.model": about.fingerprint, "facetwise.collection": about.collection},
    )
    with (
        replacing(path) as beside,
        parquet.ParquetWriter(beside, schema) as writer,
        bar("exporting", total=len(index)) as progress,
    ):
        vectors = lance.open_table(index.path, "vectors")
        for start in range(0, len(index), _BATCH):
            rows = range(start, min(start + _BATCH, len(index)))
            found = lance.take(vectors, rows, [field.name for field in fields[1:]])
            columns: list[Any] = [pa.array(index.ids[start : rows.stop], pa.string())]
            if about.sets:
                columns.append(_nested(found["sets"], *about.sets))
            if about.pairs:
                columns.append(found["pairs"].combine_chunks().cast(schema.field("pairs").type))
            writer.write_table(pa.table(columns, schema=schema))
            progress.advance(len(rows))
    return len(index)


def _nested(column: Any, k: int, d: int) -> Any:
    """(n,) of K D numbers as (n,) of K lists of D."""
    import pyarrow as pa

    values = column.combine_chunks().flatten()
    n = len(values) // (k * d)
    inner = pa.ListArray.from_arrays(pa.array(range(0, n * k * d + 1, d), pa.int32()), values)
    return pa.ListArray.from_arrays(pa.array(range(0, n * k + 1, k), pa.int32()), inner)
