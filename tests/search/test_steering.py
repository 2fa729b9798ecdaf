import pytest
import torch

from facetwise.errors import InputError
from facetwise.search.steering import agreement, check_weigh, factors_of, named


def slow_agreement(likelihood, states):
    out = []
    for row in states:
        values = [v for v, s in enumerate(row) if s == 1] or [
            v for v, s in enumerate(row) if s == -1
        ]
        out.append(sum(likelihood[v] for v in values) / len(values) if values else 0.0)
    return out


def test_agreement_is_the_expected_agreement_of_each_item():
    generator = torch.Generator().manual_seed(0)
    states = torch.randint(-1, 2, (50, 6), generator=generator, dtype=torch.int8)
    p = torch.softmax(torch.randn(6, generator=generator), 0)
    fast = agreement(p, states, flag=False)
    assert fast.tolist() == pytest.approx(slow_agreement(p.tolist(), states.tolist()), abs=1e-6)


def test_an_unknown_value_agrees_as_an_even_guess_and_no_value_not_at_all():
    p = torch.tensor([0.7, 0.2, 0.1])
    states = torch.tensor([[-1, -1, -1], [0, 0, 0], [-1, 0, -1]], dtype=torch.int8)
    torch.testing.assert_close(agreement(p, states, flag=False), torch.tensor([1 / 3, 0.0, 0.4]))


def test_a_name_that_cannot_be_weighed_is_told_with_those_that_can():
    with pytest.raises(InputError, match=r"'color'.*colour, shape"):
        check_weigh({"color": 3}, ["colour", "shape"])
    with pytest.raises(InputError, match="nothing can be weighed"):
        check_weigh({"color": 3}, [])


@pytest.mark.parametrize("factor", [-1, float("nan"), float("inf"), "much", None])
def test_a_weight_is_a_number_from_nought_up(factor):
    with pytest.raises(InputError, match="from 0 up"):
        check_weigh({"colour": factor}, ["colour"])


def test_a_condition_is_weighed_by_its_own_name_before_that_of_its_group():
    conditions = [("colour is red", "colour"), ("colour is blue", "colour"), ("free 1", None)]
    factors = factors_of({"colour": 2.0, "colour is red": 5.0, "free 1": 0.0}, conditions)
    assert factors.tolist() == [5.0, 2.0, 0.0]
    assert factors_of({"colour": 1.0}, conditions) is None
    with pytest.raises(InputError, match="nothing counts"):
        factors_of({"colour": 0.0, "free 1": 0.0}, conditions)


def test_words_of_the_query_that_name_values_are_taken_at_their_word():
    colours = ["orange", "red", "navy blue", "blue"]
    assert named("Red fruit", colours) == [1]
    assert named("a navy-blue shirt", colours) == [2]
    assert named("red and blue", colours) == [1, 3]
    assert named("redder, blues", colours) == []
