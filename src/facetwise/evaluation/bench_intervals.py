"""Is a set system better than one vector? Paired intervals, on the same queries.

Against the best single-vector system, and against its own mean vectors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from facetwise.data.sampling import generator_of
from facetwise.evaluation.bench_keep import terms_of
from facetwise.evaluation.bench_systems import Row
from facetwise.evaluation.bench_worlds import Figure, Part, World
from facetwise.metrics.bootstrap import bootstrap_difference

__all__ = ["differences", "main_figure"]

_SALT = -22


def main_figure(run: Mapping[str, Any], part: str, figure: Figure) -> float:
    """RSUM, or the mean of both ways' mAP@R."""
    found = run["report"][part]
    if figure == "rsum":
        return float(found["rsum"])
    return fmean(found[way]["map_at_r"] for way in ("i2t", "t2i"))


def differences(
    runs: Sequence[Mapping[str, Any]], rows: Mapping[str, Row], world: World, out: Path
) -> list[dict[str, Any]]:
    """Of each set system, on the part that systems are compared on.

    The rival is the single-vector system that is best on just this part: a choice in its favour.
    Means over the seeds are compared; pictures (their whole groups) with their texts are resampled.

    Args:
        runs: figures of finished runs.
        rows: the systems by name.
        world: the data.
        out: where the runs are kept.

    Returns:
        ``{"text", "system", "rival", "rsum": {"value", "ci95"}, "i2t": ..., "t2i": ...}`` each,
        the latter two of mAP@R; `rival` is a system's name, or ``mean vectors``.
    """
    part, found = next(iter(world.reported)), []
    for text in dict.fromkeys(run["text"] for run in runs):
        own = [run for run in runs if run["text"] == text]
        names = list(dict.fromkeys(run["system"] for run in own))
        level = {
            name: fmean(
                main_figure(run, part, world.figure) for run in own if run["system"] == name
            )
            for name in names
        }
        single = [name for name in names if rows[name].single]
        best = max(single, key=level.__getitem__, default=None)
        for name in names:
            if rows[name].single or "." in name:  # one vector, or a swap of the ablation
                continue
            terms = _terms(own, name, out, part)
            rivals = {} if best is None else {best: _terms(own, best, out, part)}
            control = "control."
            means = {k.removeprefix(control): v for k, v in terms.items() if k.startswith(control)}
            if means:
                rivals["mean vectors"] = means
            for rival, other in rivals.items():
                found.append(
                    {"text": text, "system": name, "rival": rival}
                    | _paired(terms, other, world.reported[part])
                )
    return found


def _terms(runs: Sequence[Mapping[str, Any]], name: str, out: Path, part: str) -> dict[str, Tensor]:
    """Means over a system's seeds."""
    own = [
        terms_of(out / f"{name}--{run['text']}--{run['seed']}")
        for run in runs
        if run["system"] == name
    ]
    here = f"{part}."
    return {
        key.removeprefix(here): torch.stack([one[key].double() for one in own]).mean(0)
        for key in own[0]
        if key.startswith(here)
    }


def _paired(
    own: Mapping[str, Tensor], rival: Mapping[str, Tensor], part: Part
) -> dict[str, dict[str, Any]]:
    out = {"rsum": _interval(own["rsum.sums"], rival["rsum.sums"], own["rsum.weights"])}
    for way, units in zip(("i2t", "t2i"), part.units, strict=True):
        known = ~own[way].isnan()
        size = int(units.max()) + 1

        def sums(values: Tensor, units: Tensor = units[known], size: int = size) -> Tensor:
            return torch.zeros(size, dtype=torch.double).index_add_(0, units, values)

        weights = sums(known[known].double())
        asked = weights > 0
        out[way] = _interval(
            sums(own[way][known])[asked], sums(rival[way][known])[asked], weights[asked]
        )
    return out


def _interval(own: Tensor, rival: Tensor, weights: Tensor) -> dict[str, Any]:
    found = bootstrap_difference(own, rival, weights, generator=generator_of(0, _SALT))
    return {
        "value": round(found.value, 2),
        "ci95": [round(found.low, 2), round(found.high, 2)],
    }
