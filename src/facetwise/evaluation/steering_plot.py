"""Steering drawn: for each attribute group what its weight buys, and what it costs."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Final

from facetwise.errors import InputError
from facetwise.evaluation.steering import SteeringCurve
from facetwise.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_steering", "write_steering"]

_BOUGHT: Final = "#1f5fa8"
_COST: Final = "#c0392b"
_ACROSS: Final = 4
"""Panels in a row."""


def write_steering(path: Path, runs: Sequence[Sequence[SteeringCurve]]) -> None:
    """Write `draw_steering` as a PNG.

    Raises:
        InputError: there are no curves, since no condition was taught an attribute group.
    """
    if not runs or not runs[0]:
        raise InputError(
            f"{path}: there is no curve to draw; no condition of this run was taught an attribute "
            "group of the collection, so nothing can be weighed"
        )
    data = io.BytesIO()
    draw_steering(runs).savefig(data, format="png", dpi=150, metadata={"Software": None})
    write_bytes(path, data.getvalue())


def draw_steering(runs: Sequence[Sequence[SteeringCurve]], title: str = "") -> Figure:
    """A panel for each attribute group; points above the unsteered model against the weight.

    Args:
        runs: the curves of each seed, the same groups and weights in all; the line is their mean,
            the band a standard deviation to both sides.
        title: above all.
    """
    from matplotlib.figure import Figure

    groups = [curve.group for curve in runs[0]]
    across = min(_ACROSS, len(groups))
    down = math.ceil(len(groups) / across)
    figure = Figure(figsize=(2.6 * across + 0.6, 2.1 * down + 0.9), layout="constrained")
    panels = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    for place, panel in enumerate(panels.flat):
        if place >= len(groups):
            panel.set_axis_off()
            continue
        curves = [run[place] for run in runs]
        _panel(panel, curves)
        if place % across == 0:
            panel.set_ylabel("points above weight 1", fontsize=8)
        if place + across >= len(groups):
            panel.set_xlabel("weight of the group", fontsize=8)
            panel.tick_params(labelbottom=True)
    handles, labels = panels.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    if title:
        figure.suptitle(title, fontsize=10)
    return figure


def _panel(panel: Axes, curves: Sequence[SteeringCurve]) -> None:
    """One group: agreement among the first 10, and mAP@R, both less what weight 1 gives."""
    weights = curves[0].weights
    places = range(len(weights))  # evenly: 0 has no place on a logarithmic axis
    plain = fmean(curve.at(1.0) for curve in curves)
    panel.axhline(0, color="#98a2b3", linewidth=0.8)
    panel.axvline(weights.index(1.0), color="#98a2b3", linewidth=0.8, linestyle=":")
    lines = [("agreement of the first 10", _BOUGHT, [[c.gain(w) for w in weights] for c in curves])]
    if curves[0].map_at_r:
        lines.append(("mAP@R", _COST, [[-c.cost(w) for w in weights] for c in curves]))
    for label, colour, values in lines:
        at = list(zip(*values, strict=True))
        middle = [fmean(point) for point in at]
        panel.plot(places, middle, color=colour, label=label, marker="o", markersize=3)
        if len(curves) > 1:
            spread = [stdev(point) for point in at]
            panel.fill_between(
                places,
                [m - s for m, s in zip(middle, spread, strict=True)],
                [m + s for m, s in zip(middle, spread, strict=True)],
                color=colour,
                alpha=0.2,
                linewidth=0,
            )
    panel.set_xticks(list(places), [f"{weight:g}" for weight in weights], fontsize=7)
    panel.tick_params(axis="y", labelsize=7)
    share = "unknown" if math.isnan(plain) else f"{plain:.0f}% at weight 1"
    panel.set_title(f"{curves[0].group} ({share})", fontsize=9, loc="left")
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
