"""The paper's loss over its pairs (METHODS 1.4), through the whole of a step."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from facetwise.data.sampling import generator_of
from facetwise.data.synthetic import facet_world
from facetwise.encoders.lite import PARTS
from facetwise.models import PAN, Known, PANConfig
from facetwise.models.conditions import attribute_conditions
from facetwise.models.pair_model import Taught
from facetwise.similarity import PairScore
from facetwise.training import pair_task
from facetwise.training.edge_pairs import EdgePairs, split_pairs
from facetwise.training.pair_batches import PairBatch
from facetwise.training.pair_objectives import PAIR_OBJECTIVES
from facetwise.training.recipe import PairTraining

HOW = PairTraining(
    steps=4, loss="edges", edge_pairs=0, attribute_weight=2, relevance_kl=0, relevance_truth=0
)


def test_l_edge_is_the_mean_cross_entropy_of_what_is_said():
    p = torch.tensor([0.9, 0.2, 0.5], requires_grad=True)
    y = torch.tensor([1.0, 0.0, -1.0])
    i = torch.zeros(3, dtype=torch.long)
    pairs = PairScore(p, p[:, None], torch.ones(3, 1))
    batch = PairBatch(i[:1], i, i, y, i[:1])
    loss = PAIR_OBJECTIVES["edges"](HOW, [], 1)(p[:, None], pairs, batch)
    assert loss.item() == pytest.approx(F.binary_cross_entropy(p[:2], y[:2]).item())
    loss.backward()
    assert p.grad is not None and p.grad[2] == 0
    silent = batch._replace(y=torch.full((3,), -1.0))
    assert PAIR_OBJECTIVES["edges"](HOW, [], 1)(p[:, None], pairs, silent).item() == 0


def task_of(combine="or", how=HOW, free=1, seed=3):
    made = facet_world(16, 4, {"colour": 3, "shape": 4}, 0.3, generator_of(0, 0), dim=sum(PARTS))
    table = made.attributes
    groups = [table.groups[index] for index in table.group_index.tolist()]
    taught = Taught(attribute_conditions(table.names, groups, combine))
    config = PANConfig(
        taught="attributes", combine=combine, free=free, width=4, feature_dropout=0.0
    )
    model = PAN(config, taught, generator_of(0, 1))
    labels = made.groups
    batches = EdgePairs([labels], [split_pairs(labels, generator_of(0, 2))], seed=seed)
    x = made.features * 10
    return pair_task.PairTask(model, how, x, Known(), batches, [labels], table, seed=seed), made


@pytest.mark.parametrize("combine", ["or", "xnor", "and_xor"])
def test_a_step_is_the_equation_pair_by_pair(combine):
    task, made = task_of(combine)
    loss, figures = task.loss(0)
    batch = task._batches.batch(0)
    task.model.requires_grad_(False)
    h = task.model.embed((made.features * 10)[batch.rows])
    states, A = made.attributes.states, len(made.attributes.names)
    edge = attribute = 0.0
    for i, j, y in zip(batch.i.tolist(), batch.j.tolist(), batch.y.tolist(), strict=True):
        p, s, _ = task.model(h[i : i + 1], h[j : j + 1])
        edge -= float(p.log() if y else (1 - p).log())
        a, b = states[batch.rows[i]].tolist(), states[batch.rows[j]].tolist()
        told = {
            "or": [u or v for u, v in zip(a, b, strict=True)],
            "xnor": [u == v for u, v in zip(a, b, strict=True)],
            "and_xor": [
                *(u and v for u, v in zip(a, b, strict=True)),
                *(u != v for u, v in zip(a, b, strict=True)),
            ],
        }[combine]
        nodes = 2 * A if combine == "and_xor" else A
        assert s.shape[1] == nodes + 1  # and a free one
        each = [float(s[0, m].log() if t else (1 - s[0, m]).log()) for m, t in enumerate(told)]
        attribute -= sum(each) / (nodes + 1e-6)
    P = len(batch.y)
    assert figures["pairs"] == pytest.approx(edge / P, rel=1e-4)
    assert figures["attributes"] == pytest.approx(attribute / P, rel=1e-4)
    assert loss.item() == pytest.approx((edge + 2 * attribute) / P, rel=1e-4)


def test_a_full_batch_in_tiles_has_the_same_loss_and_gradients(monkeypatch):
    found = []
    for most in (pair_task._MOST, 7):
        monkeypatch.setattr(pair_task, "_MOST", most)
        monkeypatch.setattr(pair_task, "_TILE", 7)
        task, _ = task_of()
        loss, _ = task.loss(0)
        loss.backward()
        found.append([loss.detach(), *(p.grad for p in task.model.parameters())])
    for whole, tiled in zip(*found, strict=True):
        torch.testing.assert_close(tiled, whole, rtol=1e-4, atol=1e-6)


def test_the_free_conditions_learn_nothing_from_attributes():
    task, _ = task_of(free=2)
    batch = task._batches.batch(0)
    h = task._embed(batch)
    pairs = task._scored(h, batch)
    assert task._targets is not None
    targets, mask = task._targets(batch.rows[batch.i], batch.rows[batch.j])
    pair_task.attribute_loss(pairs.conditions, targets, mask).backward()
    gradient = task.model.conditional.W1.grad
    assert gradient is not None
    assert gradient[-2:].abs().sum() == 0 and (gradient[:-2].abs().sum(1) > 0).all()


def test_a_constant_schedule_stays():
    task, _ = task_of(how=PairTraining(steps=4, loss="edges", schedule="constant"))
    assert [task.schedule(step) for step in (0, 3)] == [1.0, 1.0]
