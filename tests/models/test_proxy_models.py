"""ProxyNCA++ and PAN on top of it, as models."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from facetwise.encoders import ImageFeatures
from facetwise.encoders.lite import PARTS
from facetwise.errors import InputError
from facetwise.models import Known, ProxyNCAConfig, ProxyPANConfig, Taught, build_pairs


def features(n=20, seed=0):
    g = torch.Generator().manual_seed(seed)
    return ImageFeatures(
        torch.randn(n, PARTS[0], 2, 3, generator=g).half(), torch.randn(n, sum(PARTS), generator=g)
    )


def made(config, groups=("colour",)):
    g = torch.Generator().manual_seed(1)
    model = build_pairs(config, Taught.groups(groups), g)
    x = model.prepare(features())
    model.fit_statistics(x, Known(), g)
    return model.eval(), x


def test_it_looks_at_the_maximum_over_the_cells():
    _, x = made(ProxyNCAConfig())
    assert torch.equal(x, features().grid.float().flatten(2).max(2).values)


def test_without_a_head_it_is_the_papers_normed_features():
    model, x = made(ProxyNCAConfig(dim=0))
    centred = x - x.mean(1, keepdim=True)
    assert model.dim == PARTS[0] and not list(model.parameters())
    torch.testing.assert_close(model.embed(x), F.normalize(centred, dim=1), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("pool", ["max", "features"])
@pytest.mark.parametrize("kind", [ProxyNCAConfig, ProxyPANConfig])
def test_vectors_have_length_one(kind, pool):
    model, x = made(kind(pool=pool))
    h = model.embed(x)
    assert h.shape == (20, model.dim)
    torch.testing.assert_close(h.norm(dim=1), torch.ones(20))
    last, everything = model.untrained(x)
    assert (last.shape[1], everything.shape[1]) == (PARTS[0], x.shape[1])


def test_proxy_pan_has_pans_conditions_and_starts_as_a_metric():
    model, x = made(ProxyPANConfig(width=8, free=1))
    assert [c.name for c in model.conditions] == ["colour", "free 1"]
    h = model.embed(x)
    same, others = model(h, h), model(h, h.roll(1, 0))
    assert (same.conditions > others.conditions).all()
    torch.testing.assert_close(model.against(h, h)[0], model(h[:1].expand(20, -1), h).score)


def test_pixels_have_no_maximum_worth_taking():
    model, _ = made(ProxyNCAConfig())
    with pytest.raises(InputError, match='pool = "features"'):
        model.prepare(ImageFeatures(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), torch.zeros(1, 2)))
