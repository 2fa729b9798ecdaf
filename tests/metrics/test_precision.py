import pytest
import torch

from facetwise.metrics import map_at_r, r_precision

RANKING = torch.tensor([[5.0, 4.0, 3.0, 2.0, 1.0]])  # a x b c y
RELEVANT = torch.tensor([[True, False, True, True, False]])


def test_golden_values_of_methods_5():
    assert map_at_r(RANKING, RELEVANT) == pytest.approx(0.555556, abs=5e-7)
    assert r_precision(RANKING, RELEVANT) == pytest.approx(2 / 3)


def test_queries_without_relevant_items_do_not_count():
    scores = RANKING.repeat(2, 1)
    relevant = torch.cat([RELEVANT, torch.zeros_like(RELEVANT)])
    assert map_at_r(scores, relevant) == map_at_r(RANKING, RELEVANT)
    assert r_precision(scores, relevant) == r_precision(RANKING, RELEVANT)


def test_perfect_and_reversed_rankings():
    relevant = torch.arange(10).expand(3, 10) < 4
    scores = -torch.arange(10.0).expand(3, 10)
    assert map_at_r(scores, relevant) == r_precision(scores, relevant) == 1
    assert map_at_r(-scores, relevant) == r_precision(-scores, relevant) == 0


def test_constant_scorer_gets_nothing_by_default_and_chance_in_the_mean():
    scores, relevant = torch.zeros(2, 10), torch.arange(10).expand(2, 10) < 4
    assert map_at_r(scores, relevant) == r_precision(scores, relevant) == 0
    assert r_precision(scores, relevant, ties="mean") == pytest.approx(0.4)
    assert map_at_r(scores, relevant, ties="optimistic") == 1
