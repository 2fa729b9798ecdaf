from __future__ import annotations

import json

from facetwise.data import Collection, Item
from facetwise.data.inspecting import inspect

from .conftest import colour, encoded


def test_counts_and_what_is_wrong(tmp_path):
    same = encoded("red")
    items = [
        Item("a", same, ("one", "two"), ("en", "de"), "g", attributes={"c": "red", "k": "x"}),
        Item("b", same, group="g", attributes={"c": "blue", "k": "x"}, extras={"year": 2001}),
        Item("c", encoded(size=(40, 20)), ("three",), group="h", attributes={"tags": ("p", "q")}),
        Item("d", encoded(colour(4)), ("four",), attributes={"new": True}, split="test"),
        Item("e", b""),
    ]
    report = inspect(Collection.create(tmp_path / "c.collection", items, source="table.csv"))
    assert (report.items, report.texts, report.items_without_text) == (4, 4, 1)
    assert (report.width.least, report.width.most, report.height.most) == (8, 40, 20)
    assert report.languages == {"en": 3, "de": 1}
    assert (report.groups, report.items_without_group, report.groups_with_one_item) == (2, 1, 1)
    assert report.splits == {"test": 1}
    groups = {group.name: group for group in report.attributes}
    assert (groups["c"].values, groups["c"].known, groups["c"].missing) == (2, 2, 2)
    assert groups["tags"].top == (("p", 1), ("q", 1))
    assert groups["new"].top == (("yes", 1),)
    assert (report.extras[0].least, report.extras[0].missing) == (2001, 3)
    assert report.same_picture == report.conflicting == (("a", "b"),)
    said = "\n".join(report.wrong)
    for words in (
        "rows left out: 1 (image: 1)",
        "items without text: 1",
        "groups with one member: 1 of 2",
        "items in no group: 1",
        "attribute k is constant (x)",
        "attribute tags is unknown for 3 of 4 items",
        "byte by byte: 2 (1 pictures, the first of a, b)",
        "differ in group or attributes: 1 (the first of a, b)",
    ):
        assert words in said
    assert json.loads(json.dumps(report.to_dict()))["items"] == 4


def test_a_sound_collection(shapes_120):
    report = inspect(shapes_120)
    assert report.wrong == ()
    assert report.group_size.middle == 4


def test_texts_that_are_all_the_same(tmp_path):
    items = [Item(f"{n}", encoded(colour(n)), ("photo",), group="g") for n in range(2)]
    report = inspect(Collection.create(tmp_path / "c.collection", items))
    assert report.wrong == ("all texts are the same: they tell no item from another",)


def test_pictures_alone(tmp_path):
    report = inspect(Collection.create(tmp_path / "c.collection", [Item("a", encoded())]))
    assert report.wrong == (
        "no item has a text: searching by text cannot be learned",
        "there are neither groups nor attributes: only image-text similarity can be learned",
    )
