import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facetwise.explain import Explanation, Facet
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


def claimed(query_value, item_value, says, *, single=False, guessed=False):
    return condition_facets(
        pair(torch.tensor([0.7]), torch.tensor([1.0])),
        ["colour"],
        query_values=[query_value],
        item_values=[item_value],
        guessed=[guessed],
        taught=[True],
        single=[single],
        says=torch.tensor([says]),
    )[0]


@pytest.mark.parametrize(
    ("facet", "verdict"),
    [
        (claimed("red", "red", True), "agree"),
        (claimed("red", "blue", False), "differ"),
        (claimed("red", "red", False), "agree, but look unlike"),
        (claimed("red", "blue", True), "differ, but look alike"),
        (claimed("red", "blue", True, guessed=True), "not sure: they look alike"),
        (claimed("red", "red", True, guessed=True), "agree"),
        (claimed(None, "red", True), "look alike"),
        (claimed(None, None, False), "look unlike"),
        (claimed(None, "yes", True, single=True), "likely both have it"),
        (claimed(None, "no", False, single=True), "likely not both"),
        (claimed("yes", "yes", True, single=True), "both have it"),
        (claimed("yes", "no", True, single=True), "one has it"),
        (claimed("no", "no", False, single=True), "neither has it"),
    ],
)
def test_labels_and_what_the_condition_says_are_both_told(facet, verdict):
    assert facet.told[1] == verdict
    assert facet.to_dict()["says_agree"] == facet.says


def test_free_conditions_claim_nothing():
    s, w = torch.tensor([0.9, 0.9]), torch.tensor([0.5, 0.5])
    says = torch.tensor([True, True])
    facets = condition_facets(pair(s, w), ["hue", "free 1"], taught=[True, False], says=says)
    assert [facet.says for facet in facets] == [True, None]


def explained(facets):
    return Explanation("a.jpg", "7", "pairs", 1.0, 1.0, 1, 1, tuple(facets))


def test_an_explanation_names_five_agreements_and_the_weightiest_differences():
    agree = [Facet(f"a{n}", "condition", 0.1, 0.9, 0.1, says=True) for n in range(7)]
    differ = [Facet(f"d{n}", "condition", 0.0, 0.1, 0.1 * n, says=False) for n in range(3)]
    lacks = Facet("x=y", "condition", 0.0, 0.1, 0.9, says=False, single=True)
    why = explained([*agree, *differ, lacks])
    assert why.says(True) == ("a0", "a1", "a2", "a3", "a4")
    assert why.says(False) == ("d2", "d1", "d0")
    told = why.to_dict()
    assert (told["agree_in"], told["differ_in"]) == (list(why.says(True)), list(why.says(False)))
    assert "agree in a0, a1, a2, a3, a4; they differ in d2, d1, d0" in str(why)
    assert "agree_in" not in explained([Facet("free 1", "condition", 1, 1, 1)]).to_dict()


def test_hundreds_of_conditions_are_written_as_twenty_and_the_rest():
    facets = [Facet(f"c{n}", "condition", 0.01, 0.5, 0.02) for n in range(100)]
    lines = str(explained(facets)).splitlines()
    assert len(lines) == 1 + 20 + 1
    assert lines[-1].split() == ["80", "others", "+0.8000", "80%"]
