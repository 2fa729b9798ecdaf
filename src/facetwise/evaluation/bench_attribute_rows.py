"""Which systems `facetwise bench attributes` trains, and how, in each kind of data.

All of it is in one TOML file, ``recipes/bench/attributes.toml``: a table for each system, a table
for each world, which may set a system otherwise, and one for each ablation.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from facetwise.config import Count, read_config
from facetwise.errors import InputError
from facetwise.models import PAIR_SYSTEMS, PairConfig
from facetwise.training import Recipe

__all__ = ["Row", "Table", "WorldTable", "merged", "recipe_of", "settings_of"]

_FILE: Final = "attributes.toml"
_OWN: Final = ("label", "frozen", "pan")
"""What a system's table says beside the table [pairs] of a recipe."""


@dataclass(frozen=True)
class Row:
    """A line of the tables.

    Attributes:
        name: on the command line and in file names.
        label: in tables and plots.
        pairs: the table [pairs] of its recipe, as far as it differs; empty if nothing is trained.
        frozen: which features without training; empty where a system is trained.
        pan: whether it is one of ours, which rivals are compared with.
    """

    name: str
    label: str
    pairs: Mapping[str, Any] = field(default_factory=dict)
    frozen: str = ""
    pan: bool = False


@dataclass(frozen=True)
class WorldTable:
    """How a kind of data is trained on and asked."""

    recipe: str = "small"
    """Encoders, split, and the training that all systems share."""
    systems: tuple[str, ...] = ()
    """In the order of the tables."""
    ablations: tuple[str, ...] = ()
    """That make sense here; empty means all."""
    shots: tuple[int, ...] = (1, 5)
    """Of few-shot episodes."""
    query: Count = 16
    """Pictures of each class that episodes ask for."""
    episodes: Count = 600
    """With 5 classes each."""
    all_way_episodes: Count = 100
    """With all classes."""
    candidates: tuple[int, ...] = (4, 10)
    """Of the blanks of outfits, the right one included."""
    draws: Count = 5
    """Questions of each outfit, with other blanks and other wrong answers."""


@dataclass(frozen=True)
class Table:
    """The file, read.

    Attributes:
        source: its name, for errors.
        systems: tables by name.
        worlds: settings by name.
        sets: of each world the values of its recipe that are its own, by dotted names.
        swaps: of each world the systems that are set otherwise there.
        ablations: groups: the system, and its values by what they are called.
    """

    source: str
    systems: Mapping[str, Mapping[str, Any]]
    worlds: Mapping[str, WorldTable]
    sets: Mapping[str, Mapping[str, Any]]
    swaps: Mapping[str, Mapping[str, Mapping[str, Any]]]
    ablations: Mapping[str, tuple[str, Mapping[str, Mapping[str, Any]]]]

    @classmethod
    def read(cls, file: Path | None = None) -> Table:
        """The package's own table, or one from a file of the same form.

        Raises:
            InputError: it cannot be read, or says what there is not.
        """
        place = file or files("facetwise") / "recipes" / "bench" / _FILE
        source = str(file or _FILE)
        try:
            tables = tomllib.loads(place.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"{source} cannot be read ({error.strerror}); give a TOML file") from (
                error
            )
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{source}: {error}") from error
        for name in tables:
            if name not in ("systems", "worlds", "ablations"):
                raise InputError(
                    f"{source}: no table [{name}]; there are systems, worlds, ablations"
                )
        worlds, sets, swaps = {}, {}, {}
        for name, told in tables.get("worlds", {}).items():
            own = dict(told)
            sets[name], swaps[name] = own.pop("set", {}), own.pop("tuned", {})
            worlds[name] = read_config(WorldTable, own, source, f"worlds.{name}")
        ablations = {
            name: (group["of"], group["values"])
            for name, group in tables.get("ablations", {}).items()
        }
        out = cls(source, tables.get("systems", {}), worlds, sets, swaps, ablations)
        out._check()
        return out

    def row(self, world: str, name: str) -> Row:
        """A system as it is set in a world.

        Raises:
            InputError: there is no such system.
        """
        if name not in self.systems:
            raise InputError(
                f"there is no system {name!r}; there are {', '.join(self.systems)} ({self.source})"
            )
        table = merged(self.systems[name], self.swaps[world].get(name, {}))
        return Row(
            name,
            str(table.get("label", name)),
            {key: value for key, value in table.items() if key not in _OWN},
            str(table.get("frozen", "")),
            bool(table.get("pan", False)),
        )

    def rows(self, world: str, names: Sequence[str] | None = None) -> tuple[Row, ...]:
        """The systems called so that the world has; all of its systems without names."""
        for name in names or ():
            self.row(world, name)
        own = self.worlds[world].systems
        return tuple(self.row(world, name) for name in own if names is None or name in names)

    def swapped(self, world: str, group: str) -> tuple[Row, ...]:
        """The values of an ablation; one that changes nothing is the system itself, so named.

        Raises:
            InputError: there is no such group.
        """
        if group not in self.ablations:
            raise InputError(
                f"--ablations: there is no {group!r}; there are {', '.join(self.ablations)}"
            )
        of, values = self.ablations[group]
        base = self.row(world, of)
        out = []
        for place, (label, options) in enumerate(values.items()):
            if options:
                name = f"{of}.{group}-{place}"
                out.append(Row(name, label, merged(base.pairs, options), pan=base.pan))
            else:
                out.append(Row(base.name, label, base.pairs, base.frozen, base.pan))
        return tuple(out)

    def groups(self, world: str, names: Sequence[str]) -> tuple[str, ...]:
        """Those of the ablations called so that make sense in a world."""
        own = self.worlds[world].ablations or tuple(self.ablations)
        return tuple(name for name in own if name in names)

    def _check(self) -> None:
        for world, about in self.worlds.items():
            for name in (*about.systems, *self.swaps[world]):
                self.row(world, name)
        for group, (of, _) in self.ablations.items():
            if of not in self.systems:
                raise InputError(f"{self.source} [ablations.{group}] of: no system {of!r}")


def recipe_of(row: Row, recipe: Recipe, overrides: Mapping[str, Any]) -> Recipe:
    """The world's recipe with the system of a row in it.

    What the recipe's [pairs] and [pairs.training] say holds for the system as far as it knows the
    option: of [pairs] all if it is the recipe's own system; if not, what all systems have and the
    recipe says otherwise than by default.

    Args:
        row: the system.
        recipe: the world's.
        overrides: of [pairs], by dotted names (``pairs.training.steps``); they win over the row.

    Raises:
        InputError: the recipe has no [pairs], or the system does not know an option of its row.
    """
    tables = recipe.to_dict()
    if recipe.pairs is None:
        raise InputError(f"the recipe {recipe.name} has no [pairs]: there is nothing to compare")
    own = dict(tables["pairs"])
    training = dict(own.pop("training"))
    told = dict(row.pairs)
    trained = dict(told.pop("training", {}))
    system = str(told.pop("model", own["model"]))
    if system not in PAIR_SYSTEMS:
        raise InputError(
            f"the system {row.name}: no model {system!r}; there are {', '.join(PAIR_SYSTEMS)}"
        )
    knows = settings_of(system)
    if own.pop("model") != system:
        usual = type(recipe.pairs)()
        own = {
            field.name: own[field.name]
            for field in fields(PairConfig)
            if getattr(recipe.pairs, field.name) != getattr(usual, field.name)
        }
        training["loss"] = "auto"  # what the recipe's system is trained by may not be for this one
    own |= told
    training |= trained
    for dotted, value in overrides.items():
        table, _, key = dotted.removeprefix("pairs.").rpartition(".")
        if table == "training":
            training[key] = value
        elif not table and key in knows:
            own[key] = value
    tables["pairs"] = {"model": system, **own, "training": training}
    tables.pop("sets", None)
    tables.pop("pretrain", None)
    return Recipe.from_dict(tables, f"{recipe.name}, {row.name}")


def settings_of(system: str) -> frozenset[str]:
    """Names of the options that a system has."""
    return frozenset(field.name for field in fields(PAIR_SYSTEMS[system][1]))


def merged(table: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """A table with another laid over it, tables in it as well.

    >>> merged({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"c": 4}})
    {'a': 1, 'b': {'c': 4, 'd': 3}}
    """
    out = dict(table)
    for key, value in other.items():
        mine = out.get(key)
        both = isinstance(mine, Mapping) and isinstance(value, Mapping)
        out[key] = merged(mine, value) if both else value  # type: ignore[arg-type]
    return out
