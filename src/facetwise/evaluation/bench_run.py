"""One run of the bench: a system, a text encoder and a seed, trained, chosen, measured and kept.

What is kept is a run as `fit` writes it (`facetwise evaluate` and `index` take it), with the
figures beside it. A finished one is not computed again; an interrupted one goes on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from facetwise.config import settings
from facetwise.data.sampling import generator_of
from facetwise.encoders import Encoders, ImageFeatures, TextFeatures, image_features, text_features
from facetwise.evaluation.bench_exam import Exam, Found, ask
from facetwise.evaluation.bench_keep import Clock, kept_once, watched_in
from facetwise.evaluation.bench_machine import peak_memory, watch_memory
from facetwise.evaluation.bench_systems import FLOOR, Row, recipe_of
from facetwise.evaluation.bench_worlds import World
from facetwise.evaluation.floors import RidgeFloor
from facetwise.models import DeViSEConfig, Model, SetModel, build_sets
from facetwise.similarity import NamedSimilarity
from facetwise.training import Recipe
from facetwise.training.fit import train_sets
from facetwise.training.watch import Watch

__all__ = ["Prepared", "Task", "key_of", "run_one"]

_ROWS: Final = 1024


@dataclass(frozen=True)
class Task:
    """What is to be trained.

    Attributes:
        row: the system.
        text: the text encoder.
        seed: of the start, the batches and dropout.
    """

    row: Row
    text: str
    seed: int

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.row.name}--{self.text}--{self.seed}"


@dataclass(frozen=True)
class Prepared:
    """A world under one pair of encoders, all features in memory.

    Attributes:
        world: the data.
        recipe: whose encoders these are.
        encoders: frozen.
        images: features of the training pictures.
        watched, reported: the exams.
    """

    world: World
    recipe: Recipe
    encoders: Encoders
    images: ImageFeatures
    watched: Exam
    reported: dict[str, Exam]

    @classmethod
    def of(cls, world: World, recipe: Recipe) -> Prepared:
        """Features from the cache; what is missing is computed."""
        material = world.material
        encoders = Encoders.of(recipe.encoders, material.distinct)
        text_features(material.collection, encoders.texts, material.distinct)  # now, not later
        return cls(
            world,
            recipe,
            encoders,
            image_features(material.collection, encoders.images, material.rows),
            Exam.of(world.watched, encoders),
            {name: Exam.of(part, encoders) for name, part in world.reported.items()},
        )


def key_of(task: Task, recipe: Recipe, world: Mapping[str, Any]) -> dict[str, Any]:
    """What decides how a run turns out; figures under another key are computed anew."""
    own = recipe.to_dict() if task.row.name == FLOOR else recipe_of(task.row, recipe).to_dict()
    key = {"recipe": own, "seed": task.seed, "data": world["fingerprint"], "looks": task.row.looks}
    kept: dict[str, Any] = json.loads(json.dumps(key))
    return kept


def run_one(task: Task, prepared: Prepared, folder: Path, key: Mapping[str, Any]) -> dict[str, Any]:
    """Train and measure, unless that is done.

    Args:
        task: what.
        prepared: on what.
        folder: where everything is kept.
        key: `key_of` the task.

    Raises:
        KeyboardInterrupt: the state of the training is kept.
        FacetwiseError: another process is at this run.
    """

    def make() -> tuple[dict[str, Any], dict[str, Tensor]]:
        floor = task.row.name == FLOOR
        found, more = _floor(task, prepared) if floor else _trained(task, prepared, folder)
        figures = {
            **{"system": task.row.name, "text": task.text, "seed": task.seed},
            **more,
            "threads": torch.get_num_threads(),
            "report": {name: one.figures for name, one in found.items()},
        }
        terms = {
            f"{part}.{name}": value
            for part, one in found.items()
            for name, value in one.terms.items()
        }
        return figures, terms

    return kept_once(folder, key, make)


def _trained(
    task: Task, prepared: Prepared, folder: Path
) -> tuple[dict[str, Found], dict[str, Any]]:
    """Train a system to its last step, go back to its best moment, and report that."""
    world, material = prepared.world, prepared.world.material
    recipe = recipe_of(task.row, prepared.recipe)
    assert recipe.sets is not None  # of every row
    watch_memory()
    clock = Clock(folder / "spent.json")

    def watch(model: SetModel) -> Watch:
        def score() -> float:
            with clock.paused():
                return prepared.watched.score(model, world.figure)

        return Watch(max(1, -(-recipe.set_training.steps // task.row.looks)), score)

    with clock:
        model = train_sets(
            recipe,
            material,
            prepared.images,
            prepared.encoders,
            folder,
            seed=task.seed,
            watch=watch,
        )
    peak = peak_memory()
    watched = watched_in(folder)
    best = max(watched, key=lambda look: look[1])
    figures: dict[str, Any] = {
        "options": settings(recipe.sets),
        "parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "training_seconds": round(clock.wall, 1),
        "training_processor_seconds": round(clock.processors, 1),
        "peak_memory_MiB": None if peak is None else round(peak / 2**20),
        "K": model.K,
        "watched": {"figure": world.figure, "best": round(best[1], 2), "step": best[0]},
        "curve": [[step, round(score, 2)] for step, score in watched],
    }
    model.eval()
    since = time.monotonic()
    found = {
        name: ask(exam, *exam.sets(model), model.similarity)
        for name, exam in prepared.reported.items()
    }
    figures["measuring_seconds"] = round(time.monotonic() - since, 1)
    _keep(model, prepared, folder)
    return found, figures


def _floor(task: Task, prepared: Prepared) -> tuple[dict[str, Found], dict[str, Any]]:
    """Ridge regression from frozen pictures into the texts' own space."""
    material, encoders = prepared.world.material, prepared.encoders
    place = {text: number for number, text in enumerate(material.distinct)}
    texts = text_features(material.collection, encoders.texts, material.distinct)
    since = time.monotonic()
    floor = RidgeFloor(
        encoders.images.parts,
        prepared.images.pooled,
        _sentences(prepared, texts),
        [[place[text] for text in own] for own in material.texts],
        seed=task.seed,
    )
    seconds = time.monotonic() - since
    found = {
        name: ask(
            exam,
            floor.images(exam.images.pooled),
            floor.texts(_sentences(prepared, exam.texts))[exam.place],
            NamedSimilarity("average"),
        )
        for name, exam in prepared.reported.items()
    }
    return found, {
        "parameters": floor.weight.numel(),
        "training_seconds": round(seconds, 1),
        "K": 1,
    }


@torch.no_grad()
def _sentences(prepared: Prepared, features: TextFeatures) -> Tensor:
    """(M, C) mean word vectors, length 1, that nobody has trained here: DeViSE's text side."""
    words = build_sets(DeViSEConfig(), prepared.encoders, generator_of(0, -4)).eval()
    batches = zip(features.tokens.split(_ROWS), features.mask.split(_ROWS), strict=True)
    return torch.cat([words.texts(*batch).elements[:, 0] for batch in batches])


def _keep(model: SetModel, prepared: Prepared, folder: Path) -> None:
    """Leave a run that any command opens, and nothing of its making but the log."""
    collection, rows = prepared.world.material.collection, prepared.world.material.rows
    seen = frozenset(collection.image_hashes[row] for row in rows)
    whole = Model(prepared.encoders, sets=model, pairs=None, trained_on=seen, name=folder.name)
    whole.save(folder)
    for pattern in ("sets.checkpoint.*", "sets.best.*", "spent.json"):
        for file in folder.glob(pattern):
            file.unlink()
