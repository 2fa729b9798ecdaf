"""Which systems `facetwise bench image-text` trains: a table, a line for each.

All of them have the recipe's encoders, batches, steps and rates; the loss is each system's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from facetwise.errors import InputError
from facetwise.models import SET_SYSTEMS
from facetwise.training import Recipe

__all__ = ["ABLATIONS", "FLOOR", "SYSTEMS", "TEXTS", "Row", "ablation_rows", "recipe_of", "rows"]


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
    single: bool = False
    """Whether it is a single-vector system, whose best one set systems have to beat."""


FLOOR: Final = "ridge"
"""Ridge regression into the texts' space: no training, no [sets]."""

_PVSE: Final = {"diversity": 0.1}  # METHODS 3.4
_PCME: Final = {"vib": 1e-5}  # METHODS 3.5
_PCMEPP: Final = {"vib": 1e-4}  # METHODS 3.6

SYSTEMS: Final[Mapping[str, Row]] = MappingProxyType(
    {
        row.name: row
        for row in (
            Row(FLOOR, "ridge regression", FLOOR, single=True),
            Row("devise", "DeViSE", "devise", single=True),
            Row("vse", "VSE++", "vse", single=True),
            Row("vse-infinity", "VSE-infinity", "vse_infinity", single=True),
            Row("pvse", "PVSE", "pvse", training=_PVSE),
            Row("pcme", "PCME", "pcme", training=_PCME),
            Row("pcmepp", "PCME++", "pcmepp", training=_PCMEPP),
            Row("slot-attention", "Slot Attention", "slot_attention"),
            Row("dive", "DivE", "dive"),
            Row("scan", "SCAN", "scan"),
            Row("caan", "CAAN", "caan"),
        )
    }
)
"""The paper's rivals, from the least to the dearest; a new one gets its line here."""


def _swap(group: str, value: Any, label: str, **options: Any) -> Row:
    return Row(f"dive.{group}-{value}", label, "dive", options)


ABLATIONS: Final[Mapping[str, tuple[Row, ...]]] = MappingProxyType(
    {
        "similarity": (
            SYSTEMS["dive"],
            _swap("similarity", "chamfer", "Chamfer", similarity="chamfer"),
            _swap("similarity", "max_pair", "MIL", similarity="max_pair"),
            _swap(
                "similarity",
                "mp-fixed",
                "MP, fixed",
                similarity="match_probability",
                match="fixed",
            ),
            _swap(
                "similarity",
                "mp-learned",
                "MP, learned",
                similarity="match_probability",
                match="learned",
            ),
            _swap("similarity", "average", "average", similarity="average"),
        ),
        "head": (
            SYSTEMS["dive"],
            _swap("head", "pie_net", "PIE-Net", head="pie_net"),
            _swap("head", "transformer", "Transformer", head="transformer"),
            _swap("head", "slot_attention", "Slot Attention", head="slot_attention"),
        ),
        "K": (
            *(_swap("K", K, f"K = {K}", K=K) for K in (1, 2)),
            SYSTEMS["dive"],
            _swap("K", 8, "K = 8", K=8),
        ),
        "alpha": (
            *(_swap("alpha", alpha, f"alpha = {alpha}", alpha=alpha) for alpha in (1, 4)),
            SYSTEMS["dive"],
            _swap("alpha", 64, "alpha = 64", alpha=64),
        ),
        "T": (
            _swap("T", 1, "T = 1", T=1),
            SYSTEMS["dive"],
            *(_swap("T", T, f"T = {T}", T=T) for T in (3, 4)),
        ),
    }
)
"""The swaps of the paper's ablation, one at a time; in each group DivE as it is stands among them,
in its place in the order."""

TEXTS: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "minilm": {},
        "glove": {"encoders.gru_hidden": 256, "sets.training.tower_lr": 1.0},
    }
)
"""Text encoders, and what of the recipe they need otherwise, the same for every system: a Bi-GRU
starts at random and has to learn as fast as the heads, and is as wide as a laptop allows."""


def rows(names: str | None) -> tuple[Row, ...]:
    """The systems called ``a,b``; all of them without names.

    Raises:
        InputError: there is no such system.
    """
    if names is None:
        return tuple(SYSTEMS.values())
    asked = [name.strip() for name in names.split(",") if name.strip()]
    for name in asked:
        if name not in SYSTEMS:
            raise InputError(f"--systems: there is no {name!r}; there are {', '.join(SYSTEMS)}")
    if not asked:
        raise InputError(f"--systems names none; there are {', '.join(SYSTEMS)}")
    return tuple(SYSTEMS[name] for name in dict.fromkeys(asked))


def ablation_rows() -> tuple[Row, ...]:
    """All rows of all groups, each once."""
    return tuple({row.name: row for group in ABLATIONS.values() for row in group}.values())


def recipe_of(row: Row, recipe: Recipe) -> Recipe:
    """The bench's recipe with the system of a row in it.

    Options of a system other than the recipe's own are its defaults, but for the widths; a system
    that cannot be trained by the recipe's loss has its own.

    Raises:
        InputError: the recipe has no [sets], or the system does not know an option.
    """
    tables = recipe.to_dict()
    if "sets" not in tables:
        raise InputError(f"the recipe {recipe.name} has no [sets]: there is nothing to compare")
    own = tables["sets"]
    common = {key: own[key] for key in ("dim", "hidden", "feature_dropout")}
    if own["model"] == row.model:
        common = {key: value for key, value in own.items() if key not in ("model", "training")}
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
