from __future__ import annotations

import pytest
import torch

from facetwise.evaluation.recalls import coarse_recalls, exact_recalls
from facetwise.metrics import owner_relevance, recall_at_k
from facetwise.similarity import score_matrix
from facetwise.similarity.sets import unit


def world(images: int = 120, k: int = 2, d: int = 32, noise: float = 5.0):
    g = torch.Generator().manual_seed(0)
    x = unit(torch.randn(images, k, d, generator=g))
    owner = torch.arange(images).repeat_interleave(5)
    y = unit(x[owner] + noise * unit(torch.randn(5 * images, k, d, generator=g)))
    return x, y, owner


def test_recalls_are_those_of_the_dense_metric():
    x, y, owner = world()
    found = exact_recalls(x, y, owner)
    scores = score_matrix(x, y)
    dense = recall_at_k(scores, owner_relevance(owner, len(x)), (1, 5, 10))
    assert found["i2t"] == dense
    assert found["t2i"] == recall_at_k(scores.T, owner, (1, 5, 10))
    assert 0.05 < found["t2i"][1] < 0.95


@pytest.mark.parametrize("similarity", ["smooth_chamfer", "chamfer", "max_pair", "average"])
def test_reduced_precision_returns_the_same_recalls(similarity):
    x, y, owner = world()
    assert coarse_recalls(x, y, owner, similarity) == exact_recalls(x, y, owner, similarity)


def test_a_collapsed_model_finds_nothing_at_any_precision():
    one = unit(torch.ones(1, 2, 16))
    x, y, owner = one.expand(20, 2, 16), one.expand(100, 2, 16), torch.arange(100) // 5
    assert exact_recalls(x, y, owner)["t2i"] == {1: 0.0, 5: 0.0, 10: 0.0}
    assert coarse_recalls(x, y, owner)["t2i"] == {1: 0.0, 5: 0.0, 10: 0.0}


def test_without_anything_faster_than_float32_it_is_float32(monkeypatch):
    import facetwise.evaluation.recalls as recalls

    monkeypatch.setattr(recalls, "has_coarse_scores", lambda device: False)
    x, y, owner = world(20)
    assert coarse_recalls(x, y, owner) == exact_recalls(x, y, owner)
