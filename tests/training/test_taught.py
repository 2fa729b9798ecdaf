from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from facetwise.data import AttributeTable
from facetwise.errors import InputError
from facetwise.models import PANConfig, SiameseConfig
from facetwise.similarity import attribute_mask, combine_attributes
from facetwise.training.attribute_targets import attribute_targets, item_targets
from facetwise.training.taught import some_attributes, taught_by, taught_table, taught_values

TABLE = AttributeTable(
    groups=("colour", "new", "wing"),
    kinds=("one", "flag", "several"),
    names=("colour=blue", "colour=red", "new", "wing=long", "wing=round", "wing=striped"),
    group_index=torch.tensor([0, 0, 1, 2, 2, 2]),
    states=torch.tensor(
        [[1, 0, 1, 0, 1, 0], [0, 1, -1, 1, 1, 0], [-1, -1, 0, 1, 0, -1], [0, 1, 0, 1, 1, 0]],
        dtype=torch.int8,
    ),
)
"""No item is known to have striped wings."""


@dataclass(frozen=True)
class Somewhere:
    path: Path = Path("birds.collection")


WHERE = Somewhere()


@dataclass(frozen=True)
class Stuff:
    """What `taught_by` looks at of the material."""

    attributes: AttributeTable
    single: AttributeTable
    collection: Any = WHERE
    rows: tuple[int, ...] = (0, 1, 2, 3)


MATERIAL: Any = Stuff(TABLE.columns(torch.tensor([0, 1, 2])), TABLE.varying())


def names(config):
    return [(c.name, c.group) for c in taught_by(config, MATERIAL).conditions]


def test_attributes_that_do_not_vary_teach_nothing():
    assert TABLE.varying().names == TABLE.names[:5]
    assert TABLE.varying().groups == TABLE.groups


def test_some_columns_keep_their_groups_and_their_order():
    some = TABLE.columns(torch.tensor([4, 0, 3]))
    assert some.groups == ("colour", "wing") and some.kinds == ("one", "several")
    assert some.names == ("colour=blue", "wing=long", "wing=round")
    assert some.group_index.tolist() == [0, 1, 1]
    assert some.states.equal(TABLE.states[:, [0, 3, 4]])
    assert some.slices["wing"] == slice(1, 3)


def test_groups_are_taught_by_default():
    assert names(PANConfig()) == [("colour", "colour"), ("new", "new")]


def test_single_attributes_are_conditions_with_their_groups():
    assert names(PANConfig(taught="attributes")) == [
        ("colour=blue", "colour"),
        ("colour=red", "colour"),
        ("new", "new"),
        ("wing=long", "wing"),
        ("wing=round", "wing"),
    ]


def test_and_xor_has_two_conditions_an_attribute():
    found = names(PANConfig(taught="attributes", combine="and_xor"))
    assert len(found) == 10 and len(set(found)) == 10
    assert [name for name, _ in found[:2]] == ["colour=blue (both)", "colour=red (both)"]
    assert [name for name, _ in found[5:7]] == ["colour=blue (one)", "colour=red (one)"]


@pytest.mark.parametrize("config", [PANConfig(taught="none"), SiameseConfig()])
def test_nothing_is_taught_where_nothing_learns_from_it(config):
    assert names(config) == []
    table = taught_table(config, MATERIAL)
    assert table.names == () and len(table) == 4
    assert attribute_targets(config, table) is None


def test_a_subset_is_the_same_for_all_runs_and_grows():
    chosen = [set(some_attributes(TABLE, count, 44).names) for count in range(1, 7)]
    assert all(len(some) == count for count, some in enumerate(chosen, 1))
    assert all(small < large for small, large in pairwise(chosen))
    assert len({some_attributes(TABLE, 2, seed).names for seed in range(20)}) > 3
    assert [name for name, _ in names(PANConfig(taught="attributes", attributes=2))] == list(
        some_attributes(MATERIAL.single, 2, 44).names
    )


def test_more_attributes_than_there_are_is_an_error_that_says_what_to_do():
    with pytest.raises(InputError, match="has 5 that some training items have"):
        names(PANConfig(taught="attributes", attributes=6))


@pytest.mark.parametrize("how", ["or", "and", "xor", "xnor", "nor", "and_xor"])
@pytest.mark.parametrize("certain", ["both", "logic"])
def test_targets_stand_as_the_conditions_do(how, certain):
    config = PANConfig(taught="attributes", combine=how, certain=certain)
    table = taught_table(config, MATERIAL)
    r, c = torch.triu_indices(4, 4, 1)
    found = attribute_targets(config, table)
    assert found is not None
    targets, mask = found(r, c)
    assert targets.shape[1] == len(names(config))
    a, b = table.states[r], table.states[c]
    assert targets.equal(combine_attributes(a, b, how))
    assert mask.equal(attribute_mask(a, b, how, rule=certain))


def test_groups_are_taught_whether_two_items_have_the_same_value():
    found = attribute_targets(PANConfig(), MATERIAL.attributes)
    assert found is not None
    targets, mask = found(torch.tensor([1, 0]), torch.tensor([3, 2]))
    assert targets.tolist() == [[1.0, 0.0], [0.0, 0.0]]
    assert mask.tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_an_item_is_taught_what_is_known_of_it():
    targets, mask = item_targets(TABLE, torch.tensor([1, 2]))
    assert targets.tolist() == [[0, 1, 0, 1, 1, 0], [0, 0, 0, 1, 0, 0]]
    assert mask.tolist() == [[1, 1, 0, 1, 1, 1], [0, 0, 1, 1, 1, 0]]


def values_of(config):
    return taught_values(taught_by(config, MATERIAL), taught_table(config, MATERIAL))


def test_what_a_start_is_told_of_groups_are_their_values():
    colour, new = values_of(PANConfig())
    nan = float("nan")
    expected = torch.tensor([[1, 0], [0, 1], [nan, nan], [0, 1]])
    torch.testing.assert_close(colour, expected, equal_nan=True)
    torch.testing.assert_close(new, torch.tensor([[1], [nan], [0], [0]]), equal_nan=True)


@pytest.mark.parametrize("combine", ["or", "and_xor"])
def test_what_a_start_is_told_of_single_attributes_stands_as_the_conditions_do(combine):
    config = PANConfig(taught="attributes", combine=combine)
    values = values_of(config)
    assert len(values) == len(names(config))
    for own, (name, _) in zip(values, names(config), strict=True):
        states = TABLE.states[:, TABLE.names.index(name.split(" (")[0])].float()
        torch.testing.assert_close(own.nan_to_num(-1), states[:, None])
        assert own.isnan().equal(states[:, None] == -1)


def test_a_start_is_told_of_the_chosen_attributes_alone():
    config = PANConfig(taught="attributes", attributes=2)
    chosen = some_attributes(MATERIAL.single, 2, 44)
    for own, states in zip(values_of(config), chosen.states.T.float(), strict=True):
        torch.testing.assert_close(own.nan_to_num(-1), states[:, None])


@pytest.mark.parametrize(
    "config", [PANConfig(taught="none"), SiameseConfig(), SiameseConfig(attribute_head=True)]
)
def test_where_nothing_is_taught_a_start_is_told_nothing(config):
    assert values_of(config) == ()
