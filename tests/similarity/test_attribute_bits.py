from __future__ import annotations

from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facetwise.data.attribute_bits import BitPlanes
from facetwise.similarity import attribute_mask, combine_attributes
from facetwise.similarity.attribute_bits import pair_targets
from facetwise.similarity.attributes import Combination


@pytest.mark.parametrize("how", get_args(Combination))
@pytest.mark.parametrize("rule", ["both", "logic"])
def test_all_nine_pairs_of_states_are_as_the_reference_says(how, rule):
    states = torch.tensor([[-1], [0], [1]], dtype=torch.int8)
    r, c = torch.cartesian_prod(torch.arange(3), torch.arange(3)).T
    targets, mask = pair_targets(BitPlanes.of(states), r, c, how, rule=rule)
    assert targets.equal(combine_attributes(states[r], states[c], how))
    assert mask.equal(attribute_mask(states[r], states[c], how, rule=rule))


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(get_args(Combination)),
    st.sampled_from(["both", "logic"]),
    st.integers(1, 50),
    st.integers(0, 99),
)
def test_any_number_of_attributes_is_as_the_reference_says(how, rule, count, seed):
    g = torch.Generator().manual_seed(seed)
    states = torch.randint(-1, 2, (7, count), generator=g).to(torch.int8)
    r, c = torch.randint(7, (2, 11), generator=g)
    targets, mask = pair_targets(BitPlanes.of(states), r, c, how, rule=rule)
    assert targets.dtype == mask.dtype == torch.float32
    assert targets.equal(combine_attributes(states[r], states[c], how))
    assert mask.equal(attribute_mask(states[r], states[c], how, rule=rule))
    assert pair_targets(BitPlanes.of(states), c, r, how, rule=rule)[0].equal(targets)


@pytest.mark.parametrize("wrong", [{"how": "nand"}, {"rule": "maybe"}])
def test_a_name_that_is_none_is_refused(wrong):
    planes = BitPlanes.of(torch.tensor([[1]]))
    one = torch.tensor([0])
    with pytest.raises(ValueError, match="must be"):
        pair_targets(planes, one, one, **wrong)
