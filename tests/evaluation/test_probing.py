from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from facetwise.evaluation.probing import mean_average_precision, probe


def test_average_precision_is_scikit_learns():
    g = torch.Generator().manual_seed(0)
    scores = torch.randn(7, 40, generator=g)
    relevant = torch.rand(7, 40, generator=g) < 0.3
    expected = np.mean(
        [average_precision_score(r, s) for r, s in zip(relevant, scores.numpy(), strict=True)]
    )
    assert mean_average_precision(scores, relevant) == pytest.approx(expected, abs=1e-6)


def test_ties_are_against_us_and_queries_without_answers_do_not_count():
    relevant = torch.tensor([[True, False, False, False], [False] * 4])
    assert mean_average_precision(torch.zeros(2, 4), relevant) == 0.25


def test_what_is_linear_is_found_and_noise_is_not():
    g = torch.Generator().manual_seed(0)
    x = torch.randn(600, 20, generator=g)
    present = torch.stack([x[:, 0] > 1, torch.rand(600, generator=g) < 0.15], 1)
    train, test = slice(0, 400), slice(400, 600)
    linear, noise = (
        probe(x[train], present[train, one], x[test], present[test, one])
        for one in (slice(0, 1), slice(1, 2))
    )
    assert linear > 0.85
    assert noise < 0.35
