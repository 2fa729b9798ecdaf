from __future__ import annotations

from facetwise.data import Collection, Item
from facetwise.data.sheet import contact_sheet, sample_rows

from .conftest import encoded


def test_sample_rows_are_spread_and_distinct():
    assert sample_rows(3, 24) == [0, 1, 2]
    rows = sample_rows(1000, 24)
    assert len(set(rows)) == 24
    assert rows[0] < 50
    assert rows[-1] > 950


def test_the_pictures_are_on_the_sheet(shapes_120):
    sheet = contact_sheet(shapes_120, [0, 1, 2], across=2)
    assert sheet.mode == "RGB"
    colours = {colour for _, colour in sheet.getcolors(1 << 24)}
    assert {(214, 40, 40), (38, 84, 200), (44, 150, 62)} <= colours
    assert contact_sheet(shapes_120, [0, 1], across=2).height < sheet.height


def test_long_words_and_missing_ones_fit(tmp_path):
    items = [Item("x" * 400, encoded(), ("w" * 3000,)), Item("é 日本 \n b", encoded(size=(500, 2)))]
    collection = Collection.create(tmp_path / "c.collection", items)
    assert contact_sheet(collection).width == contact_sheet(collection, [0]).width
