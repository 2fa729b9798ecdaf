from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facetwise.data import Collection, Item
from facetwise.data.splits import choose_unit, holdout, split_collection
from facetwise.errors import InputError

from .conftest import colour, encoded


def made(tmp_path, *entries):
    """(group, split, picture) of each item."""
    items = [
        Item(f"i{n}", encoded(colour(picture)), group=group, split=split)
        for n, (group, split, picture) in enumerate(entries)
    ]
    return Collection.create(tmp_path / "c.collection", items)


def test_shares_are_about_right_and_the_seed_matters():
    keys = [f"k{n}" for n in range(4000)]
    parts = holdout(keys, {"test": 0.2, "val": 0.1}, seed=3)
    counts = Counter(parts)
    assert abs(counts["test"] - 800) < 80
    assert abs(counts["val"] - 400) < 60
    assert parts == holdout(keys, {"test": 0.2, "val": 0.1}, seed=3)
    assert parts != holdout(keys, {"test": 0.2, "val": 0.1}, seed=4)
    assert set(holdout(keys, {"test": 1.0})) == {"test"}


@given(st.lists(st.text(max_size=4)), st.lists(st.text(max_size=4)))
def test_more_keys_never_move_the_others(keys, more):
    fractions = {"test": 0.3, "val": 0.3}
    assert holdout(keys + more, fractions)[: len(keys)] == holdout(keys, fractions)
    parts = dict(zip(keys, holdout(keys, fractions), strict=True))
    assert [parts[key] for key in keys] == holdout(keys, fractions)


@pytest.mark.parametrize("fractions", [{"test": 1.2}, {"test": -0.1}, {"test": 0.6, "val": 0.6}])
def test_shares_must_make_one_whole(fractions):
    with pytest.raises(InputError, match="shares"):
        holdout(["a"], fractions)


def test_things_are_held_out_whole_and_classes_are_not(tmp_path, shapes_120):
    assert choose_unit(shapes_120) == "group"
    assert choose_unit(made(tmp_path / "1", *(("shirt", None, n) for n in range(20)))) == "item"
    many = [(f"class {n % 2}", None, n) for n in range(20)]
    assert choose_unit(made(tmp_path / "2", *many)) == "item"
    assert choose_unit(made(tmp_path / "3", *((None, None, n) for n in range(4)))) == "item"


def test_no_group_is_torn_apart(shapes_120):
    parts = split_collection(shapes_120, test=0.3, val=0.2)
    whole = {}
    for group, part in zip(shapes_120.groups, parts, strict=True):
        assert whole.setdefault(group, part) == part
    assert set(parts) == {"train", "val", "test"}
    assert parts != split_collection(shapes_120, test=0.3, val=0.2, by="item")


def test_equal_pictures_stay_together(tmp_path):
    # pictures 0 and 1 tie the groups a, b and c into one
    entries = [("a", None, 0), ("b", None, 0), ("b", None, 1), ("c", None, 1)]
    others = [(f"g{n}", None, 10 + n) for n in range(30)]
    collection = made(tmp_path, *entries, *others)
    for seed in range(5):
        parts = split_collection(collection, test=0.5, by="group", seed=seed)
        assert len(set(parts[:4])) == 1
        assert {"train", "test"} == set(parts)


def test_a_given_split_wins(tmp_path):
    collection = made(
        tmp_path,
        ("a", "train", 0), ("b", "test", 1), ("b", None, 2), ("c", None, 3), ("d", None, 1),
        ("e", "val", 4),
    )  # fmt: skip
    parts = split_collection(collection, by="group")
    assert parts == ["train", "test", "test", "train", "test", "val"]
    assert split_collection(collection, by="item") == [
        "train", "test", "train", "train", "test", "val",
    ]  # fmt: skip


def test_outfits_stay_whole_but_for_items_of_several(tmp_path):
    items = [Item(f"i{n}", encoded(colour(n)), outfits=(f"o{n // 4}",)) for n in range(80)]
    items[4] = replace(items[4], outfits=("o1", "o0"))
    items.append(Item("alone", encoded(colour(99))))
    collection = Collection.create(tmp_path / "c.collection", items)
    parts = split_collection(collection, test=0.5, by="outfit")
    assert {"train", "test"} == set(parts)
    assert parts[4] == parts[0]  # where the first of its outfits is
    for start in range(0, 80, 4):
        others = [parts[n] for n in range(start, start + 4) if n != 4]
        assert len(set(others)) == 1
