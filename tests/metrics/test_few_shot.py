import numpy as np
import pytest
import torch

from facetwise.metrics import few_shot_accuracy, mean_interval


def test_golden_interval_of_methods_5():
    mean, ci95 = mean_interval(torch.tensor([0.9, 0.8, 1.0, 0.7]))
    assert mean == pytest.approx(0.85)
    assert ci95 == pytest.approx(0.126517, abs=5e-7)


def test_accuracy_is_the_mean_over_episodes():
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(30, 80, 5, generator=generator)
    labels = torch.arange(80) // 16  # floor division: METHODS T-4
    scores += torch.nn.functional.one_hot(labels, 5)
    each = (scores.argmax(2) == labels).double().mean(1).numpy()
    mean, ci95 = few_shot_accuracy(scores, labels)
    assert mean == pytest.approx(each.mean())
    assert ci95 == pytest.approx(1.96 * np.std(each, ddof=1) / np.sqrt(30))
    assert few_shot_accuracy(scores, labels.expand(30, 80)) == (mean, ci95)


def test_constant_scorer_gets_nothing_by_default_and_chance_in_the_mean():
    scores, labels = torch.zeros(3, 10, 5), torch.arange(10) // 2
    assert few_shot_accuracy(scores, labels).mean == 0
    assert few_shot_accuracy(scores, labels, ties="mean").mean == pytest.approx(0.2)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"\(3, 10, 5\) and \(9,\)"):
        few_shot_accuracy(torch.zeros(3, 10, 5), torch.zeros(9, dtype=torch.long))
    with pytest.raises(ValueError, match=r"\(1,\)"):
        mean_interval(torch.ones(1))
