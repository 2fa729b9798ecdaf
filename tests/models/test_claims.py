import pytest
import torch

from facetwise.data import AttributeTable
from facetwise.models import PAN, PANConfig, Taught
from facetwise.models.claims import agreeing, true_agreement
from facetwise.models.conditions import attribute_conditions
from facetwise.similarity import PairScore


def a_table(states, names=("wing=blue", "wing=red"), kind="several"):
    groups = tuple(dict.fromkeys(name.split("=")[0] for name in names))
    index = torch.tensor([groups.index(name.split("=")[0]) for name in names])
    kinds = (kind,) * len(groups)
    return AttributeTable(groups, kinds, tuple(names), index, torch.tensor(states))


def a_model(combine="or", names=("wing=blue",)):
    config = PANConfig(taught="attributes", combine=combine, free=1, width=2)
    groups = [name.split("=")[0] for name in names]
    return PAN(config, Taught(attribute_conditions(names, groups, combine)), parts=(4,))


ROWS, COLUMNS = torch.tensor([0, 0, 0, 2, 0]), torch.tensor([1, 2, 3, 4, 5])
# Of item 0 on: both have it; one has it; one is unknown; neither has it.
STATES = [[1, 0], [1, 0], [0, 1], [-1, 0], [0, 0], [1, 1]]


@pytest.mark.parametrize(
    ("combine", "truth"),
    [
        ("or", [True, False, False, False, True]),
        ("and", [True, False, False, False, True]),
        ("xnor", [True, False, False, True, True]),
        ("nor", [False, False, False, True, False]),
    ],
)
def test_single_attributes_agree_as_they_were_taught(combine, truth):
    columns, found, known = true_agreement(a_model(combine), a_table(STATES), ROWS, COLUMNS)
    assert columns.tolist() == [0]
    assert found[:, 0].tolist() == truth
    assert known[:, 0].tolist() == [True, True, False, True, True]


def test_a_condition_that_is_taught_a_difference_never_says_agree():
    pan = a_model("and_xor")
    columns, found, _ = true_agreement(pan, a_table(STATES), ROWS, COLUMNS)
    assert columns.tolist() == [0]  # "wing=blue (both)", not "wing=blue (one)"
    assert found[:, 0].tolist() == [True, False, False, False, True]
    s = torch.full((2, 3), 0.9)
    assert agreeing(pan, PairScore(s.sum(-1), s, s)).tolist() == [[True, False, True]] * 2


def test_groups_agree_when_they_share_a_value():
    pan = PAN(PANConfig(free=1, width=2), Taught.groups(["wing", "beak"]), parts=(4,))
    columns, found, known = true_agreement(pan, a_table(STATES), ROWS, COLUMNS)
    assert columns.tolist() == [0]  # the table knows no beak
    assert found[:, 0].tolist() == [True, False, False, False, True]
    assert known[:, 0].tolist()[:2] == [True, True]


def test_a_flag_as_a_group_agrees_in_its_absence_and_as_an_attribute_does_not():
    flags = a_table([[0], [0], [1]], names=("crest",), kind="flag")
    i, j = torch.tensor([0, 0]), torch.tensor([1, 2])
    group = PAN(PANConfig(free=1, width=2), Taught.groups(["crest"]), parts=(4,))
    assert true_agreement(group, flags, i, j)[1].flatten().tolist() == [True, False]
    single = a_model("and", ("crest",))
    assert true_agreement(single, flags, i, j)[1].flatten().tolist() == [False, False]


def test_half_is_where_a_condition_begins_to_say_so():
    pan = a_model("and")
    s = torch.tensor([[0.51, 0.1], [0.5, 0.9]])
    assert agreeing(pan, PairScore(s.sum(-1), s, s)).tolist() == [[True, False], [False, True]]
