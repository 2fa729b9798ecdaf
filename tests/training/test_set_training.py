"""Every system learns, and what the papers' recipes ask of training does what it says."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch

import facetwise as fw
from facetwise.data.sampling import generator_of
from facetwise.encoders import EncoderConfig, Encoders, ImageFeatures, TextFeatures
from facetwise.encoders.lite import PARTS
from facetwise.heads import ElementSet
from facetwise.losses import rank_loss, triplet
from facetwise.models import SET_SYSTEMS, VSEConfig, build_sets
from facetwise.training import fit
from facetwise.training.objectives import OBJECTIVES, SetBatch, objective
from facetwise.training.recipe import SetTraining
from facetwise.training.set_task import SetTask

from .conftest import tiny

HOW = SetTraining(steps=20, batch=8, start="random", lr=2e-3, warmup=0, mmd=0, diversity=0)
PENALTIES = {"vib": 1e-5, "uniformity": 0.1, "mmd": 0.01, "diversity": 0.1}


@cache
def world(n=24):
    """Pictures whose features are a linear map of their texts' (two words each)."""
    g = torch.Generator().manual_seed(0)
    words = torch.randn(n, 3, 384, generator=g)
    to_image = torch.randn(384, sum(PARTS), generator=g) / 20
    grid = (words[:, :2] @ to_image[:, : PARTS[0]]).transpose(1, 2).repeat(1, 1, 2)
    images = ImageFeatures(grid.view(n, -1, 2, 2).half(), words.mean(1) @ to_image)
    mask = torch.ones(n, 3, dtype=torch.bool)
    return images, TextFeatures(words.half(), mask, [["a", "b", "c"]] * n)


@cache
def encoders():
    return Encoders(EncoderConfig(components=8))


def task(system="vse", how=HOW, seed=0, texts=None, **options):
    widths = {} if system == "devise" else {"dim": 16, "hidden": 16}
    config = SET_SYSTEMS[system][1](**widths, **options)
    model = build_sets(config, encoders(), torch.Generator().manual_seed(seed))
    images, given = world()
    alone = [[row] for row in range(len(images.pooled))]
    return SetTask(model, how, images, texts or given, alone, alone, seed=seed)


def losses(one, steps):
    """Of training by hand, on one batch."""
    optimizer = torch.optim.AdamW(one.parameter_groups())
    state = torch.get_rng_state()
    found = []
    for step in range(steps):
        torch.set_rng_state(generator_of(-1, step).get_state())
        loss, _ = one.loss(0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    torch.set_rng_state(state)
    return found


@pytest.mark.parametrize("system", SET_SYSTEMS)
def test_every_system_learns_by_its_own_loss(system):
    found = losses(task(system, replace(HOW, module_lr=1.0)), 12)
    assert min(found[-3:]) < 0.9 * found[0], found


@pytest.mark.parametrize("system", SET_SYSTEMS)
def test_every_parameter_learns_and_has_one_rate(system):
    one = task(system, replace(HOW, **PENALTIES, sum_share=1.0), feature_dropout=0.0)
    loss, figures = one.loss(0)
    loss.backward()
    silent = {
        name
        for name, parameter in one.model.named_parameters()
        if parameter.grad is None or not parameter.grad.abs().sum() > 0
    }
    assert silent == set()
    assert ("vib" in figures) == (system in ("pcme", "pcmepp"))
    assert ("mmd" in figures) == (system in ("dive", "pvse", "slot_attention"))
    listed = [id(p) for group in one.parameter_groups() for p in group["params"]]
    assert sorted(listed) == sorted(id(p) for p in one.parameters())


@pytest.mark.parametrize("system", ["vse_infinity", "pvse", "pcme", "pcmepp", "devise"])
def test_the_closed_form_start_is_ahead_of_a_random_one(system):
    cosines = {}
    for start in ("ridge", "random"):
        one = task(system, replace(HOW, start=start)).eval()
        x, y = one.model.images(one._a, one._b), one.model.texts(*world()[1][:2])
        of_pairs = one.model.similarity.mean_vectors
        means = of_pairs(x.elements) @ of_pairs(y.elements).T
        off = means.masked_fill(torch.eye(len(means), dtype=torch.bool), 0).sum() / (24 * 23)
        cosines[start] = (means.diagonal().mean() - off).item()
    assert cosines["ridge"] > cosines["random"] + 0.3


def batch(progress, b=6):
    g = torch.Generator().manual_seed(0)
    x, y = (torch.nn.functional.normalize(torch.randn(b, 1, 16, generator=g)) for _ in range(2))
    sets = [ElementSet(rows, rows, rows) for rows in (x, y)]
    owner = torch.arange(b)
    matches = torch.eye(b, dtype=torch.bool)
    return SetBatch(*sets, owner, torch.tensor(0.1), progress, matches, torch.ones(b))


def test_the_triplet_loss_sums_then_grows_in_then_stays():
    model = task().model
    how = replace(HOW, sum_share=0.2, ramp=0.2, sum_power=0.0)
    scores = model.scores(batch(0).x, batch(0).y)
    hardest = triplet(scores, torch.arange(6))
    at = {p: OBJECTIVES["triplet"](model, batch(p), how) for p in (0.0, 0.2, 0.3, 0.4, 1.0)}
    torch.testing.assert_close(at[0.0], triplet(scores, torch.arange(6), negatives="sum"))
    torch.testing.assert_close(at[0.2], 0 * hardest)
    torch.testing.assert_close(at[0.3], 0.5 * hardest)
    torch.testing.assert_close(at[0.4], hardest)
    torch.testing.assert_close(at[1.0], hardest)
    summed = OBJECTIVES["triplet"](model, batch(1.0), replace(how, reduction="sum"))
    torch.testing.assert_close(summed, 6 * hardest)


def test_the_rank_loss_is_devises():
    model = task().model
    scores = model.scores(batch(0).x, batch(0).y)
    found = OBJECTIVES["rank"](model, batch(0), replace(HOW, margin=0.1))
    torch.testing.assert_close(found, rank_loss(scores, torch.arange(6), margin=0.1))


def test_a_system_is_trained_by_its_own_losses_alone():
    assert objective(task("devise").model, "auto") is OBJECTIVES["rank"]
    assert objective(task("pcme").model, "auto") is OBJECTIVES["own"]
    assert objective(task("scan").model, "auto") is OBJECTIVES["triplet"]
    with pytest.raises(fw.InputError, match="PCME is trained by own, not by 'triplet'"):
        objective(task("pcme").model, "triplet")


def test_the_rate_goes_down_in_steps():
    one = task(how=replace(HOW, steps=25, schedule="step"))
    rates = [one.schedule(step) for step in range(25)]
    assert rates == [1.0] * 15 + [pytest.approx(0.1)] * 10
    halves = task(how=replace(HOW, steps=12, schedule="step", decay=0.5, decay_every=1 / 3))
    assert [halves.schedule(s) for s in (0, 3, 4, 7, 8, 11)] == [1, 1, 0.5, 0.5, 0.25, 0.25]


class _Tower(torch.nn.Module):
    """An image tower with a weight."""

    trained, local_width, global_width = True, 8, sum(PARTS)

    def __init__(self):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.ones(()))
        self.fixed = torch.nn.Parameter(torch.ones(()), requires_grad=False)

    def fit(self, features):
        pass

    def prepare(self, features):
        return features.grid.float().flatten(2).transpose(1, 2)[..., :8], features.pooled

    def forward(self, a, b):
        return self.gain * a, self.gain * b


def with_tower(how):
    towers = encoders().towers()._replace(image=_Tower())
    model = SET_SYSTEMS["vse"][0](VSEConfig(dim=16, hidden=16), towers)
    images, texts = world()
    alone = [[row] for row in range(len(images.pooled))]
    return SetTask(model, how, images, texts, alone, alone, seed=0)


def test_a_trained_image_tower_waits_and_has_its_own_rate():
    one = with_tower(replace(HOW, image_freeze=0.1, tower_lr=0.5, image_tower_lr=0.1, lr=1.0))
    rates = {id(p): group["lr"] for group in one.parameter_groups() for p in group["params"]}
    assert rates[id(one.model.image.gain)] == pytest.approx(0.05)
    assert id(one.model.image.fixed) not in rates
    grads = []
    for step in (0, 1, 2):
        one.zero_grad()
        one.loss(step)[0].backward()
        grads.append(one.model.image.gain.grad is not None)
    assert grads == [False, False, True]
    assert not one.model.image.fixed.requires_grad


def test_words_and_cells_are_dropped_in_training():
    one = task(how=replace(HOW, word_drop=0.5, cell_drop=0.5), feature_dropout=0.0).eval()
    seen = {}
    one.model.images = lambda a, b, mask: seen.update(cells=mask) or plain.model.images(a, b, mask)
    one.model.texts = lambda t, m: seen.update(tokens=t, words=m) or plain.model.texts(t, m)
    plain = task(feature_dropout=0.0).eval()
    one.loss(3)
    assert seen["cells"].shape == (8, 4) and not seen["cells"].all() and seen["cells"].any(1).all()
    assert seen["words"].sum() < 8 * 3 and seen["words"].any(1).all()
    again = dict(seen)
    one.loss(3)
    assert all(torch.equal(seen[key], again[key]) for key in seen)
    one.loss(4)
    assert not torch.equal(seen["cells"], again["cells"])


TRAINED = {"dim": 32, "hidden": 32, "training": {"steps": 6, "batch": 8}}


@pytest.mark.parametrize("system", SET_SYSTEMS)
def test_every_system_can_be_fitted_opened_and_asked(system, shapes, tmp_path):
    recipe = tiny(sets={"model": system, **TRAINED}, pairs=None)
    model = fit(shapes, out=tmp_path / "run", recipe=recipe)
    opened = fw.load(tmp_path / "run")
    assert opened.fingerprint == model.fingerprint
    assert type(opened.sets) is SET_SYSTEMS[system][0] and opened.sets.config == recipe.sets
    texts = ["a red circle", "a star on a pink background"]
    y = opened.encode_texts(texts)
    assert torch.equal(y, model.encode_texts(texts))
    x = opened.embed_collection(shapes, range(10))
    assert x.attention.shape[0] == 10 and x.attention.shape[2:] == (2, 2)
    scores = opened.similarity(x.sets, y)
    assert scores.shape == (10, 2) and scores.isfinite().all()
    assert opened.similarity_spec == model.similarity_spec or system == "caan"
