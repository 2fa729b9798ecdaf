import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facetwise.explain.pairs import condition_facets, likely_value
from facetwise.similarity import PairScore, steer

S = torch.tensor([0.377541, 0.750260])
W = torch.tensor([0.916827, 0.083173])


def pair(s, w):
    return PairScore((s * w).sum()[None], s[None], w[None])


def test_contributions_sum_to_the_golden_score():
    facets = condition_facets(pair(S, W), ["colour", "free 1"])
    assert sum(f.contribution for f in facets) == pytest.approx(0.408541, abs=1e-6)
    assert all(f.change == 0 for f in facets)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), m=st.integers(1, 6))
def test_steered_contributions_sum_to_the_steered_score_and_tell_the_change(seed, m):
    generator = torch.Generator().manual_seed(seed)
    s = torch.rand(m, generator=generator, dtype=torch.float64)
    w = torch.softmax(torch.randn(m, generator=generator, dtype=torch.float64), 0)
    factors = torch.rand(m, generator=generator, dtype=torch.float64) * 4 + 0.01
    facets = condition_facets(pair(s, w), [str(i) for i in range(m)], factors=factors)
    steered = steer(pair(s, w), factors)
    assert sum(f.weight for f in facets) == pytest.approx(1)
    assert sum(f.contribution for f in facets) == pytest.approx(float(steered.score))
    unsteered = sum(f.contribution - f.change for f in facets)
    assert unsteered == pytest.approx(float((s * w).sum()))


def test_a_factor_of_nought_takes_a_condition_out_and_one_changes_nothing():
    nought = condition_facets(pair(S, W), ["a", "b"], factors=torch.tensor([0.0, 1.0]))
    assert [f.weight for f in nought] == pytest.approx([0, 1])
    ones = condition_facets(pair(S, W), ["a", "b"], factors=torch.ones(2))
    assert [f.contribution for f in ones] == [
        f.contribution for f in condition_facets(pair(S, W), "ab")
    ]


def test_values_agree_differ_or_are_unknown():
    facets = condition_facets(
        pair(torch.tensor([0.9, 0.1, 0.5]), torch.tensor([0.2, 0.3, 0.5])),
        ["colour", "shape", "free 1"],
        query_values=["red, blue", "round", None],
        item_values=["blue", "square", None],
        guessed=[False, True, True],
    )
    assert [f.agrees for f in facets] == [True, False, None]
    assert [f.guessed for f in facets] == [False, True, False]
    told = [f.to_dict() for f in facets]
    assert told[0]["agrees"] is True
    assert told[1]["query_value_guessed"] is True
    assert "agrees" not in told[2]
    assert json.loads(json.dumps(told)) == told


def test_the_likely_value_needs_half_of_the_votes():
    s = torch.tensor([0.9, 0.8, 0.7, 0.6])
    assert likely_value(s, ["red", "blue", "green", "red"], nearest=4) == "red"
    assert likely_value(s, ["red", "blue", "green", None], nearest=4) is None
    assert likely_value(s, [None] * 4) is None
