from __future__ import annotations

import torch

from facetwise.encoders.lite import PARTS
from facetwise.models import Siamese, SiameseConfig, Taught


def test_vectors_have_length_one_and_scores_are_cosines():
    g = torch.Generator().manual_seed(0)
    pooled = torch.randn(9, sum(PARTS), generator=g)
    model = Siamese(SiameseConfig(dim=16), Taught(), g)
    model.fit_statistics(pooled)
    h = model.eval().embed(pooled)
    assert (h.shape, model.dim) == ((9, 16), 16)
    scores = model.against(h[:2], h)
    assert scores.shape == (2, 9)
    cosines = torch.nn.functional.cosine_similarity(h[:2, None], h[None], dim=-1)
    torch.testing.assert_close(scores, (1 + cosines) / 2)
    torch.testing.assert_close(model.head.weight @ model.head.weight.T, torch.eye(16))
