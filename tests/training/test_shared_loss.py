"""Where pictures share their texts, `fit` trains by all that hold."""

from __future__ import annotations

import pytest
import torch

from facetwise.data import Collection, Item
from facetwise.encoders import Encoders, image_features
from facetwise.training import loop
from facetwise.training.fit import train_sets
from facetwise.training.material import Material
from facetwise.training.recipe import Recipe

from ..conftest import picture

TAGS = ("animal", "ocean", "food", "face", "heart", "tree", "car", "house", "sun")


def collected(tmp_path, tags):
    items = [
        Item(
            f"{n}",
            picture("PNG", (8 + n, 8)),
            texts=[TAGS[n % 9], TAGS[(n + 1) % 9]] if tags else [f"text number {n}"],
        )
        for n in range(24)
    ]
    return Collection.create(tmp_path / "c.collection", items)


def asked(tmp_path, monkeypatch, *, tags=True, **sets):
    """How a training was asked for, without its steps."""
    seen = []
    monkeypatch.setattr(loop, "train", lambda task, *_, **__: seen.append(task))
    collection = collected(tmp_path, tags)
    options = {"model": "vse", "dim": 8, "hidden": 8, "training": {"steps": 1, "batch": 8}, **sets}
    recipe = Recipe.from_dict({"name": "r", "encoders": {"pixels": 32}, "sets": options}, "r.toml")
    material = Material.of(collection, range(24), ["en"], 0)
    encoders = Encoders.of(recipe.encoders, material.distinct)
    features = image_features(collection, encoders.images, range(24))
    train_sets(recipe, material, features, encoders, tmp_path, seed=0)
    return material, seen[0]


def test_tags_are_trained_with_all_that_hold(tmp_path, monkeypatch):
    material, task = asked(tmp_path, monkeypatch)
    assert material.shares_texts and material.has_texts
    assert task.how.loss == "many"
    assert task._batches.batch(0)[1].tolist() == list(range(9))  # all tags are in every batch
    assert torch.isfinite(task.loss(0)[0])


def test_a_head_over_words_sees_fewer_texts(tmp_path, monkeypatch):
    _, task = asked(tmp_path, monkeypatch, model="dive", K=2, heads=2, head_dim=4)
    assert (task.how.loss, task.how.extra_texts) == ("many", 8)
    assert torch.isfinite(task.loss(0)[0])


def test_captions_are_not(tmp_path, monkeypatch):
    material, task = asked(tmp_path, monkeypatch, tags=False)
    assert not material.shares_texts
    assert task.how.loss == "auto"


@pytest.mark.parametrize("loss", ["info_nce", "triplet"])
def test_a_loss_that_is_named_is_taken(tmp_path, monkeypatch, loss):
    training = {"steps": 1, "batch": 8, "loss": loss}
    _, task = asked(tmp_path, monkeypatch, training=training)
    assert task.how.loss == loss
