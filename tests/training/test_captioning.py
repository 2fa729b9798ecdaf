"""Captioning before the set model: what is trained, and what the set model starts from."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import facetwise as fw
from facetwise.data.sampling import generator_of
from facetwise.data.splits import split_collection
from facetwise.encoders import (
    AdaptedGrid,
    EncoderConfig,
    Encoders,
    FrozenGrid,
    ImageFeatures,
    LiteEncoder,
    WordIds,
    image_features,
)
from facetwise.encoders.words import MARKERS, PAD, vocabulary_of
from facetwise.errors import InputError
from facetwise.models.virtex import VirTex, VirTexConfig
from facetwise.training import Recipe, fit
from facetwise.training.captioning import (
    CAPTIONS_FILE,
    CaptionTask,
    CaptionTraining,
    captions,
    learn_to_caption,
)
from facetwise.training.lookahead import LookAheadSGD
from facetwise.training.loop import train
from facetwise.training.material import Material
from facetwise.training.set_task import SetTask

from .conftest import QUICK, SMALL, tiny
from .test_fit import same_files

ENCODERS = {**SMALL["encoders"], "adapter": 16}
PRETRAIN = {
    "model": "virtex",
    "width": 16,
    "heads": 2,
    "word_least": 1,
    "training": {"steps": 5, "batch": 8},
}


SETS = {**QUICK, "training": {**QUICK["training"], "tower_lr": 0}}


def recipe(**tables):
    usual = {"encoders": ENCODERS, "pretrain": PRETRAIN, "sets": SETS, "pairs": None}
    return tiny(**{**usual, **tables})


@pytest.fixture(scope="module")
def middle(shapes):
    """The shapes' middle layer, where the network itself is trained from."""
    return image_features(shapes, LiteEncoder(64, "middle"), range(len(shapes)))


def task_on(shapes, features, rows, how, *, swapped=None, seed=0):
    """A captioning task on some of the shapes; features of None are made up, for a frozen grid."""
    texts_of = [list(shapes.texts[row])[:1] for row in rows]
    distinct = sorted({text for own in texts_of for text in own})
    words = WordIds(vocabulary_of(distinct), 30)
    g = generator_of(seed, -6)
    if features is None:
        n = len(rows)
        grid, pooled = torch.randn(n, 6, 2, 2, generator=g), torch.randn(n, 7, generator=g)
        own, tower = ImageFeatures(grid, pooled), AdaptedGrid(FrozenGrid(6, [7], 6), 8, g)
    else:
        own = ImageFeatures(features.grid[rows], features.pooled[rows])
        tower = Encoders(EncoderConfig(pixels=64, tune=("image",))).towers(g).image
    model = VirTex(VirTexConfig(width=64, dropout=0.1), tower, words.marks.size, g)
    numbers = [[distinct.index(text) for text in texts] for texts in texts_of]
    task = CaptionTask(model, how, own, words.encode(distinct), numbers, swapped=swapped, seed=seed)
    return task, words, own


def test_it_learns_eight_pictures_captions_by_heart(shapes, middle, tmp_path):
    """EfficientNet's upper blocks learn with it, from the middle layer's grid."""
    rows = list(range(8))
    how = CaptionTraining(steps=40, batch=8, lr=3e-3, flip=False, weight_decay=0.0)
    task, words, features = task_on(shapes, middle, rows, how)
    before = task.model.image.head.weight.detach().clone()
    train(task, tmp_path, "pretrain", seed=0)
    assert not torch.equal(task.model.image.head.weight, before)
    task.model.eval()
    said = captions(task.model, words, *task.model.image.prepare(features))
    known = [" ".join(words.words([shapes.texts[row][0]])[0][1:-1]) for row in rows]
    assert said == [(text, text) for text in known]


def test_a_mirrored_picture_has_left_and_right_exchanged(shapes, middle):
    how = CaptionTraining(steps=3, batch=6)
    task, _, _ = task_on(shapes, middle, range(6), how, swapped=(7, 9))
    seen = []

    def model(a, b, ids, lengths, owner):
        seen.append((a, ids, owner))
        return torch.zeros(()), torch.zeros(())

    task.model.forward = model
    mirrored = set()
    for step in range(3):
        task.loss(step)
        rows, texts, owner = task._batches.batch(step)
        a, ids, which = seen[-1]
        assert torch.equal(which, owner)
        plain = task._ids[texts, : ids.shape[1]]
        exchanged = plain.clone()
        exchanged[plain == 7], exchanged[plain == 9] = 9, 7
        for place, row in enumerate(rows.tolist()):
            turned = torch.equal(a[place], task._a[row].flip(2))
            assert turned or torch.equal(a[place], task._a[row])
            for text in (owner == place).nonzero()[:, 0].tolist():
                assert torch.equal(ids[text], (exchanged if turned else plain)[text])
            mirrored.add(turned)
    assert mirrored == {True, False}


def test_a_frozen_grid_is_never_mirrored(shapes):
    task, _, _ = task_on(shapes, None, range(6), CaptionTraining(steps=2, batch=6))
    assert task._a.dim() == 3
    assert torch.isfinite(task.loss(0)[0])


def test_rates_and_decay_are_the_papers(shapes):
    how = CaptionTraining(optimizer="sgd", lr=1e-3, tower_lr=200, weight_decay=1e-4)
    task, _, _ = task_on(shapes, None, range(6), how)
    optimizer = task.optimizer()
    assert isinstance(optimizer, LookAheadSGD)
    assert (optimizer.alpha, optimizer.k) == (0.5, 5)
    assert all(group["momentum"] == 0.9 for group in optimizer.param_groups)
    tower, decoders, free = task.parameter_groups()
    assert [g["lr"] for g in (tower, decoders, free)] == [0.2, 1e-3, 1e-3]
    assert [g["weight_decay"] for g in (tower, decoders, free)] == [1e-4, 1e-4, 0]
    model = task.model
    assert set(tower["params"]) == set(model.image.parameters())
    assert {id(model.bias), id(model.words.weight)} <= {id(p) for p in decoders["params"]}
    assert {id(model.norm.weight), id(model.see.bias)} <= {id(p) for p in free["params"]}
    assert sum(len(g["params"]) for g in (tower, decoders, free)) == len(list(model.parameters()))
    assert isinstance(replace_optimizer(task, "adamw"), torch.optim.AdamW)


def replace_optimizer(task, name):
    task.how = replace(task.how, optimizer=name)
    return task.optimizer()


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_interrupted_and_resumed_is_uninterrupted(shapes, tmp_path, optimizer):
    how = CaptionTraining(steps=9, batch=6, optimizer=optimizer)

    def run(folder, stop=None):
        task, _, _ = task_on(shapes, None, range(12), how)
        loss = task.loss

        def stopping(step):
            if step == stop:
                raise KeyboardInterrupt
            return loss(step)

        task.loss = stopping
        train(task, folder, "pretrain", seed=0)
        return task.model.state_dict()

    whole = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", stop=7)
    again = run(tmp_path / "parts")
    assert all(torch.equal(whole[name], again[name]) for name in whole)


@pytest.fixture(scope="module")
def run(shapes, tmp_path_factory):
    """A run whose tower is not trained further, by the rate of zero."""
    out = tmp_path_factory.mktemp("runs") / "run"
    return fit(shapes, out=out, recipe=recipe()), out


def test_the_set_model_starts_from_the_tower_that_learned(run, shapes, tmp_path):
    made = recipe()
    parts = split_collection(shapes, test=0.25, by="item", seed=0)
    rows = [row for row, part in enumerate(parts) if part == "train"]
    tower = learn_to_caption(
        made.pretrain,
        made.pretraining,
        Material.of(shapes, rows, ("en",), 0),
        image_features(shapes, LiteEncoder(64), rows),
        Encoders(made.encoders),
        tmp_path,
        seed=0,
    )
    learned, had = tower.state_dict(), run[0].sets.image.state_dict()
    assert learned.keys() == had.keys()
    assert [name for name in learned if not torch.equal(learned[name], had[name])] == []
    fresh = Encoders(made.encoders).towers(generator_of(0, -6)).image.state_dict()
    assert not torch.equal(learned["inner.weight"], fresh["inner.weight"])
    assert learned["outer.weight"].any()  # zero at the start


def test_a_run_keeps_the_tower_and_throws_the_words_away(run, shapes):
    model, out = run
    assert {file.name for file in out.iterdir()} == {
        *("model.toml", "recipe.toml", "made-of.toml", "seen.txt", "log.jsonl"),
        *("sets.safetensors", CAPTIONS_FILE),
    }
    assert fw.load(out).fingerprint == model.fingerprint
    names = set(model.sets.state_dict())
    assert "image.outer.weight" in names and not any("decoder" in name for name in names)
    log = (out / "log.jsonl").read_text()
    assert '"task": "pretrain"' in log and '"forward"' in log and '"task": "sets"' in log
    said = (out / CAPTIONS_FILE).read_text().splitlines()
    assert said[0] in shapes.ids
    assert said[1].startswith("  forward: ") and said[2].startswith("  backward: ")
    assert said[3].startswith("  given: ")


def test_the_same_seed_gives_the_same_bits(run, shapes, tmp_path):
    torch.rand(7)
    fit(shapes, out=tmp_path / "run", recipe=recipe())
    assert same_files(run[1], tmp_path / "run")


def test_interrupted_between_the_two_trainings(run, shapes, tmp_path, monkeypatch):
    out = tmp_path / "run"
    loss = SetTask.loss

    def interrupted(self, step):
        if step == 3:
            raise KeyboardInterrupt
        return loss(self, step)

    monkeypatch.setattr(SetTask, "loss", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(shapes, out=out, recipe=recipe())
    monkeypatch.setattr(SetTask, "loss", loss)
    steps = []
    caption_loss = CaptionTask.loss
    monkeypatch.setattr(
        CaptionTask, "loss", lambda self, step: steps.append(step) or caption_loss(self, step)
    )
    fit(shapes, out=out, recipe=recipe())
    assert steps == []
    assert same_files(run[1], out)


def test_a_recipe_says_what_it_needs():
    with pytest.raises(InputError, match=r"\[pretrain\]: nothing of the image side would learn"):
        recipe(encoders=SMALL["encoders"])
    with pytest.raises(InputError, match=r"\[pretrain\] model: expected one of virtex"):
        recipe(pretrain={"model": "bert"})
    with pytest.raises(InputError, match=r"\[pretrain\]: is for the set model's image tower"):
        recipe(sets=None, pairs=SMALL["pairs"])
    with pytest.raises(InputError, match=r"\[encoders\] adapter: is for an image network that is"):
        recipe(encoders={**ENCODERS, "tune": ["image"]})
    made = recipe()
    assert Recipe.from_dict(made.to_dict(), "again.toml") == made
    assert made.pretrain == VirTexConfig(width=16, heads=2, word_least=1)
    assert made.pretraining.steps == 5
    assert recipe(pretrain=None).pretrain is None


def test_markers_are_never_said(shapes, middle):
    task, _, features = task_on(shapes, middle, range(6), CaptionTraining(steps=1, batch=6))
    task.model.eval()
    a, b = task.model.image.prepare(features)
    for reverse in (False, True):
        ids = task.model.caption(a, b, reverse=reverse)
        assert ((ids == PAD) | (ids >= len(MARKERS))).all()
