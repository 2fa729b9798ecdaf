from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as parquet
import pytest
import torch

from facetwise import InputError
from facetwise.search import export
from facetwise.search.export import export_vectors
from facetwise.search.store import write_vectors


class Stored:
    """As much of an index as the export reads: 5 items, K = 2, D = 3, d = 4."""

    def __init__(self, path, *, sets=True, pairs=True):
        self.path = path
        self.ids = [f"item {n}" for n in range(5)]
        self.sets = torch.arange(30.0).reshape(5, 2, 3)
        self.pairs = torch.arange(20.0).reshape(5, 4)
        self.about = SimpleNamespace(
            sets=[2, 3] if sets else [],
            pairs=4 if pairs else 0,
            fingerprint="f1",
            collection="shop",
        )
        columns = {"sets": self.sets} if sets else {}
        columns |= {"pairs": self.pairs} if pairs else {}
        write_vectors(path, iter([{k: v[n : n + 3] for k, v in columns.items()} for n in (0, 3)]))

    def __len__(self):
        return len(self.ids)


@pytest.fixture
def stored(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "_BATCH", 2)

    def make(**has):
        folder = tmp_path / "shop.index"
        folder.mkdir()
        return Stored(folder, **has)

    return make


def test_vectors_come_back_as_they_were(stored, tmp_path):
    index = stored()
    out = tmp_path / "out" / "vectors.parquet"
    assert export_vectors(index, out) == 5
    table = parquet.read_table(out)
    assert table["id"].to_pylist() == index.ids
    assert np.array_equal(np.array(table["sets"].to_pylist()), index.sets.numpy())
    assert np.array_equal(np.array(table["pairs"].to_pylist()), index.pairs.numpy())
    assert table.schema.metadata[b"facetwise.model"] == b"f1"
    assert table.schema.metadata[b"facetwise.collection"] == b"shop"
    assert [file.name for file in out.parent.iterdir()] == ["vectors.parquet"]


@pytest.mark.parametrize(
    ("has", "column"), [({"sets": False}, "pairs"), ({"pairs": False}, "sets")]
)
def test_only_the_models_that_are_there_have_columns(stored, tmp_path, has, column):
    export_vectors(stored(**has), tmp_path / "v.parquet")
    assert parquet.read_schema(tmp_path / "v.parquet").names == ["id", column]


def test_a_file_that_is_there_stays_unless_asked(stored, tmp_path):
    index = stored()
    out = tmp_path / "v.parquet"
    out.write_bytes(b"mine")
    with pytest.raises(InputError, match="exists already"):
        export_vectors(index, out)
    assert out.read_bytes() == b"mine"
    export_vectors(index, out, overwrite=True)
    assert parquet.read_table(out).num_rows == 5


def test_an_interrupt_leaves_the_old_file(stored, tmp_path, monkeypatch):
    index = stored()
    out = tmp_path / "v.parquet"
    out.write_bytes(b"mine")

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(export, "_nested", stop)
    with pytest.raises(KeyboardInterrupt):
        export_vectors(index, out, overwrite=True)
    assert out.read_bytes() == b"mine"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["shop.index", "v.parquet"]


def test_a_directory_is_no_file(stored, tmp_path):
    with pytest.raises(InputError, match="is a directory"):
        export_vectors(stored(), tmp_path)
