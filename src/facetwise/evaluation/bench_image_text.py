"""Image and text, every system beside its rivals: the same data, features, steps and care for all.

The moment of each training is chosen on a part of the training data; what is reported was neither
trained nor chosen on. Beside every set system stands the control, its own mean vectors.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch

from facetwise.errors import InputError
from facetwise.evaluation.bench_intervals import differences
from facetwise.evaluation.bench_machine import machine
from facetwise.evaluation.bench_run import Prepared, Task, finished, key_of, run_one
from facetwise.evaluation.bench_systems import TEXTS, Row, ablations, rows
from facetwise.evaluation.bench_worlds import World, recipe_for, world_of
from facetwise.progress import bar
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
    if bench.jobs > 1 and len(waiting) > 1:
        _side_by_side(bench, waiting, keys, world)
    else:
        _one_by_one(bench, waiting, keys, world)
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


def _one_by_one(bench: Bench, tasks: Sequence[Task], keys: Mapping[str, Any], world: World) -> None:
    prepared: tuple[str, Prepared] | None = None
    with bar("trainings", len(tasks)) as progress:
        for task in tasks:
            progress.note(task.name)
            if prepared is None or prepared[0] != task.text:
                prepared = None  # before the next one's features come
                prepared = task.text, Prepared.of(world, bench.recipe_of(task.text))
            run_one(task, prepared[1], bench.folder(task), keys[task.name])
            progress.advance()


def _side_by_side(
    bench: Bench, tasks: Sequence[Task], keys: Mapping[str, Any], world: World
) -> None:
    """In processes of their own, each with its share of the cores."""
    for text in dict.fromkeys(task.text for task in tasks):
        Prepared.of(world, bench.recipe_of(text))  # two processes must not compute them twice
    del world
    threads = max(1, (os.cpu_count() or 1) // bench.jobs)
    context = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(bench.jobs, context, _Worker.start, (bench, threads)) as pool,
        bar("trainings", len(tasks)) as progress,
    ):
        coming = [pool.submit(_Worker.work, task, keys[task.name]) for task in tasks]
        try:
            for done in as_completed(coming):
                done.result()
                progress.advance()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


class _Worker:
    """One of several processes: opens the data once."""

    here: ClassVar[_Worker]

    def __init__(self, bench: Bench) -> None:
        self.bench, self.world = bench, bench.world()
        self.prepared: tuple[str, Prepared] | None = None

    @classmethod
    def start(cls, bench: Bench, threads: int) -> None:
        """In a fresh process, before its first task."""
        os.environ["FACETWISE_PROGRESS"] = "0"
        torch.set_num_threads(threads)
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
        cls.here = cls(bench)

    @classmethod
    def work(cls, task: Task, key: Mapping[str, Any]) -> None:
        """Do a task."""
        own = cls.here
        if own.prepared is None or own.prepared[0] != task.text:
            own.prepared = None  # before the next one's features come
            recipe = own.bench.recipe_of(task.text)
            own.prepared = task.text, Prepared.of(own.world, recipe)
        run_one(task, own.prepared[1], own.bench.folder(task), key)


def _end_with(parent: int) -> None:
    """Do not outlive a parent that was killed: nobody would collect what is found."""
    while os.getppid() == parent:
        time.sleep(5)
    os._exit(1)
