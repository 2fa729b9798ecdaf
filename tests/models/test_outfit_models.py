"""Type-aware embeddings and SCE-Net, as models."""

from __future__ import annotations

import pytest
import torch

from facetwise.encoders import ImageFeatures
from facetwise.encoders.lite import PARTS
from facetwise.models import Known, SCENetConfig, Taught, TypeAwareConfig, build_pairs
from facetwise.models.typed_head import TypedHead, TypeMeans

TAUGHT = Taught(types=("hat", "shoe"))
TYPES = torch.arange(20) % 3 - 1


def pooled(n=20, seed=0):
    return torch.randn(n, sum(PARTS), generator=torch.Generator().manual_seed(seed))


def made(config, taught=TAUGHT, known=Known(TYPES)):
    g = torch.Generator().manual_seed(1)
    model = build_pairs(config, taught, g)
    x = model.prepare(ImageFeatures(torch.zeros(20, 1, 1, 1), pooled()))
    model.fit_statistics(x, known, g)
    return model.eval(), x


def test_a_vector_and_a_type_behind_it():
    model, x = made(TypeAwareConfig(dim=8))
    h = model.embed(x, Known(TYPES))
    assert h.shape == (20, model.dim) == (20, 10)
    torch.testing.assert_close(h[:, :8].norm(dim=1), torch.ones(20))
    shares = h[:, 8:] * 1024
    assert shares[0].tolist() == [0.5, 0.5]  # unknown
    assert shares[1].tolist() == [1, 0] and shares[2].tolist() == [0, 1]


@pytest.mark.parametrize("config", [TypeAwareConfig(dim=8), SCENetConfig(dim=8)])
def test_without_types_it_goes_on(config):
    model, x = made(config, Taught(), Known())
    h = model.embed(x)
    scores = model.against(h, h)
    assert scores.shape == (20, 20) and scores.isfinite().all()
    assert (scores.argmax(1) == torch.arange(20)).all()
    assert [part.shape[1] for part in model.untrained(x)] == [PARTS[0], sum(PARTS)]


def test_a_condition_for_each_mask():
    model, x = made(SCENetConfig(dim=8, masks=3))
    h = model.embed(x, Known(TYPES))
    assert h.shape == (20, 8)
    assert [c.name for c in model.conditions] == ["free 1", "free 2", "free 3"]
    assert model(h[:5], h[5:10]).conditions.shape == (5, 3)


@pytest.mark.parametrize("config", [TypeAwareConfig(dim=8), SCENetConfig(dim=8)])
def test_the_order_of_items_is_theirs_alone(config):
    model, x = made(config)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(2))
    h = model.embed(x, Known(TYPES))
    torch.testing.assert_close(model.embed(x[order], Known(TYPES[order])), h[order])


def test_every_parameter_has_a_part():
    for config in (TypeAwareConfig(dim=8), SCENetConfig(dim=8)):
        model, _ = made(config)
        listed = sorted(id(p) for own in model.parts.values() for p in own)
        assert listed == sorted(id(p) for p in model.parameters())


def test_what_is_common_to_a_type_is_taken_away():
    g = torch.Generator().manual_seed(3)
    own = torch.randn(200, 6, generator=g)
    types = torch.arange(200) % 2
    shifted = own + 50 * torch.nn.functional.one_hot(types, 6)
    means = TypeMeans(6, 2)
    means.fit(shifted, types)
    left = means(shifted, types)
    assert left[types == 0].mean(0).abs().max() < 1.5 < 50
    bare = TypedHead([6], 2, 4, dropout=0, centre=False)
    bare.fit(shifted, types)
    torch.testing.assert_close(bare.features(shifted, types), bare.norm(shifted))


def test_a_type_with_one_item_keeps_most_of_it():
    means = TypeMeans(1, 2)
    means.fit(torch.tensor([[0.0], [0.0], [0.0], [8.0]]), torch.tensor([0, 0, 0, 1]))
    left = means(torch.tensor([[8.0]]), torch.tensor([1]))
    assert left.item() == pytest.approx(8 - (4 * 2 + 8) / 5)
