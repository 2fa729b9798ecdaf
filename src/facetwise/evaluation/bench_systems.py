"""Which systems `facetwise bench image-text` trains: a table, a line for each.

All of them have the recipe's encoders, batches, steps and rates; the loss is each system's own.
Only the two that score every pair by cross attention have smaller batches, and are looked at less
often: a step would else take ten times as long as one of DivE.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Final

from facetwise.errors import InputError
from facetwise.models import SET_SYSTEMS, SetConfig
from facetwise.training import Recipe

__all__ = ["FLOOR", "SYSTEMS", "TEXTS", "Row", "ablations", "groups_of", "recipe_of", "rows"]


@dataclass(frozen=True)
class Row:
    """A line of the tables."""

    name: str
    """On the command line and in file names."""
    label: str
    """In tables and plots."""
    model: str
    """As in a recipe's table [sets]."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of [sets], next to the widths, which are the recipe's."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """Of [sets.training], where a system is nothing without it."""
    wide: bool = False
    """Whether its vectors have as many numbers as a set of the recipe's has in all, K D."""
    single: bool = False
    """Whether it is a single-vector system, whose best one set systems have to beat."""
    looks: int = 12
    """How often its training is watched."""
    usual: bool = True
    """Whether it is trained when nobody names systems."""


FLOOR: Final = "ridge"
"""Ridge regression into the texts' space: no training, no [sets]."""

_DEVISE: Final = {"margin": 0.1}  # METHODS 3.3
_SCAN: Final = {"batch": 64, "texts_per_item": 1}
_CAAN: Final = {"batch": 32, "texts_per_item": 1}
"""Cross attention costs so much for each pair of a batch that a laptop needs smaller ones."""
_PVSE: Final = {"diversity": 0.1}  # METHODS 3.4
_PCME: Final = {"vib": 1e-5}  # METHODS 3.5
_PCMEPP: Final = {"vib": 1e-4}  # METHODS 3.6

SYSTEMS: Final[Mapping[str, Row]] = MappingProxyType(
    {
        row.name: row
        for row in (
            Row(FLOOR, "ridge regression", FLOOR, single=True),
            Row("devise", "DeViSE", "devise", training=_DEVISE, single=True),
            Row("vse", "VSE++", "vse", single=True),
            Row("vse-infinity", "VSE-infinity", "vse_infinity", single=True),
            Row("vse-wide", "VSE++, K D wide", "vse", wide=True, single=True),
            Row(
                "vse-infinity-wide",
                "VSE-infinity, K D wide",
                "vse_infinity",
                wide=True,
                single=True,
            ),
            Row("pvse", "PVSE", "pvse", training=_PVSE),
            Row("pcme", "PCME", "pcme", training=_PCME),
            Row("pcmepp", "PCME++", "pcmepp", training=_PCMEPP),
            Row("slot-attention", "Slot Attention", "slot_attention"),
            Row("dive", "DivE", "dive"),
            Row("scan", "SCAN", "scan", training=_SCAN, looks=4),
            Row("caan", "CAAN", "caan", {"attention_hidden": 32}, _CAAN, looks=2, usual=False),
        )
    }
)
"""The paper's rivals, from the least to the dearest; a new one gets its line here."""


_SWAPS: Final[Mapping[str, Mapping[str, Mapping[str, Any]]]] = MappingProxyType(
    {
        "similarity": {
            "smooth-Chamfer": {"similarity": "smooth_chamfer"},
            "its texts' half": {"similarity": "directed_smooth_chamfer"},
            "Chamfer": {"similarity": "chamfer"},
            "MIL": {"similarity": "max_pair"},
            "MP, fixed": {"similarity": "match_probability", "match": "fixed"},
            "MP, learned": {"similarity": "match_probability", "match": "learned"},
            "average": {"similarity": "average"},
        },
        "head": {
            "set prediction": {"head": "module"},
            "PIE-Net": {"head": "pie_net"},
            "Transformer": {"head": "transformer"},
            "Slot Attention": {"head": "slot_attention"},
        },
        "K": {f"K = {K}": {"K": K} for K in (1, 2, 4, 8)},
        "alpha": {f"alpha = {alpha}": {"alpha": float(alpha)} for alpha in (1, 4, 16, 64)},
        "T": {f"T = {T}": {"T": T} for T in (1, 2, 3, 4)},
        "global": {
            "one for all elements": {"global_features": "shared"},
            "each its own": {"global_features": "own"},
            "none": {"global_weight": 0.0},
        },
    }
)
"""DivE's parts: for each the values by what they are called, in their order."""

TEXTS: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "minilm": {},
        "glove": {"encoders.gru_hidden": 256, "sets.training.tower_lr": 1.0},
    }
)
"""Text encoders, and what of the recipe they need otherwise, the same for every system: a Bi-GRU
starts at random and has to learn as fast as the heads, and is as wide as a laptop allows."""


def rows(names: str | None) -> tuple[Row, ...]:
    """The systems called ``a,b``; the usual ones without names.

    Raises:
        InputError: there is no such system.
    """
    if names is None:
        return tuple(row for row in SYSTEMS.values() if row.usual)
    asked = [name.strip() for name in names.split(",") if name.strip()]
    for name in asked:
        if name not in SYSTEMS:
            raise InputError(f"--systems: there is no {name!r}; there are {', '.join(SYSTEMS)}")
    if not asked:
        raise InputError(f"--systems names none; there are {', '.join(SYSTEMS)}")
    return tuple(SYSTEMS[name] for name in dict.fromkeys(asked))


def groups_of(names: str | None) -> tuple[str, ...]:
    """The groups of swaps called ``a,b``; ``all`` is all of them, None none.

    Raises:
        InputError: there is no such group.

    >>> groups_of("K,T")
    ('K', 'T')
    """
    if names is None:
        return ()
    asked = tuple(_SWAPS) if names == "all" else tuple(name.strip() for name in names.split(","))
    for name in asked:
        if name not in _SWAPS:
            raise InputError(f"--ablations: no {name!r}; there are {', '.join(_SWAPS)}, or all")
    return asked


def ablations(recipe: Recipe) -> dict[str, tuple[Row, ...]]:
    """The swaps of the paper's ablation, one at a time, in groups.

    The value that the recipe's DivE has is DivE itself, under its value's name.

    >>> [row.name for row in ablations(Recipe.read("image-text"))["T"]]
    ['dive.T-1', 'dive', 'dive.T-3', 'dive.T-4']
    """
    own = SYSTEMS["dive"]
    plain = recipe_of(own, recipe).to_dict()
    out: dict[str, tuple[Row, ...]] = {}
    for group, values in _SWAPS.items():
        found = []
        for label, options in values.items():
            name = f"dive.{group}-{re.sub('[^A-Za-z0-9]+', '-', label.split('= ')[-1])}"
            row = Row(name, label, "dive", options)
            same = recipe_of(row, recipe).to_dict() == plain
            found.append(replace(own, label=f"{label} (DivE)") if same else row)
        out[group] = tuple(found)
    return out


def recipe_of(row: Row, recipe: Recipe) -> Recipe:
    """The bench's recipe with the system of a row in it.

    Options of a system other than the recipe's own are its defaults, but for what all have; a
    system that cannot be trained by the recipe's loss has its own.

    Raises:
        InputError: the recipe has no [sets], or the system does not know an option.
    """
    tables = recipe.to_dict()
    if "sets" not in tables:
        raise InputError(f"the recipe {recipe.name} has no [sets]: there is nothing to compare")
    own = tables["sets"]
    known = {field.name for field in fields(SET_SYSTEMS[row.model][1])}
    shared = [*(field.name for field in fields(SetConfig)), "direct"]
    common = {key: own[key] for key in shared if key in own and key in known}
    if own["model"] == row.model:
        common = {key: value for key, value in own.items() if key not in ("model", "training")}
    if row.wide:
        common["dim"] = own["dim"] * own.get("K", 1)
    loss = own["training"]["loss"]
    losses = SET_SYSTEMS[row.model][0].losses
    if loss not in losses and not (loss == "many" and "info_nce" in losses):
        loss = "auto"
    tables["sets"] = {
        **common,
        **row.options,
        "model": row.model,
        "training": {**own["training"], "loss": loss, **row.training},
    }
    tables.pop("pairs", None)
    return Recipe.from_dict(tables, f"{recipe.name}, {row.label}")
