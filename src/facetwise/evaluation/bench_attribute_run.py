"""One training of the attribute bench: a system in a world with a seed, measured and kept.

What is kept is a run as `fit` writes it (`facetwise evaluate`, `index` and `explain` take it), with
the figures beside it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from facetwise.config import settings
from facetwise.data.sampling import generator_of
from facetwise.encoders import Encoders, ImageFeatures, image_features
from facetwise.errors import InputError
from facetwise.evaluation.bench_attribute_rows import Row
from facetwise.evaluation.bench_attribute_worlds import World
from facetwise.evaluation.bench_inside import inside_figures, reranked_figures
from facetwise.evaluation.bench_keep import Clock, kept_once
from facetwise.evaluation.bench_machine import peak_memory, watch_memory
from facetwise.evaluation.bench_questions import Measure, Tabled
from facetwise.evaluation.own_outfits import centred_scorer
from facetwise.evaluation.scorers import Scorer, cosine_scorer, image_scorers
from facetwise.models import Model, PairModel, Taught, build_pairs
from facetwise.training import Recipe
from facetwise.training.fit import train_pairs

__all__ = ["CONTROL", "AttributeTask", "Ready", "key_of", "run_one"]

CONTROL = "control."
"""Before the names of measures of a system's own head under the plain cosine."""


@dataclass(frozen=True)
class AttributeTask:
    """What is to be trained.

    Attributes:
        world: where.
        row: the system.
        seed: of the start, the batches and dropout.
        recipe: the world's, with the system in it.
    """

    world: str
    row: Row
    seed: int
    recipe: Recipe

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.world}/{self.row.name}--{self.seed}"


@dataclass(frozen=True)
class Ready:
    """A world with its features in memory.

    Attributes:
        world: the data.
        encoders: frozen, the same for all systems.
        train: features of the training pictures.
        reported: features of those that are measured on.
    """

    world: World
    encoders: Encoders
    train: ImageFeatures
    reported: ImageFeatures

    @classmethod
    def of(cls, world: World, recipe: Recipe) -> Ready:
        """Features from the cache; what is missing is computed."""
        encoders = Encoders.of(recipe.encoders, ())
        train, reported = world.material.rows, world.rows
        both = image_features(world.collection, encoders.images, (*train, *reported))
        cut = len(train)
        return cls(
            world,
            encoders,
            ImageFeatures(both.grid[:cut], both.pooled[:cut]),
            ImageFeatures(both.grid[cut:], both.pooled[cut:]),
        )


def key_of(task: AttributeTask, world: Mapping[str, Any]) -> dict[str, Any]:
    """What decides how a training turns out; figures under another key are computed anew."""
    tables = task.recipe.to_dict()
    tables.pop("name")
    key = {
        "recipe": tables,
        "frozen": task.row.frozen,
        "seed": task.seed,
        "data": world["fingerprint"],
    }
    kept: dict[str, Any] = json.loads(json.dumps(key))
    return kept


def run_one(
    task: AttributeTask, ready: Ready, folder: Path, key: Mapping[str, Any]
) -> dict[str, Any]:
    """Train and measure, unless that is done.

    Args:
        task: what.
        ready: on what.
        folder: where everything is kept.
        key: `key_of` the task.

    Raises:
        KeyboardInterrupt: the state of the training is kept.
        FacetwiseError: another process is at this training.
    """

    def make() -> tuple[dict[str, Any], dict[str, Tensor]]:
        frozen = bool(task.row.frozen)
        found, more = _frozen(task, ready) if frozen else _trained(task, ready, folder)
        figures = {
            **{"world": task.world, "system": task.row.name, "seed": task.seed},
            **more,
            "threads": torch.get_num_threads(),
            "measures": {name: round(one.value, 4) for name, one in found.items()},
        }
        terms = {
            f"{name}.{part}": tensor
            for name, one in found.items()
            for part, tensor in zip(Measure._fields, one, strict=True)
        }
        return figures, terms

    return kept_once(folder, key, make)


def _trained(
    task: AttributeTask, ready: Ready, folder: Path
) -> tuple[dict[str, Measure], dict[str, Any]]:
    """Train a system to its last step, and measure it."""
    world, recipe = ready.world, task.recipe
    watch_memory()
    clock = Clock(folder / "spent.json")
    with clock:
        pairs = train_pairs(
            recipe, world.material, ready.train, ready.encoders, folder, seed=task.seed
        )
    peak = peak_memory()
    model = _kept(pairs, ready, folder)
    since = time.monotonic()
    known = model.known(world.collection, world.rows)
    own, head = image_scorers(model, ready.reported, "pairs", known)[:2]
    found = _asked(world, own)
    inside = inside_figures(world, pairs, own.h) if len(pairs.conditions) > 1 else {}
    if task.row.pan:
        found |= {f"{CONTROL}{name}": one for name, one in _asked(world, head).items()}
        inside |= reranked_figures(world, own, head)
    figures: dict[str, Any] = {
        "options": settings(recipe.pairs),
        "training": settings(recipe.pair_training),
        **inside,
        "parameters": sum(p.numel() for part in pairs.parts.values() for p in part),
        "conditions": len(pairs.conditions),
        "supervised": sum(condition.supervised for condition in pairs.conditions),
        "training_seconds": round(clock.wall, 1),
        "training_processor_seconds": round(clock.processors, 1),
        "peak_memory_MiB": None if peak is None else round(peak / 2**20),
        "measuring_seconds": round(time.monotonic() - since, 1),
    }
    return found, figures


def _frozen(task: AttributeTask, ready: Ready) -> tuple[dict[str, Measure], dict[str, Any]]:
    """The cosine of what no training gives, standardised by the training pictures."""
    world, recipe = ready.world, task.recipe
    assert recipe.pairs is not None  # of every row
    untrained = build_pairs(
        recipe.pairs, Taught(), generator_of(0, -5), ready.encoders.images.parts
    )
    untrained.fit_statistics(untrained.prepare(ready.train), generator=generator_of(0, -2))
    vectors = untrained.eval().untrained(untrained.prepare(ready.reported))
    last, every = (
        cosine_scorer(name, vector)
        for name, vector in zip(("last layer", "frozen features"), vectors, strict=True)
    )
    scorers = {one.name: one for one in (last, every)}
    if world.types is not None:
        scorers["type-centred"] = centred_scorer(every, world.types)
    if task.row.frozen not in scorers:
        raise InputError(
            f"the system {task.row.name}: {world.collection.name} has no features "
            f"{task.row.frozen!r}; there are {', '.join(scorers)}"
        )
    return _asked(world, scorers[task.row.frozen]), {"parameters": 0, "training_seconds": 0.0}


@torch.no_grad()
def _asked(world: World, scorer: Scorer) -> dict[str, Measure]:
    tabled = Tabled.of(scorer)
    return {name: one for question in world.questions for name, one in question.ask(tabled).items()}


def _kept(pairs: PairModel, ready: Ready, folder: Path) -> Model:
    """Leave a run that any command opens, and nothing of its making but the log."""
    collection, rows = ready.world.collection, ready.world.material.rows
    seen = frozenset(collection.image_hashes[row] for row in rows)
    model = Model(ready.encoders, sets=None, pairs=pairs, trained_on=seen, name=folder.name)
    model.save(folder)
    for file in (*folder.glob("pairs.checkpoint.*"), folder / "spent.json"):
        file.unlink(missing_ok=True)
    return model
