"""DivE, and VSE, which is a DivE of one vector."""

from __future__ import annotations

import pytest
import torch

from facetwise.encoders import EncoderConfig, Encoders, ImageFeatures
from facetwise.encoders.lite import PARTS
from facetwise.models import DivEConfig, VSEConfig, build_sets
from facetwise.similarity import average, smooth_chamfer

KINDS = ("dive", "vse")


def made(kind, seed=0):
    g = torch.Generator().manual_seed(seed)
    config = (
        VSEConfig(dim=16, hidden=8)
        if kind == "vse"
        else DivEConfig(dim=16, K=3, hidden=8, heads=2, head_dim=4)
    )
    return build_sets(config, Encoders(EncoderConfig(components=8)), g)


def images(n=12, seed=1):
    g = torch.Generator().manual_seed(seed)
    grid = torch.randn(n, PARTS[0], 2, 2, generator=g).half()
    return ImageFeatures(grid, torch.randn(n, sum(PARTS), generator=g))


def texts(n=4, length=6, seed=2):
    g = torch.Generator().manual_seed(seed)
    tokens = torch.randn(n, length, 384, generator=g).half()
    return tokens, torch.arange(length) < torch.tensor([6, 4, 2, 3])[:n, None]


@pytest.fixture(params=KINDS)
def model(request):
    made_one = made(request.param)
    made_one.fit_statistics(images())
    return made_one.eval()


def test_sets_have_unit_vectors_and_looks_that_sum_to_one(model):
    x = model.images(*model.prepare(images()))
    y = model.texts(*texts())
    assert x.elements.shape == (12, model.K, model.dim)
    assert y.elements.shape == (4, model.K, model.dim)
    assert (x.attention.shape, y.attention.shape) == ((12, model.K, 4), (4, model.K, 6))
    for out in (x, y):
        torch.testing.assert_close(
            out.elements.norm(dim=-1), torch.ones(len(out.elements), model.K)
        )
        sums = out.attention.sum(-1)
        torch.testing.assert_close(sums, torch.ones_like(sums), atol=1e-4, rtol=0)


def test_padding_a_text_does_not_change_its_set(model):
    tokens, mask = texts()
    garbage = torch.cat([tokens, torch.full((4, 5, 384), 9.0, dtype=torch.float16)], 1)
    longer = torch.cat([mask, torch.zeros(4, 5, dtype=torch.bool)], 1)
    one, other = model.texts(tokens, mask), model.texts(garbage, longer)
    torch.testing.assert_close(other.elements, one.elements)
    torch.testing.assert_close(other.attention[..., :6], one.attention)


def test_the_order_of_a_pictures_places_does_not_matter(model):
    given = images()
    turned = ImageFeatures(given.grid.flip(3), given.pooled)
    one, other = (model.images(*model.prepare(features)) for features in (given, turned))
    torch.testing.assert_close(other.elements, one.elements)


def test_nothing_in_nothing_out(model):
    out = model.images(*model.prepare(images(0)))
    assert out.elements.shape == (0, model.K, model.dim)


@pytest.mark.parametrize("kind", KINDS)
def test_the_start_comes_from_the_generator_alone(kind):
    torch.rand(3)
    one = made(kind)
    torch.rand(5)
    other, third = made(kind), made(kind, seed=1)
    same = [torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True)]
    assert all(same)
    differs = [
        not torch.equal(a, b) for a, b in zip(one.parameters(), third.parameters(), strict=True)
    ]
    assert any(differs)


def test_each_is_scored_by_its_own_similarity():
    x = torch.nn.functional.normalize(torch.randn(3, 3, 16), dim=-1)
    assert torch.equal(made("dive").similarity(x, x), smooth_chamfer(x, x, alpha=16))
    assert torch.equal(made("vse").similarity(x[:, :1], x[:, :1]), average(x[:, :1], x[:, :1]))


def test_module_parameters_are_a_part_of_the_parameters():
    dive = made("dive")
    module = {id(parameter) for parameter in dive.module_parameters()}
    rest = [name for name, p in dive.named_parameters() if id(p) not in module]
    assert {name.split(".")[0] for name in rest} == {"image_global", "text_global"}
    assert list(made("vse").module_parameters()) == []
