from __future__ import annotations

import pyarrow as pa
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facetwise.data.attributes import AttributeTable

KINDS = {"colour": "one", "tags": "several", "new": "flag"}


def table(colour, tags, new, unknown=None):
    n = len(colour)
    columns = {
        "unknown": pa.array(unknown or [[]] * n, pa.list_(pa.string())),
        "colour": pa.array(colour, pa.string()),
        "tags": pa.array(tags, pa.list_(pa.string())),
        "new": pa.array(new, pa.bool_()),
    }
    return AttributeTable.from_arrow(pa.table(columns), KINDS)


def test_states_are_present_absent_or_unknown():
    found = table(["red", None, "blue"], [["a", "b"], None, []], [True, None, False])
    assert found.groups == ("colour", "tags", "new")
    assert found.names == ("colour=blue", "colour=red", "tags=a", "tags=b", "new")
    assert found.group_index.tolist() == [0, 0, 1, 1, 2]
    assert found.states.dtype == torch.int8
    assert found.states.tolist() == [
        [0, 1, 1, 1, 1],
        [-1, -1, -1, -1, -1],
        [1, 0, 0, 0, 0],
    ]
    assert found.known().tolist() == [[True] * 3, [False] * 3, [True] * 3]
    assert found.values("tags") == ("a", "b")
    assert found.values("new") == ("new",)


def test_a_doubtful_value_is_unknown_and_never_absent():
    found = table(["red"], [["a"]], [True], [["tags=b", "colour=pink", "tags=a"]])
    states = dict(zip(found.names, found.states[0].tolist(), strict=True))
    assert states == {"colour=pink": -1, "colour=red": 1, "tags=a": 1, "tags=b": -1, "new": 1}


def test_sharing_a_value_where_it_is_known():
    found = table(
        ["red", "red", None, "blue"],
        [["a", "b"], ["b", "c"], ["c"], []],
        [True, False, None, False],
    )
    r, c = torch.tensor([0, 0, 0, 1]), torch.tensor([1, 2, 3, 3])
    targets, mask = found.same_value(r, c)
    assert targets.tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 1]]
    assert mask.tolist() == [[1, 1, 1], [0, 1, 0], [1, 1, 1], [1, 1, 1]]


def test_no_attributes_at_all():
    empty = pa.table({"unknown": pa.array([[], []], pa.list_(pa.string()))})
    found = AttributeTable.from_arrow(empty, {})
    assert found.states.shape == (2, 0)
    targets, mask = found.same_value(torch.tensor([0]), torch.tensor([1]))
    assert targets.shape == mask.shape == (1, 0)


def test_a_group_without_any_known_value():
    found = table([None, None], [[], None], [None, None])
    assert found.names == ("new",)
    assert found.slices["colour"] == slice(0, 0)


words = st.sampled_from(["x", "y", "z"])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.none() | words,
            st.none() | st.lists(words, max_size=3, unique=True),
            st.none() | st.booleans(),
            st.lists(st.sampled_from(["colour=x", "tags=y", "tags=w"]), max_size=2, unique=True),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_agrees_with_a_slow_reading_cell_by_cell(rows):
    found = table(*(list(column) for column in zip(*rows, strict=True)))
    for i, (colour, tags, new, unknown) in enumerate(rows):
        for name, state in zip(found.names, found.states[i].tolist(), strict=True):
            group, _, value = name.partition("=")
            if group == "new":
                expected = -1 if new is None else int(new)
            else:
                held = {"colour": None if colour is None else [colour], "tags": tags}[group]
                if held is not None and value in held:
                    expected = 1
                elif held is None or name in unknown:
                    expected = -1
                else:
                    expected = 0
            assert state == expected, (name, rows[i])
    every = torch.arange(len(rows))
    r, c = torch.cartesian_prod(every, every).reshape(-1, 2).T
    targets, mask = found.same_value(r, c)
    back_targets, back_mask = found.same_value(c, r)
    assert torch.equal(targets, back_targets)
    assert torch.equal(mask, back_mask)
    assert bool((targets <= mask).all())
