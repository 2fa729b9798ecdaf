import math

import pytest
import torch

from facetwise.evaluation.image_image import agreement, retrieval
from facetwise.evaluation.steering import (
    STEERING_WEIGHTS,
    SteeringCurve,
    shared_values,
    some_queries,
    steering_curves,
    steering_factors,
)
from facetwise.models import PAN, Condition, PANConfig, Taught

from .planted import Planted, groups, table


def a_pan(items=40, names=("hue", "form"), **config):
    """An untrained PAN, embeddings of noise, and attributes that follow them a little."""
    g = torch.Generator().manual_seed(3)
    pan = PAN(PANConfig(free=1, width=4, **config), Taught.groups(names), g, parts=(8,)).eval()
    x = torch.randn(items, 8, generator=g)
    pan.fit_statistics(x, generator=g)
    with torch.no_grad():
        h = pan.embed(x)
    hues = [None if n % 11 == 0 else "abc"[int(v > 0) + int(v > 1)] for n, v in enumerate(x[:, 0])]
    forms = ["uv"[int(v > 0)] for v in x[:, 1]]
    return pan, h, table(hue=hues, form=forms), torch.tensor([n % 5 - 1 for n in range(items)])


def test_each_point_is_what_steering_one_weight_at_a_time_gives():
    pan, h, attributes, labels = a_pan()
    weights = (0.0, 1.0, 3.0)
    curves = steering_curves(pan, h, attributes, labels, weights=weights, k=5)
    assert [curve.group for curve in curves] == ["hue", "form"]
    for number, curve in enumerate(curves):
        states = attributes.states[:, attributes.slices[curve.group]]
        present, known = (states == 1).float(), (states >= 0).any(1)
        for weight in weights:
            factors = torch.ones(3)
            factors[number] = weight

            def score(q, g, factors=factors):
                return pan.against(h[q], h[g], factors)

            assert curve.at(weight) == pytest.approx(agreement(score, present, known, k=5))
            found = retrieval(score, labels)
            assert curve.map_at_r[weights.index(weight)] == pytest.approx(found.map_at_r)


def test_weighing_what_both_share_brings_it_up_and_zero_takes_it_out():
    hues = ["red", "red", "blue", "blue"]
    # Everything else speaks for the other colour.
    h = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    pan = Planted(groups("hue", "free 1"), weights=[0.4, 0.6])
    (curve,) = steering_curves(pan, h, table(hue=hues), torch.tensor([0, 1, 0, 1]), k=1)
    assert curve.weights == STEERING_WEIGHTS
    assert (curve.at(0), curve.at(1), curve.at(3)) == (0, 0, 100)
    assert curve.gain(3) == 100
    assert curve.cost(3) == 100  # the items' own groups are what is given up
    assert curve.cost(1) == 0


def test_right_answers_stand_behind_all_that_score_the_same():
    h = torch.zeros(5, 2)  # everything is alike
    hues, labels = table(hue=["a"] * 5), torch.tensor([0, 0, 1, 1, 1])
    (curve,) = steering_curves(Planted(groups("hue", "free 1")), h, hues, labels)
    assert set(curve.map_at_r) == {0.0}  # nothing is found among the first R


def test_a_group_with_several_conditions_is_weighed_as_one():
    conditions = [Condition("hue=a", "hue"), Condition("form", "form"), Condition("hue=b", "hue")]
    assert steering_factors(Planted(conditions), "hue", 3).tolist() == [3, 1, 3]
    assert steering_factors(Planted(conditions), "age", 3) is None


def test_the_only_group_weighed_zero_leaves_the_ranking_as_it_is():
    pan = Planted(groups("hue"))
    h = torch.tensor([[0.0], [0.0], [1.0], [1.0]])
    hues = table(hue=["red", "red", "blue", "blue"])
    (curve,) = steering_curves(pan, h, hues, torch.full((4,), -1), k=1)
    assert set(curve.agreement) == {100.0}
    assert curve.map_at_r == ()
    assert math.isnan(curve.cost(3))


def test_without_conditions_for_groups_there_is_no_curve():
    pan = Planted(groups("free 1", "free 2"))
    assert steering_curves(pan, torch.zeros(3, 2), table(hue=["a"] * 3), torch.zeros(3)) == []


def test_weights_need_one_and_an_order():
    for weights in ((0.0, 3.0), (1.0, 0.5), (1.0, 1.0)):
        with pytest.raises(ValueError, match="weights"):
            steering_curves(*a_pan(), weights=weights)


def test_the_absence_of_a_flag_is_a_value_and_unknown_does_not_count():
    flag = table(x=["x", None, "x", "x"])
    flag = type(flag)(
        ("x",), ("flag",), ("x",), torch.tensor([0]), torch.tensor([[0], [-1], [0], [1]])
    )
    queries = torch.tensor([0])
    assert shared_values(flag, "x", queries, torch.tensor([[1, 2]])) == 100
    assert shared_values(flag, "x", queries, torch.tensor([[2, 3]])) == 50
    assert shared_values(flag, "x", queries, torch.tensor([[1]])).isnan()


def test_curves_come_back_from_json():
    curve = SteeringCurve("hue", (0.0, 1.0), (math.nan, 50.0), (20.0, 21.0))
    back = SteeringCurve.from_dict("hue", curve.to_dict())
    assert math.isnan(back.at(0))
    assert (back.at(1), back.map_at_r) == (50.0, (20.0, 21.0))
    assert SteeringCurve("hue", (1.0,), (5.0,), ()).to_dict()["map_at_r"] is None


def test_some_queries_are_spread_over_all():
    assert some_queries(5, 500).tolist() == [0, 1, 2, 3, 4]
    many = some_queries(10_007, 500)
    assert 400 <= len(many) <= 500
    assert many[-1] > 9_900
