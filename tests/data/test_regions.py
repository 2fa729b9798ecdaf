from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from facetwise.data import Collection, Item
from facetwise.data.images import decode
from facetwise.data.regions import (
    card,
    has_regions,
    open_regions,
    region_extras,
    region_rows,
)
from facetwise.errors import InputError


def test_a_card_follows_the_id_and_the_regions():
    regions = np.arange(6, dtype=np.float32).reshape(2, 3)
    one = card("391895", regions)
    assert one == card("391895", regions.copy())
    assert one != card("391896", regions)
    changed = regions.copy()
    changed[1, 2] += 1e-6 * changed[1, 2]
    assert one != card("391895", changed)
    picture = decode(one, source="card")
    assert max(picture.size) <= 256  # is its own thumbnail
    assert len(picture.getcolors(1000)) > 2  # there is something on it


def test_a_long_id_stays_on_the_card():
    data = card("COCO_val2014_" + "0" * 300, np.zeros((1, 1), np.float32))
    picture = np.asarray(Image.open(io.BytesIO(data)).convert("L"), dtype=float)
    for edge in (picture[0], picture[-1], picture[:, 0], picture[:, -1]):
        assert edge.std() == 0


def items(tmp_path, *places):
    for number, (file, row) in enumerate(places):
        extras = {} if file is None else region_extras(tmp_path / file, row)
        yield Item(str(number), card(str(number), np.ones((1, 1))), ("a text",), extras=extras)


def test_rows_are_found_file_by_file_in_the_order_asked(tmp_path):
    places = [("b.npy", 5), ("a.npy", 0), ("b.npy", 10), ("a.npy", 7)]
    collection = Collection.create(tmp_path / "c.collection", items(tmp_path, *places))
    assert has_regions(collection)
    first, second = region_rows(collection, [2, 3, 0])
    assert (first.file, first.rows, first.places) == (tmp_path / "a.npy", (7,), (1,))
    assert (second.file, second.rows, second.places) == (tmp_path / "b.npy", (10, 5), (0, 2))
    assert region_rows(collection, []) == []


def test_collections_without_regions_say_what_to_do(tmp_path):
    mixed = Collection.create(tmp_path / "m.collection", items(tmp_path, ("a.npy", 0), (None, 0)))
    with pytest.raises(InputError, match="'1' has no pre-computed regions"):
        region_rows(mixed, [0, 1])
    none = Collection.create(tmp_path / "n.collection", items(tmp_path, (None, 0)))
    assert not has_regions(none)
    with pytest.raises(InputError, match="--benchmark precomp"):
        region_rows(none, [0])


def test_a_file_that_is_gone_or_no_array(tmp_path):
    with pytest.raises(InputError, match=r"a\.npy is gone"):
        open_regions(tmp_path / "a.npy")
    (tmp_path / "a.npy").write_bytes(b"text")
    with pytest.raises(InputError, match="no whole array"):
        open_regions(tmp_path / "a.npy")
    np.save(tmp_path / "a.npy", np.zeros((2, 3), np.float32))
    with pytest.raises(InputError, match="expected floats"):
        open_regions(tmp_path / "a.npy")


def test_what_is_written_to_an_opened_array_stays_in_memory(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((2, 3, 4), np.float32))
    open_regions(tmp_path / "a.npy")[:] = 1
    assert not np.load(tmp_path / "a.npy").any()
