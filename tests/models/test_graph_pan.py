"""PAN over the graph encoder, and CGAE as its case of one condition (METHODS 8, check 4)."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from facetwise.config import read_config, settings
from facetwise.encoders.lite import PARTS
from facetwise.errors import InputError
from facetwise.losses import attribute_loss
from facetwise.models import (
    CGAE,
    CGAEConfig,
    GraphPAN,
    GraphPANConfig,
    Known,
    Taught,
    build_pairs,
)

GROUPS = ("colour", "shape")
EDGES = torch.tensor([[0, 1], [1, 2], [3, 9]])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def pooled(n=30, seed=0):
    return torch.randn(n, sum(PARTS), generator=generator(seed)).abs()


def made(config, groups=GROUPS):
    taught = Taught.groups(groups) if isinstance(config, GraphPANConfig) else Taught()
    model = build_pairs(config, taught, generator())
    model.fit_statistics(pooled(), Known(edges=EDGES), generator())
    return model


def test_one_condition_with_the_graph_encoder_is_cgae():
    cgae = made(CGAEConfig(widths=(12, 8)))
    pan = made(GraphPANConfig(widths=(12, 8), free=1, init="metric"), groups=())
    assert isinstance(cgae, CGAE) and type(pan) is GraphPAN
    for a, b in zip(cgae.state_dict().values(), pan.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    h = cgae.eval().embed(pooled(), Known(edges=EDGES))
    assert torch.equal(h, pan.eval().embed(pooled(), Known(edges=EDGES)))
    one, other = cgae(h[:15], h[15:]), pan(h[:15], h[15:])
    assert torch.equal(one.score, other.score)
    w, b = cgae.conditional.W1[0], cgae.conditional.b1[0]
    torch.testing.assert_close(one.score, torch.sigmoid((h[:15] - h[15:]).abs() @ w + b))
    assert (one.relevance == 1).all()


def test_degree_0_does_not_look_at_edges():
    model = made(CGAEConfig(widths=(12, 8), degree=0)).eval()
    assert torch.equal(model.embed(pooled(), Known(edges=EDGES)), model.embed(pooled()))


def test_edges_move_their_own_items_only():
    model = made(GraphPANConfig(widths=(12, 8))).eval()
    moved = (model.embed(pooled(), Known(edges=EDGES)) - model.embed(pooled())).abs().amax(1)
    assert (moved[[0, 1, 2, 3, 9]] > 1e-3).all()
    assert moved[4:9].max() < 1e-6


@pytest.mark.parametrize("init", ["blocks", "metric", "xavier"])
def test_h_and_scores_are_in_range_and_symmetric(init):
    model = made(GraphPANConfig(widths=(12, 10), init=init)).eval()
    assert model.dim == (12 if init == "blocks" else 10)  # 4 conditions need a multiple
    h = model.embed(pooled(), Known(edges=EDGES))
    torch.testing.assert_close(h.norm(dim=1), torch.ones(30))
    one, other = model(h[:15], h[15:]), model(h[15:], h[:15])
    assert torch.equal(one.score, other.score)
    torch.testing.assert_close(one.relevance.sum(1), torch.ones(15))
    expected = torch.stack([model(h[i : i + 1].expand(30, -1), h).score for i in range(4)])
    torch.testing.assert_close(model.against(h[:4], h), expected)


def test_blocks_start_as_a_metric_each():
    model = made(GraphPANConfig(widths=(12, 12), free=1)).eval()
    h = model.embed(pooled())
    torch.testing.assert_close(h.view(30, 3, 4).norm(dim=2), torch.full((30, 3), 3**-0.5))
    moved = h.clone()
    moved[:, :4] = h.roll(1, 0)[:, :4]
    same, apart = model(h, h).conditions, model(h, moved).conditions
    assert (apart[:, 0] < same[:, 0]).all()
    torch.testing.assert_close(apart[:, 1:], same[:, 1:])


def test_the_papers_vectors_are_not_scaled():
    model = made(CGAEConfig(widths=(12,), unit=False, standardise="dimensions", init="xavier"))
    norms = model.eval().embed(pooled()).norm(dim=1)
    assert norms.std() > 0.1
    x = model.norm(pooled())
    torch.testing.assert_close(x.std(0, unbiased=False), torch.ones(sum(PARTS)), rtol=1e-3, atol=0)


def test_free_conditions_learn_nothing_from_attributes():
    model = made(GraphPANConfig(widths=(12, 12), dropout=0.0))
    h = model.embed(pooled(), Known(edges=EDGES))
    pairs = model(h[:15], h[15:])
    attribute_loss(pairs.conditions, torch.ones(15, 2), torch.ones(15, 2)).backward()
    assert (model.conditional.W1.grad[:2] != 0).any(1).all()
    assert (model.conditional.W1.grad[2:] == 0).all()
    assert model.conditional.W2.grad is None


def test_all_of_it_learns():
    model = made(GraphPANConfig(widths=(12, 12)))
    named = {id(p) for part in model.parts.values() for p in part}
    assert named == {id(p) for p in model.parameters()}
    h = model.embed(pooled(), Known(edges=EDGES))
    model(h[:15], h[15:]).score.sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_the_start_is_of_the_generator_alone():
    torch.rand(3)
    one = made(GraphPANConfig(widths=(12, 8)))
    torch.rand(5)
    other = made(GraphPANConfig(widths=(12, 8)))
    for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert one.training


def test_settings_are_read_back():
    config = GraphPANConfig(widths=(20, 10), taught="none", init="xavier", one_direction=True)
    assert read_config(GraphPANConfig, settings(config), "a.toml", "pairs") == config
    with pytest.raises(InputError, match="degree"):
        read_config(CGAEConfig, {"degree": 2}, "a.toml", "pairs")


def test_no_layers_or_pictures_that_are_all_alike_are_refused():
    with pytest.raises(InputError, match="at least one layer"):
        build_pairs(CGAEConfig(widths=()))
    with pytest.raises(InputError, match="training pictures that differ"):
        made(replace(CGAEConfig(), widths=(8,))).fit_statistics(pooled(1).expand(5, -1))
