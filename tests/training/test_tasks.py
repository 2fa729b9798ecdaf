"""A step's loss, and what it moves."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch

from facetwise.data.synthetic import facet_world
from facetwise.encoders import (
    EncoderConfig,
    Encoders,
    ImageFeatures,
    TextFeatures,
    masked_mean,
)
from facetwise.encoders.lite import PARTS
from facetwise.losses import pair_info_nce, relevance_truth
from facetwise.models import (
    PAN,
    DivEConfig,
    Known,
    PANConfig,
    Siamese,
    SiameseConfig,
    Taught,
    VSEConfig,
    build_sets,
)
from facetwise.training.pair_batches import ClassPairs
from facetwise.training.pair_task import PairTask
from facetwise.training.recipe import PairTraining, SetTraining
from facetwise.training.set_task import SetTask


@cache
def images(n=20, seed=0):
    g = torch.Generator().manual_seed(seed)
    return ImageFeatures(
        torch.randn(n, PARTS[0], 2, 2, generator=g).half(),
        torch.randn(n, sum(PARTS), generator=g),
    )


def texts(n=30, seed=1):
    g = torch.Generator().manual_seed(seed)
    lengths = torch.randint(2, 8, (n,), generator=g)
    mask = torch.arange(8) < lengths[:, None]
    tokens = torch.randn(n, 8, 384, generator=g).half().masked_fill(~mask[..., None], 0)
    return TextFeatures(tokens, mask, [["a"] * int(length) for length in lengths])


HOW = SetTraining(steps=20, batch=6, texts_per_item=2)


def set_task(kind="vse", how=HOW, seed=3):
    g = torch.Generator().manual_seed(0)
    config = (
        DivEConfig(dim=16, K=3, hidden=16, heads=2, head_dim=8)
        if kind == "dive"
        else VSEConfig(dim=16, hidden=16)
    )
    model = build_sets(config, Encoders(EncoderConfig(components=8)), g)
    texts_of = [[row, 20 + row] if row < 10 else [row] for row in range(20)]
    clusters = [[row] for row in range(20)]
    return SetTask(model, how, images(), texts(), texts_of, clusters, seed=seed)


def world(seed=0):
    """Pooled features of 16 things in 4 views each, with two attributes."""
    g = torch.Generator().manual_seed(seed)
    made = facet_world(16, 4, {"colour": 3, "shape": 4}, 0.3, g, dim=sum(PARTS))
    pooled = made.features * 10
    grid = torch.zeros(len(pooled), PARTS[0], 1, 1).half()
    return ImageFeatures(grid, pooled), made


PAIR = PairTraining(steps=20, classes=6, per_class=3)


def pair_task(how=PAIR, free=2, siamese=False, seed=3):
    g = torch.Generator().manual_seed(0)
    features, made = world()
    taught = Taught.groups(made.attributes.groups)
    model = (
        Siamese(SiameseConfig(dim=16), taught, g)
        if siamese
        else PAN(PANConfig(free=free, width=8), taught, g)
    )
    labellings = [made.groups]
    batches = ClassPairs(labellings, classes=how.classes, per_class=how.per_class, seed=seed)
    return PairTask(
        model,
        how,
        model.prepare(features),
        Known(),
        batches,
        labellings,
        made.attributes,
        seed=seed,
    )


def without_dropout(task):
    return task.eval()


@pytest.mark.parametrize("kind", ["dive", "vse"])
def test_every_parameter_of_a_set_model_learns(kind):
    task = set_task(kind, replace(HOW, start="random"))  # else the MLPs start at zero
    loss, figures = task.loss(0)
    loss.backward()
    silent = [
        name
        for name, parameter in task.named_parameters()
        if parameter.grad is None or not parameter.grad.abs().sum() > 0
    ]
    assert silent == []
    assert figures["temperature"] == pytest.approx(0.07)
    assert loss.item() >= figures["objective"] > 0


@pytest.mark.parametrize("kind", ["dive", "vse"])
def test_the_closed_form_start_is_far_ahead_of_a_random_one(kind):
    """On features where texts can be read off the pictures."""
    g = torch.Generator().manual_seed(5)
    given = texts()
    vectors = masked_mean(given.tokens, given.mask)[:20]
    pooled = vectors @ torch.randn(384, sum(PARTS), generator=g)
    losses = {}
    for start in ("ridge", "random"):
        how = replace(HOW, start=start, mmd=0, diversity=0, batch=20, texts_per_item=1)
        model = set_task(kind).model
        features = ImageFeatures(images().grid, pooled)
        alone = [[row] for row in range(20)]
        task = SetTask(model, how, features, given, alone, alone, seed=0)
        losses[start] = without_dropout(task).loss(0)[0].item()
    assert losses["ridge"] < 0.5 * losses["random"]


def test_a_steps_loss_is_of_the_step_alone():
    task, other = without_dropout(set_task()), without_dropout(set_task())
    other.loss(5)
    assert task.loss(2)[0].item() == other.loss(2)[0].item()
    assert task.loss(2)[0].item() != task.loss(3)[0].item()


@pytest.mark.parametrize("kind", ["dive", "vse"])
def test_padding_to_the_batchs_own_length_changes_nothing(kind):
    task = without_dropout(set_task(kind))
    cut = task.loss(1)[0].item()
    task._lengths = torch.full_like(task._lengths, 8)
    assert task.loss(1)[0].item() == pytest.approx(cut, abs=1e-5)


def test_terms_can_be_switched_off():
    bare = without_dropout(set_task("dive", how=replace(HOW, mmd=0, diversity=0)))
    loss, figures = bare.loss(0)
    assert loss.item() == figures["objective"]
    assert without_dropout(set_task("dive")).loss(0)[0].item() > figures["objective"]


@pytest.mark.parametrize("kind", ["dive", "vse"])
def test_every_parameter_has_one_rate(kind):
    task = set_task(kind)
    groups = task.parameter_groups()
    listed = [id(p) for group in groups for p in group["params"]]
    assert sorted(listed) == sorted(id(p) for p in task.parameters())
    by_id = {id(p): group for group in groups for p in group["params"]}
    assert by_id[id(task.log_temperature)]["weight_decay"] == 0
    torch.optim.AdamW(groups)


def test_the_schedule_warms_up_and_ends_at_zero():
    task = set_task(how=replace(HOW, steps=100, warmup=0.1))
    rates = [task.schedule(step) for step in range(101)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == pytest.approx(1)
    assert max(rates) == pytest.approx(1)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[100] == pytest.approx(0)
    short = set_task(how=replace(HOW, steps=1, warmup=1))
    assert short.schedule(0) == pytest.approx(1)


def test_every_parameter_of_pan_learns():
    task = pair_task()
    loss, figures = task.loss(0)
    loss.backward()
    silent = [
        name
        for name, parameter in task.named_parameters()
        if parameter.grad is None or not parameter.grad.abs().sum() > 0
    ]
    assert silent == []
    assert set(figures) == {
        "pairs",
        "attributes",
        "relevance",
        "pair_entropy",
        "mean_entropy",
    }
    assert figures["pair_entropy"] <= figures["mean_entropy"] + 1e-6


def test_lambda_zero_is_no_attributes():
    without = without_dropout(
        pair_task(replace(PAIR, attribute_weight=0, relevance_kl=0, relevance_truth=0))
    )
    loss, figures = without.loss(0)
    assert loss.item() == pytest.approx(figures["pairs"])
    with_both = without_dropout(
        pair_task(replace(PAIR, attribute_weight=2, relevance_kl=0, relevance_truth=0))
    )
    loss, figures = with_both.loss(0)
    assert loss.item() == pytest.approx(figures["pairs"] + 2 * figures["attributes"])


def test_the_attributes_are_those_of_the_batchs_pairs():
    """Slowly, pair by pair."""
    task = without_dropout(pair_task())
    rows = task._batches.batch(4).rows
    _, figures = task.loss(4)
    states = world()[1].attributes.states
    total, count = 0.0, 0
    h = task.model.embed(task._x[rows])
    for a in range(len(rows)):
        for b in range(a + 1, len(rows)):
            s = task.model(h[a : a + 1], h[b : b + 1]).conditions[0]
            for condition, part in enumerate((slice(0, 3), slice(3, 7))):
                same = bool((states[rows[a], part] & states[rows[b], part]).any())
                p = s[condition].item()
                total -= float(torch.tensor(p if same else 1 - p).log()) / 2
            count += 1
    assert figures["attributes"] == pytest.approx(total / count, rel=1e-4)


def test_a_siamese_model_learns_from_triplets_alone():
    task = pair_task(siamese=True)
    loss, figures = task.loss(0)
    loss.backward()
    assert set(figures) == {"pairs"}
    assert task.model.head.weight.grad.abs().sum() > 0
    assert [len(group["params"]) for group in task.parameter_groups()] == [1]


def test_every_parameter_of_pan_has_one_rate():
    task = pair_task()
    listed = [id(p) for group in task.parameter_groups() for p in group["params"]]
    assert sorted(listed) == sorted(id(p) for p in task.parameters())
    assert task.schedule(0) == 1 and task.schedule(20) == pytest.approx(0)


def of_all_pairs(task, step):
    """What a step's loss is made from: scores of all pairs i < j, and what they should say."""
    batch = task._batches.batch(step)
    i, j = torch.triu_indices(len(batch.rows), len(batch.rows), 1)
    h = task.model.embed(task._x[batch.rows])
    return task.model(h[i], h[j]), batch, batch.rows[i], batch.rows[j]


def test_relevance_is_told_what_pairs_of_different_things_differ_in():
    how = replace(PAIR, attribute_weight=0, relevance_kl=0, relevance_truth=3)
    task = without_dropout(pair_task(how))
    loss, figures = task.loss(4)
    pairs, batch, a, b = of_all_pairs(task, 4)
    targets, mask = world()[1].attributes.same_value(a, b)
    expected = relevance_truth(pairs.relevance, targets, mask, batch.y)
    assert 0 < figures["relevance"] == pytest.approx(expected.item(), rel=1e-5)
    assert loss.item() == pytest.approx(figures["pairs"] + 3 * figures["relevance"], rel=1e-5)


def test_relevance_learns_what_differs():
    """Told nothing else, and not how soft the minimum is."""
    how = replace(PAIR, attribute_weight=0, relevance_kl=0, relevance_truth=1)
    task = without_dropout(pair_task(how))
    optimiser = torch.optim.Adam([task.model.conditional.W2, task.model.conditional.b2], lr=0.1)
    before = task.loss(0)[1]["relevance"]
    for _ in range(10):
        optimiser.zero_grad()
        task.loss(0)[0].backward()
        optimiser.step()
    assert task.loss(0)[1]["relevance"] < 0.9 * before


def test_without_its_weight_relevance_is_told_nothing():
    task = pair_task(replace(PAIR, relevance_truth=0))
    assert "relevance" not in task.loss(0)[1]


@pytest.mark.parametrize("siamese", [False, True])
@pytest.mark.parametrize("units", ["score", "logit"])
def test_info_nce_is_over_the_batchs_pairs_in_the_recipes_units(units, siamese):
    how = replace(
        PAIR,
        **{"loss": "info_nce", "units": units, "temperature": 0.3},
        **{"attribute_weight": 0, "relevance_kl": 0, "relevance_truth": 0},
    )
    task = without_dropout(pair_task(how, siamese=siamese))
    loss, figures = task.loss(4)
    batch = task._batches.batch(4)
    h = task.model.embed(task._x[batch.rows])
    scores = task.model.against(h, h)
    same = batch.labels[:, None] == batch.labels
    expected = pair_info_nce(
        scores.logit() if units == "logit" else scores,
        same & ~torch.eye(len(h), dtype=torch.bool),
        ~same,
        temperature=0.3,
    )
    assert 0 < figures["pairs"] == pytest.approx(expected.item(), rel=1e-3)
    assert loss.item() == pytest.approx(figures["pairs"])
    loss.backward()
    assert task.model.head.weight.grad.abs().sum() > 0


def test_info_nce_learns():
    task = without_dropout(pair_task(replace(PAIR, loss="info_nce", units="logit")))
    optimiser = torch.optim.Adam(task.parameter_groups())
    before = task.loss(0)[1]["pairs"]
    for _ in range(5):
        optimiser.zero_grad()
        task.loss(0)[0].backward()
        optimiser.step()
    assert task.loss(0)[1]["pairs"] < before
