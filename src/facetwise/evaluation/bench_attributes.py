"""Pairs of pictures, every system beside its rivals: the same data, features and care for all.

Each kind of data is a world with its own questions (`bench_attribute_worlds`). What is reported was
neither trained nor chosen on; all systems see the same frozen features, and are asked the very same
episodes, queries and questions, so that their differences have paired intervals.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facetwise.errors import InputError
from facetwise.evaluation.bench_attribute_intervals import compared
from facetwise.evaluation.bench_attribute_rows import Row, Table, recipe_of, settings_of
from facetwise.evaluation.bench_attribute_run import CONTROL, AttributeTask, Ready, key_of, run_one
from facetwise.evaluation.bench_attribute_worlds import (
    KINDS,
    Kind,
    World,
    collection_of,
    kind_of,
    world_of,
)
from facetwise.evaluation.bench_keep import finished
from facetwise.evaluation.bench_machine import machine
from facetwise.evaluation.bench_workers import work_through
from facetwise.models import PAIR_SYSTEMS
from facetwise.training import Recipe

__all__ = ["AttributeBench", "run_attribute_bench"]


@dataclass(frozen=True)
class AttributeBench:
    """What is asked.

    Attributes:
        data: collections, and the folders of CUB-200-2011 or Clothing Co-Parsing; ``KIND=DIR``
            says what to ask of it.
        out: where every training is kept.
        cache: where collections made of the data are kept, with their features.
        worlds: only these; empty means all that there are data of.
        systems: only these; None means all that the table names for a world.
        seeds: how many.
        ablations: by name, or ``all``.
        recipe: encoders, split and shared training of all worlds: a name or a TOML file; by
            default the one that the table names for a world.
        overrides: of the recipe, dotted names to values; they hold for every system that has them.
        table: another table of systems and settings.
        jobs: how many trainings at a time, each in a process of its own.
        choose: train on a part of the training data and measure on the rest of it, to choose
            settings by.
        allow_partial: go on when published counts are not reached.
    """

    data: tuple[str, ...]
    out: Path
    cache: Path
    worlds: tuple[str, ...] = ()
    systems: tuple[str, ...] | None = None
    seeds: int = 3
    ablations: tuple[str, ...] = ()
    recipe: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    table: Path | None = None
    jobs: int = 1
    choose: bool = False
    allow_partial: bool = False

    def __post_init__(self) -> None:
        for name in ("seeds", "jobs"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name} {getattr(self, name)}: expected 1 or more")
        for name in self.worlds:
            if name not in KINDS:
                raise InputError(f"--worlds: there is no {name!r}; there are {', '.join(KINDS)}")
        known = {"training"}.union(*map(settings_of, PAIR_SYSTEMS))
        for dotted in self.overrides:
            first, _, rest = dotted.partition(".")
            if first == "pairs" and rest.partition(".")[0] not in known:
                raise InputError(f"--set {dotted}: no system has this option")

    def world_recipe(self, table: Table, kind: Kind) -> Recipe:
        """Of all systems of a world."""
        own = {
            dotted: value
            for dotted, value in self.overrides.items()
            if dotted.partition(".")[0] not in ("pairs", "sets")
        }
        return Recipe.read(self.recipe or table.worlds[kind].recipe, {**table.sets[kind], **own})

    def groups(self, table: Table, kind: Kind) -> dict[str, tuple[Row, ...]]:
        """The ablations of a world."""
        asked = tuple(table.ablations) if "all" in self.ablations else self.ablations
        for name in asked:
            table.swapped(kind, name)  # it is there
        return {name: table.swapped(kind, name) for name in table.groups(kind, asked)}

    def tasks(self, table: Table, kind: Kind) -> Iterator[AttributeTask]:
        """Everything that is to be trained in a world, each once.

        Seed by seed, so that there is a whole table early; the ablations come after it.
        """
        recipe = self.world_recipe(table, kind)
        rows = {row.name: row for row in table.rows(kind, self.systems)}
        swaps = {row.name: row for own in self.groups(table, kind).values() for row in own}
        for part in (rows, {name: row for name, row in swaps.items() if name not in rows}):
            for seed in range(self.seeds):
                for row in part.values():
                    if not row.frozen:
                        yield AttributeTask(kind, row, seed, recipe_of(row, recipe, self.overrides))
                    elif not seed:
                        yield AttributeTask(kind, row, 0, recipe_of(row, recipe, {}))

    def folder(self, task: AttributeTask) -> Path:
        """Where a training is kept."""
        return self.out / ("chosen-on" if self.choose else "") / task.name

    def opened(self, table: Table) -> dict[Kind, World]:
        """The data by what is asked of them, in the order in which they were given.

        Raises:
            InputError: no data, two of a kind, or they do not do.
        """
        found: dict[Kind, World] = {}
        for data in self.data:
            said, equals, path = data.partition("=")
            if not equals or said not in KINDS:
                said, path = "", data
            if not Path(path).is_dir():
                raise InputError(f"--data {path} is no folder; give a collection, or a data set's")
            if said and self.worlds and said not in self.worlds:
                continue
            collection, problems = collection_of(
                Path(path), cache=self.cache, allow_partial=self.allow_partial
            )
            kind: Kind = next((kind for kind in KINDS if kind == said), kind_of(collection))
            if self.worlds and kind not in self.worlds:
                continue
            if kind in found:
                raise InputError(
                    f"--data {path}: there are {kind} already; one of a kind at a time"
                )
            how = self.world_recipe(table, kind).data
            found[kind] = world_of(
                collection, kind, table.worlds[kind], how, problems=problems, choose=self.choose
            )
        if not found:
            wanted = f" of {', '.join(self.worlds)}" if self.worlds else ""
            raise InputError(
                f"no data{wanted}: --data DIR, a collection or the folder of a data set"
            )
        return found


def run_attribute_bench(bench: AttributeBench) -> dict[str, Any]:
    """Train and measure what is not done yet.

    Returns:
        All figures, JSON-able: ``worlds`` by name, each with ``data``, ``recipe``, ``systems``,
        ``measures`` (their names), ``runs``, ``intervals``, ``differences`` and ``ablations``; and
        ``machine``.

    Raises:
        InputError: the data, the table or the recipe do not do.
        KeyboardInterrupt: finished trainings are kept, and the state of those that are not.
    """
    table = Table.read(bench.table)
    worlds = bench.opened(table)
    tasks = {kind: list(bench.tasks(table, kind)) for kind in worlds}
    about = {kind: world.to_dict() for kind, world in worlds.items()}
    keys = {task.name: key_of(task, about[kind]) for kind in worlds for task in tasks[kind]}
    waiting = [
        task
        for own in tasks.values()
        for task in own
        if finished(bench.folder(task), keys[task.name]) is None
    ]
    if not keys:
        raise InputError("nothing to train; name systems that the worlds have")
    work_through(_Trainings(bench, keys), waiting, bench.jobs, worlds)
    return {
        "benchmark": "attributes",
        "seeds": bench.seeds,
        "choose": bench.choose,
        "worlds": {
            kind: _world_results(bench, table, kind, tasks[kind], about[kind], keys)
            for kind in worlds
            if tasks[kind]
        },
        "machine": {**machine(), "jobs": bench.jobs},
    }


def _world_results(
    bench: AttributeBench,
    table: Table,
    kind: Kind,
    tasks: Sequence[AttributeTask],
    about: Mapping[str, Any],
    keys: Mapping[str, Any],
) -> dict[str, Any]:
    runs = [found for task in tasks if (found := finished(bench.folder(task), keys[task.name]))]
    rows = {task.row.name: task.row for task in tasks}
    folders: dict[str, list[Path]] = {}
    for task in tasks:
        folders.setdefault(task.row.name, []).append(bench.folder(task))
    shown = [row.name for row in table.rows(kind, bench.systems)]
    intervals, differences = compared(folders, rows, shown)
    return {
        "data": dict(about),
        "recipe": bench.world_recipe(table, kind).to_dict(),
        "systems": {
            name: {"label": row.label, "pan": row.pan, "frozen": row.frozen}
            for name, row in rows.items()
        },
        "shown": shown,
        "measures": [name for name in runs[0]["measures"] if not name.startswith(CONTROL)],
        "runs": runs,
        "intervals": intervals,
        "differences": differences,
        "ablations": {
            group: {row.name: row.label for row in own}
            for group, own in bench.groups(table, kind).items()
        },
    }


@dataclass(frozen=True)
class _Trainings:
    """As `work_through` takes it."""

    bench: AttributeBench
    keys: Mapping[str, Any]

    def open(self) -> dict[Kind, World]:
        return self.bench.opened(Table.read(self.bench.table))

    def needs(self, task: AttributeTask) -> str:
        return task.world

    def prepare(self, opened: Mapping[str, World], needed: str) -> Ready:
        recipe = self.bench.world_recipe(Table.read(self.bench.table), opened[needed].kind)
        return Ready.of(opened[needed], recipe)

    def do(self, opened: Mapping[str, World], prepared: Ready, task: AttributeTask) -> None:
        run_one(task, prepared, self.bench.folder(task), self.keys[task.name])
