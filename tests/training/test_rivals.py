"""What PAN's rivals are trained by: proxies, and an attribute head."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from facetwise.data.synthetic import facet_world
from facetwise.encoders import ImageFeatures
from facetwise.encoders.lite import PARTS
from facetwise.errors import InputError
from facetwise.losses import proxy_nca
from facetwise.models import (
    Known,
    ProxyNCAConfig,
    ProxyPANConfig,
    SiameseConfig,
    Taught,
    build_pairs,
)
from facetwise.training.attribute_head import AttributeHead
from facetwise.training.pair_batches import ClassPairs
from facetwise.training.pair_objectives import pair_objective
from facetwise.training.pair_task import PairTask
from facetwise.training.recipe import PairTraining

HOW = PairTraining(steps=20, classes=6, per_class=3)


def world():
    g = torch.Generator().manual_seed(0)
    made = facet_world(16, 4, {"colour": 3, "shape": 4}, 0.3, g, dim=sum(PARTS))
    pooled = made.features * 10
    grid = pooled[:, : PARTS[0], None, None].half().expand(-1, -1, 2, 1)
    return ImageFeatures(grid, pooled), made


def task(config, how=HOW, labellings=None, seed=3):
    features, made = world()
    taught = Taught.groups(made.attributes.groups)
    model = build_pairs(config, taught, torch.Generator().manual_seed(0))
    labellings = [made.groups] if labellings is None else labellings
    batches = ClassPairs([made.groups], classes=how.classes, per_class=how.per_class, seed=seed)
    x = model.prepare(features)
    return PairTask(model, how, x, Known(), batches, labellings, made.attributes, seed=seed)


def falls(task, steps=12):
    optimizer = torch.optim.AdamW(task.parameter_groups())
    losses = []
    for step in range(steps):
        loss, _ = task.loss(step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return sum(losses[-3:]) < sum(losses[:3])


@pytest.mark.parametrize(
    "config",
    [
        ProxyNCAConfig(dim=16),
        ProxyNCAConfig(dim=16, pool="features"),
        ProxyPANConfig(width=8),
        ProxyPANConfig(width=8, pool="features"),
        SiameseConfig(dim=16, attribute_head=True),
    ],
)
def test_it_learns(config):
    assert falls(task(config))


def test_every_parameter_has_a_rate_and_proxies_their_own():
    of = task(ProxyPANConfig(width=8), replace(HOW, proxy_lr=7.0, eps=0.5))
    groups = of.parameter_groups()
    listed = sorted(id(p) for group in groups for p in group["params"])
    assert listed == sorted(id(p) for p in of.parameters())
    assert [group["lr"] for group in groups] == [HOW.lr, HOW.condition_lr, 7.0]
    assert {group["eps"] for group in groups} == {0.5}


def test_a_proxy_for_each_class_and_each_labelling():
    some = torch.arange(64) % 3
    gaps = torch.where(torch.arange(64) < 60, 10 * (torch.arange(64) // 20), -1)
    of = task(ProxyNCAConfig(dim=8), labellings=[some, gaps])
    assert [tuple(p.shape) for p in of.objective.proxies] == [(3, 8), (3, 8)]
    batch = of._batches.batch(0)
    h = of.model.eval().embed(of._x[batch.rows])
    found = of.objective(h, of.model(h[batch.i], h[batch.j]), batch)
    expected = [
        proxy_nca(h, p, labels[batch.rows] // step)
        for p, labels, step in zip(of.objective.proxies, (some, gaps), (1, 10), strict=True)
    ]
    torch.testing.assert_close(found, sum(expected) / 2)


def test_items_without_a_class_are_no_loss():
    labels = torch.full((64,), -1)
    labels[:4] = torch.tensor([0, 0, 1, 1])
    of = task(ProxyNCAConfig(dim=8), labellings=[labels])
    batch = of._batches.batch(0)._replace(rows=torch.arange(10, 28))
    h = torch.randn(18, 8, requires_grad=True)
    of.objective(h, None, batch).backward()
    assert (h.grad == 0).all()


def test_outfits_have_no_proxies():
    model = build_pairs(ProxyNCAConfig(dim=8))
    with pytest.raises(InputError, match="proxies stand for classes"):
        pair_objective(model, HOW, [])


def test_positives_and_negatives_weigh_the_same():
    """Repeating the negatives changes nothing."""
    of = task(ProxyPANConfig(width=4)).eval()
    batch = of._batches.batch(0)
    h = of.model.embed(of._x[batch.rows])

    def loss(some):
        part = batch._replace(i=batch.i[some], j=batch.j[some], y=batch.y[some])
        return of.objective(h, of.model(h[part.i], h[part.j]), part)

    everything = torch.arange(len(batch.y))
    more = torch.cat([everything, everything[batch.y == 0]])
    torch.testing.assert_close(loss(everything), loss(more))
    assert loss(everything[batch.y == 1]) > 0


def test_the_attribute_head_can_only_help_at_first():
    """Nothing of it reaches the embedding before it has learned something."""
    _, made = world()
    head = AttributeHead(5, made.attributes)
    h = torch.randn(64, 5, requires_grad=True)
    loss = head(h, torch.arange(64))
    loss.backward()
    assert (h.grad == 0).all()
    assert (head.weight.grad != 0).any()
    states = made.attributes.states
    rate = ((states == 1).float().mean(0) * 64 + 1) / 66
    torch.testing.assert_close(head.bias.sigmoid(), rate)


def test_its_loss_is_the_masked_mean_of_each_item():
    _, made = world()
    states = made.attributes.states.clone()
    states[0, :3], states[1] = -1, -1
    head = AttributeHead(5, replace(made.attributes, states=states))
    with torch.no_grad():
        head.weight.normal_(generator=torch.Generator().manual_seed(1))
    h = torch.randn(4, 5, generator=torch.Generator().manual_seed(2))
    p = (h @ head.weight.T + head.bias).sigmoid()
    means = []
    for row in range(4):
        known = [a for a in range(states.shape[1]) if states[row, a] >= 0]
        each = [-(p[row, a] if states[row, a] == 1 else 1 - p[row, a]).log().item() for a in known]
        means.append(sum(each) / len(each) if each else 0)
    assert head(h, torch.arange(4)).item() == pytest.approx(sum(means) / 4, rel=1e-4)


def test_the_head_is_not_of_the_model():
    of = task(SiameseConfig(dim=16, attribute_head=True))
    assert of.attribute_head is not None
    assert set(of.model.state_dict()) == set(build_pairs(SiameseConfig(dim=16)).state_dict())
    assert task(SiameseConfig(dim=16)).attribute_head is None
    loss, figures = of.loss(0)
    assert figures["attributes"] > 0
    assert loss.item() == pytest.approx(figures["pairs"] + 4 * figures["attributes"], rel=1e-5)
