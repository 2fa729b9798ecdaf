import math

import pytest
import torch

from facetwise.evaluation.explained import explanation_precision, top_pairs
from facetwise.evaluation.relevance_figures import random_pairs

from .planted import Planted, groups, table


def test_claims_are_held_to_the_attributes_pair_by_pair():
    """What it says: hue agrees in (0, 1), form in both, age in none."""
    h = torch.tensor([[0.0, 0, 0], [0.0, 0, 1], [1.0, 0, 1]])
    attributes = table(
        hue=["red", "red", "red"], form=["round", "flat", "round"], age=["new", "new", "old"]
    )
    i, j = torch.tensor([0, 0]), torch.tensor([1, 2])
    pan = Planted(groups("hue", "form", "age"))
    found = explanation_precision(pan, h, attributes, i, j)
    # (0, 1): hue true, form false. (0, 2): form true.
    assert found.precision == pytest.approx(100 * 2 / 3)
    # True are hue and age of (0, 1), hue and form of (0, 2).
    assert found.chance == pytest.approx(100 * 4 / 6)
    # Hue agrees always; form and age half of the time, and form stands first: of (0, 1) hue and
    # form are named, of (0, 2) hue.
    assert found.usual == pytest.approx(100 * 2 / 3)
    assert (found.named, found.pairs, found.checked) == (1.5, 2, 3)


def test_only_the_first_k_that_it_is_surest_of_are_named_whatever_they_weigh():
    attributes = table(hue=["a", "a"], form=["a", "b"])
    i, j = torch.tensor([0]), torch.tensor([1])
    for weights in ([0.7, 0.3], [0.3, 0.7]):
        for sure, precision in (([0.9, 0.6], 100), ([0.6, 0.9], 0)):
            pan = Planted(groups("hue", "form"), weights, sure)
            found = explanation_precision(pan, torch.zeros(2, 2), attributes, i, j, k=1)
            assert found.precision == precision


def test_a_model_that_knows_the_values_is_always_right():
    g = torch.Generator().manual_seed(1)
    h = torch.randint(3, (30, 4), generator=g).float()
    attributes = table(**{f"g{m}": [f"{v:.0f}" for v in h[:, m]] for m in range(4)})
    pan = Planted(groups("g0", "g1", "g2", "g3"))
    found = explanation_precision(pan, h, attributes, *random_pairs(30, 500))
    assert found.precision == 100
    assert 25 < found.chance < 45
    assert found.chance < found.usual < 100


def test_what_is_not_known_is_not_checked():
    attributes = table(hue=["a", None], form=["a", "a"])
    i, j = torch.tensor([0]), torch.tensor([1])
    found = explanation_precision(
        Planted(groups("hue", "form")), torch.zeros(2, 2), attributes, i, j
    )
    assert (found.precision, found.checked, found.named) == (100, 1, 1)


def test_what_is_known_of_few_pairs_is_not_the_most_usual():
    n = 20
    attributes = table(rare=["a", "a"] + [None] * (n - 2), often=["a"] * (n - 1) + ["b"])
    i, j = torch.arange(n - 1), torch.arange(1, n)
    found = explanation_precision(
        Planted(groups("rare", "often")), torch.zeros(n, 2), attributes, i, j, k=1
    )
    assert found.usual == pytest.approx(100 * (n - 2) / (n - 1))  # "often", right but once


def test_nothing_named_is_no_figure():
    attributes = table(hue=["a", "a"])
    i, j = torch.tensor([0]), torch.tensor([1])
    found = explanation_precision(
        Planted(groups("hue")), torch.tensor([[0.0], [1.0]]), attributes, i, j
    )
    assert math.isnan(found.precision)
    assert found.to_dict()["precision@5"] is None


def test_free_conditions_explain_nothing_that_can_be_checked():
    pan = Planted(groups("free 1"))
    i, j = torch.tensor([0]), torch.tensor([1])
    assert explanation_precision(pan, torch.zeros(2, 1), table(hue=["a", "a"]), i, j) is None


def test_top_pairs_are_the_first_answers_and_never_the_query():
    h = torch.tensor([[0.0, 0], [0.0, 1], [0.0, 0], [1.0, 1]])
    pan = Planted(groups("hue", "form"))
    i, j = top_pairs(pan, h, torch.tensor([0, 3]), k=1)
    assert (i.tolist(), j.tolist()) == ([0, 3], [2, 1])
    i, j = top_pairs(pan, h, k=10)
    assert len(i) == 4 * 3
    assert not bool((i == j).any())
