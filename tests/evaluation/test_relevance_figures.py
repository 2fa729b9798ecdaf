import math

import pytest
import torch

from facetwise.evaluation.relevance_figures import random_pairs, relevance_figures
from facetwise.models import PAN, PANConfig, Taught
from facetwise.similarity import PairScore

from .planted import Planted, groups


def test_relevance_that_is_the_same_for_all_pairs_tells_nothing_of_the_pair():
    figures = relevance_figures(Planted(groups("hue", "free 1"), [0.25, 0.75]), torch.zeros(4, 2))
    assert figures.mutual_information == pytest.approx(0)
    assert figures.taught_mass == pytest.approx(0.25)
    assert figures.free_mass == pytest.approx(0.75)
    assert figures.weights == pytest.approx({"hue": 0.25, "free 1": 0.75})
    assert figures.spread == pytest.approx({"hue": 0, "free 1": 0})


def test_relevance_that_hangs_on_the_pair_has_a_mean_of_higher_entropy():
    class Switching(Planted):
        def __call__(self, h1, h2):
            first = (h1 == h2).any(-1, keepdim=True).float()
            w = torch.cat([first, 1 - first], -1)
            return PairScore(w.sum(-1), w, w)

    h = torch.tensor([[0.0], [0.0], [1.0]])
    i, j = torch.tensor([0, 0]), torch.tensor([1, 2])
    figures = relevance_figures(Switching(groups("hue", "form")), h, i, j)
    assert figures.pair_entropy == pytest.approx(0)
    assert figures.mean_entropy == pytest.approx(math.log(2))
    assert figures.mutual_information == pytest.approx(math.log(2))
    assert figures.to_dict()["taught_mass"] == 1


def test_figures_are_of_the_models_own_pairs():
    g = torch.Generator().manual_seed(0)
    pan = PAN(PANConfig(free=2, width=4), Taught.groups(["hue"]), g, parts=(6,)).eval()
    x = torch.randn(12, 6, generator=g)
    pan.fit_statistics(x, generator=g)
    with torch.no_grad():
        h = pan.embed(x)
        i, j = random_pairs(12, pairs=5000)
        w = pan(h[i], h[j]).relevance
    figures = relevance_figures(pan, h, i, j)
    assert list(figures.weights) == ["hue", "free 1", "free 2"]
    assert figures.weights["hue"] == pytest.approx(w[:, 0].mean().item(), abs=1e-6)
    assert sum(figures.weights.values()) == pytest.approx(1)
    entropy = -(w * w.log()).sum(1).mean().item()
    assert figures.pair_entropy == pytest.approx(entropy, abs=1e-5)


def test_random_pairs_are_of_different_items_and_the_same_each_time():
    i, j = random_pairs(7, 200, seed=3)
    assert not bool((i == j).any())
    assert all(torch.equal(a, b) for a, b in zip((i, j), random_pairs(7, 200, seed=3), strict=True))
    with pytest.raises(ValueError, match="two items"):
        random_pairs(1)
