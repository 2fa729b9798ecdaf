"""Image and text, every system beside its rivals: the same data, features, steps and care for all.

The moment of each training is chosen on a part of the training data; what is reported was neither
trained nor chosen on. Beside every set system stands the control, its own mean vectors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facetwise.errors import InputError
from facetwise.evaluation.bench_intervals import differences
from facetwise.evaluation.bench_keep import finished
from facetwise.evaluation.bench_machine import machine
from facetwise.evaluation.bench_run import Prepared, Task, key_of, run_one
from facetwise.evaluation.bench_systems import TEXTS, Row, ablations, rows
from facetwise.evaluation.bench_workers import work_through
from facetwise.evaluation.bench_worlds import World, recipe_for, world_of
from facetwise.training import Recipe

__all__ = ["Bench", "run_bench"]


@dataclass(frozen=True)
class Bench:
    """What is asked.

    Attributes:
        data: as `world_of` takes it.
        out: where every run is kept.
        cache: where collections made of the data are kept, with their features.
        recipe: encoders, batches, steps and rates of all systems: a name or a TOML file; by default
            the one that goes with the data.
        overrides: of the recipe, dotted names to values.
        rows: the systems.
        texts: the text encoders.
        seeds: how many.
        ablations: groups of DivE's swaps to train as well, with the first text encoder.
        jobs: how many trainings at a time, each in a process of its own.
        allow_partial: go on when published counts are not reached.
    """

    data: str
    out: Path
    cache: Path
    recipe: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    rows: tuple[Row, ...] = rows(None)
    texts: tuple[str, ...] = ("minilm",)
    seeds: int = 3
    ablations: tuple[str, ...] = ()
    jobs: int = 1
    allow_partial: bool = False

    def __post_init__(self) -> None:
        for name in ("seeds", "jobs"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name} {getattr(self, name)}: expected 1 or more")
        if not self.rows or not self.texts:
            raise InputError("nothing to train; name systems and text encoders")

    def recipe_of(self, text: str) -> Recipe:
        """The recipe with a text encoder in it."""
        own = TEXTS.get(text, {})
        name = self.recipe or recipe_for(self.data)
        return Recipe.read(name, {**own, **self.overrides, "encoders.text": text})

    @property
    def groups(self) -> dict[str, tuple[Row, ...]]:
        """Of the ablation; empty without."""
        if not self.ablations:
            return {}
        every = ablations(self.recipe_of(self.texts[0]))
        return {name: own for name, own in every.items() if name in self.ablations}

    @property
    def tasks(self) -> Iterator[Task]:
        """Everything that is to be trained, each once.

        Text encoder by text encoder, as they share features, and seed by seed, so that there is a
        whole table early.
        """
        swaps = {row.name: row for own in self.groups.values() for row in own}
        for text in self.texts:
            both = {row.name: row for row in self.rows}
            if text == self.texts[0]:
                both = {**swaps, **both}
            for seed in range(self.seeds):
                for row in both.values():
                    yield Task(row, text, seed)

    def world(self) -> World:
        """The data."""
        return world_of(
            self.data,
            self.recipe_of(self.texts[0]).data,
            cache=self.cache,
            allow_partial=self.allow_partial,
        )

    def folder(self, task: Task) -> Path:
        """Where a run is kept."""
        return self.out / task.name


def run_bench(bench: Bench) -> dict[str, Any]:
    """Train and measure what is not done yet.

    Returns:
        All figures, JSON-able: ``data``, ``recipes``, ``systems``, ``runs``, ``differences``,
        ``ablations`` and ``machine``.

    Raises:
        InputError: the data or the recipe do not do.
        KeyboardInterrupt: finished runs are kept, and the state of those that are not.
    """
    tasks = list(bench.tasks)
    recipes = {text: bench.recipe_of(text) for text in bench.texts}
    world = bench.world()
    about = world.to_dict()
    keys = {task.name: key_of(task, recipes[task.text], about) for task in tasks}
    waiting = [task for task in tasks if finished(bench.folder(task), keys[task.name]) is None]
    work_through(_Trainings(bench, keys), waiting, bench.jobs, world)
    runs = [found for task in tasks if (found := finished(bench.folder(task), keys[task.name]))]
    rows = {task.row.name: task.row for task in tasks}
    main = next(iter(world.reported))
    return {
        "benchmark": "image-text",
        "data": about,
        "main": main,
        "recipes": {text: recipe.to_dict() for text, recipe in recipes.items()},
        "systems": {name: {"label": row.label} for name, row in rows.items()},
        "texts": list(bench.texts),
        "seeds": bench.seeds,
        "runs": runs,
        "differences": differences(runs, rows, world, bench.out),
        "ablations": {
            group: {row.name: row.label for row in own} for group, own in bench.groups.items()
        },
        "machine": {**machine(), "jobs": bench.jobs},
    }


@dataclass(frozen=True)
class _Trainings:
    """As `work_through` takes it."""

    bench: Bench
    keys: Mapping[str, Any]

    def open(self) -> World:
        return self.bench.world()

    def needs(self, task: Task) -> str:
        return task.text

    def prepare(self, opened: World, needed: str) -> Prepared:
        return Prepared.of(opened, self.bench.recipe_of(needed))

    def do(self, opened: World, prepared: Prepared, task: Task) -> None:
        run_one(task, prepared, self.bench.folder(task), self.keys[task.name])
