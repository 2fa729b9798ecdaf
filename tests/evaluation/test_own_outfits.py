from __future__ import annotations

import torch

from facetwise.evaluation.own_outfits import centred_scorer
from facetwise.evaluation.scorers import cosine_scorer


def test_centring_takes_the_type_away():
    g = torch.Generator().manual_seed(0)
    style = torch.randn(10, 8, generator=g)
    kinds = ["hat"] * 10 + ["shoe"] * 10
    offset = 9 * torch.randn(2, 8, generator=g)
    h = torch.cat([style + offset[0], style + offset[1]])
    plain = cosine_scorer("plain", h)
    centred = centred_scorer(plain, kinds)
    hats, shoes = torch.arange(10), torch.arange(10, 20)
    assert bool((centred.matrix(hats, shoes).argmax(1) == torch.arange(10)).all())
    assert bool((plain.matrix(hats, hats).mean() > plain.matrix(hats, shoes).mean()).all())
    means = torch.stack([centred.h[:10].mean(0), centred.h[10:].mean(0)])
    assert means.norm(dim=1).max() < 0.5


def test_a_type_of_one_is_like_nothing():
    centred = centred_scorer(cosine_scorer("x", torch.eye(3)), ["a", "b", "b"])
    assert centred.matrix(torch.tensor([0]), torch.arange(3)).tolist() == [[0, 0, 0]]
