from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from facetwise.evaluation.scorers import Embedded, Scorer, cosine_scorer, ensemble, set_scorer
from facetwise.similarity import ConditionalSimilarity, smooth_chamfer


def vectors(n: int = 9, d: int = 6, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def pan_scorer(h: torch.Tensor) -> Scorer:
    pan = ConditionalSimilarity(h.shape[1], 3, generator=torch.Generator().manual_seed(1))
    return Scorer("pairs", (Embedded(h, lambda q, g: pan.against(q, g), pan.listed),))


SCORERS = {
    "cosine": lambda: cosine_scorer("cosine", vectors()),
    "sets": lambda: set_scorer("sets", vectors(18).view(9, 2, 6), smooth_chamfer),
    "pairs": lambda: pan_scorer(F.normalize(vectors(), dim=-1)),
}


@pytest.mark.parametrize("name", SCORERS)
def test_listed_pairs_have_the_scores_of_the_matrix(name):
    scorer = SCORERS[name]()
    everyone = torch.arange(len(scorer))
    matrix = scorer.matrix(everyone, everyone)
    r, c = torch.randint(9, (2, 40), generator=torch.Generator().manual_seed(2))
    assert torch.allclose(scorer.pairs(r, c), matrix[r, c], atol=1e-6)
    assert len(scorer.pairs(r[:0], c[:0])) == 0


def test_prototypes_are_means_with_numbers_of_their_own():
    scorer = cosine_scorer("cosine", vectors())
    more = scorer.extended(torch.tensor([[0, 1], [2, 3]]))
    unit = F.normalize(vectors(), dim=-1)
    expected = F.cosine_similarity(unit[4], unit[[2, 3]].mean(0), dim=0)
    assert len(more) == 11
    assert torch.allclose(more.pairs(torch.tensor([4]), torch.tensor([10])), expected)
    assert torch.allclose(more.matrix(torch.tensor([4]), torch.tensor([10])), expected)


def test_an_ensemble_is_the_mean_of_its_runs():
    one, two = cosine_scorer("a", vectors()), cosine_scorer("b", vectors(seed=5))
    both = ensemble([one, two])
    q, g = torch.arange(3), torch.arange(9)
    assert torch.allclose(both.matrix(q, g), (one.matrix(q, g) + two.matrix(q, g)) / 2)
    assert torch.allclose(both.pairs(q, q + 1), (one.pairs(q, q + 1) + two.pairs(q, q + 1)) / 2)
    assert both.h.shape == (9, 12)
    assert ensemble([one]) is one
