from __future__ import annotations

import pytest

from facetwise.data.item import Item
from facetwise.data.schema import CheckedItem, Columns
from facetwise.errors import InputError


def learned(*items):
    columns = Columns()
    for item in items:
        columns.learn(item)
    return columns


def item(id="1", **more):
    return Item(id, b"x", **more)


def test_kinds_follow_the_values_seen():
    columns = learned(
        item(
            attributes={"a": "x", "b": True, "c": ("x", "y"), "d": None}, extras={"n": 1, "t": "x"}
        )
    )
    assert columns.attributes == {"a": "one", "b": "flag", "c": "several"}
    assert columns.extras == {"n": "number", "t": "text"}


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        ("x", ("y",), "several"),
        (("y",), "x", "several"),
        (True, "x", "one"),
        (True, ("x",), "several"),
        (None, True, "flag"),
    ],
)
def test_a_kind_widens_when_it_must(first, second, kind):
    assert learned(item(attributes={"a": first}), item(attributes={"a": second})).attributes == {
        "a": kind
    }


def test_names_that_are_taken_or_differ_by_case_only_get_a_suffix():
    columns = learned(
        item(
            attributes={"Group": "a", "colour": "b", "Colour": "c"},
            extras={"colour": 1.0, "a.b`": "x"},
        )
    )
    assert list(columns.attributes) == ["Group_2", "colour", "Colour_2"]
    assert list(columns.extras) == ["colour_3", "a_b_"]
    row = columns.batch(
        [
            CheckedItem(
                item(
                    attributes={"Group": "a", "colour": "b", "Colour": "c"},
                    extras={"colour": 1.0},
                    unknown=("Colour=z",),
                ),
                "h",
                1,
                1,
            )
        ]
    ).to_pylist()[0]
    assert (row["Group_2"], row["colour"], row["Colour_2"], row["colour_3"]) == ("a", "b", "c", 1.0)
    assert row["unknown"] == ["Colour_2=z"]
    assert row["group"] is None


def test_earlier_batches_can_be_brought_to_the_wider_schema():
    columns = Columns()
    first = item(attributes={"a": "x", "f": True}, extras={"n": 1.5})
    columns.learn(first)
    batch = columns.batch([CheckedItem(first, "h", 1, 1)])
    columns.learn(
        item(attributes={"a": ("y", "z"), "f": "maybe", "new": "w"}, extras={"n": "many"})
    )
    row = columns.upgraded(batch).to_pylist()[0]
    assert (row["a"], row["f"], row["new"], row["n"]) == (["x"], "true", None, "1.5")
    assert columns.upgraded(batch).schema == columns.schema()


def test_appending_learns_no_new_columns():
    columns = Columns({"a": "one"}, {"n": "number"}, frozen=True)
    columns.learn(item(attributes={"a": "x"}, extras={"n": 2}))
    for bad in (
        item(attributes={"b": "x"}),
        item(attributes={"a": ("x", "y")}),
        item(extras={"n": "x"}),
    ):
        with pytest.raises(InputError, match="does not fit"):
            columns.learn(bad)
