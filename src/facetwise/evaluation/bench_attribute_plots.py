"""The attribute bench drawn: systems with their intervals, what weighing does, the ablations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any, Final

from facetwise.evaluation.bench_attribute_run import CONTROL
from facetwise.evaluation.bench_attribute_tables import runs_of
from facetwise.evaluation.bench_plots import blank_figure, keep_plots, one_a_line
from facetwise.evaluation.steering import SteeringCurve
from facetwise.evaluation.steering_plot import draw_steering

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["write_plots"]

_FROZEN: Final = "#888888"
_RIVAL: Final = "#c0392b"
_OURS: Final = "#1f5fa8"
_PANELS: Final = 5


def write_plots(results: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write PNGs into `folder`: of each world ``bench-attributes-WORLD.png``, and with
    ``-steering`` and ``-ablations`` where there are some.

    Args:
        results: of `run_attribute_bench`.
        folder: where to.

    Returns:
        The files.
    """
    plots: dict[str, Figure] = {}
    for kind, world in results["worlds"].items():
        if world["shown"]:
            plots[f"bench-attributes-{kind}.png"] = _systems(world)
        steered = _steered(world)
        if steered is not None:
            plots[f"bench-attributes-{kind}-steering.png"] = _steering(world, steered)
        if world["ablations"]:
            plots[f"bench-attributes-{kind}-ablations.png"] = _ablations(world)
    return keep_plots(plots, folder)


def _systems(world: Mapping[str, Any]) -> Figure:
    """A panel for each of the main measures, a line for each system; whiskers are intervals."""
    names, measures = world["shown"], _main(world)
    figure = blank_figure(2.5 * len(measures) + 2.8, 0.34 * len(names) + 1.7)
    panels = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
    for panel, measure in zip(panels, measures, strict=True):
        for line, name in enumerate(names):
            place = float(line)
            about, found = world["systems"][name], world["intervals"][name]
            colour = _OURS if about["pan"] else _FROZEN if about["frozen"] else _RIVAL
            if f"{CONTROL}{measure}" in found and about["pan"]:
                _interval(panel, found[f"{CONTROL}{measure}"], place + 0.2, _OURS, "white")
                place -= 0.13
            _interval(panel, found[measure], place, colour, colour)
        one_a_line(panel, [world["systems"][name]["label"] for name in names])
        panel.set_title(measure, fontsize=10)
    hollow = {"fmt": "o", "color": _OURS, "markerfacecolor": "white"}
    handles = [
        panels[0].errorbar([], [], fmt="o", color=_FROZEN, label="no training"),
        panels[0].errorbar([], [], fmt="o", color=_RIVAL, label="rivals"),
        panels[0].errorbar([], [], fmt="o", color=_OURS, label="PAN"),
        panels[0].errorbar([], [], label="its head, cosine", **hollow),
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=4, frameon=False)
    seeds = max(len(runs_of(world, name)) for name in names)
    about = world["data"]
    figure.supxlabel(
        f"{about['name']}, {about['part']}; mean over {seeds} seed{'s' if seeds > 1 else ''}, "
        "95% intervals",
        fontsize=9,
    )
    return figure


def _steering(world: Mapping[str, Any], name: str) -> Figure:
    """As `evaluate --plot` draws a run, over the seeds."""
    label, data = world["systems"][name]["label"], world["data"]
    curves = [
        [SteeringCurve.from_dict(group, told) for group, told in run["steering"].items()]
        for run in runs_of(world, name)
    ]
    return draw_steering(curves, f"{label}; {data['name']}, {data['part']}")


def _ablations(world: Mapping[str, Any]) -> Figure:
    """A row of panels for each group, a panel for each of the main measures."""
    groups, measures = world["ablations"], _main(world)
    heights = [len(own) for own in groups.values()]
    figure = blank_figure(
        2.5 * len(measures) + 2.4, 0.34 * sum(heights) + 0.75 * len(heights) + 0.8
    )
    panels = figure.subplots(
        len(groups),
        len(measures),
        sharex="col",
        squeeze=False,
        gridspec_kw={"height_ratios": heights},
    )
    for line, (group, names) in zip(panels, groups.items(), strict=True):
        for panel, measure in zip(line, measures, strict=True):
            for place, name in enumerate(names):
                values = [run["measures"][measure] for run in runs_of(world, name)]
                panel.errorbar(
                    mean(values),
                    place,
                    xerr=stdev(values) if len(values) > 1 else 0.0,
                    fmt="o",
                    capsize=2,
                    color=_OURS,
                )
            one_a_line(panel, list(names.values()) if panel is line[0] else [""] * len(names))
            if panel is panels[-1][list(line).index(panel)]:
                panel.set_xlabel(measure)
        line[0].set_title(group, fontsize=10, loc="left")
    return figure


def _steered(world: Mapping[str, Any]) -> str | None:
    """The system whose steering is drawn: the recipe's own, else the first that can be steered."""
    found = [name for name in world["shown"] if runs_of(world, name)[0].get("steering")]
    return "pan" if "pan" in found else next(iter(found), None)


def _main(world: Mapping[str, Any]) -> Sequence[str]:
    """Measures that are drawn: without prototypes and R@1, where there are too many."""
    names: Sequence[str] = world["measures"]
    if len(names) > _PANELS:
        names = [name for name in names if "prototypes" not in name and name != "R@1"]
    return names[-_PANELS:]


def _interval(panel: Axes, found: Mapping[str, Any], place: float, colour: str, face: str) -> None:
    low, high = found["ci95"]
    value = found["value"]
    panel.errorbar(
        value,
        place,
        xerr=[[max(0.0, value - low)], [max(0.0, high - value)]],
        fmt="o",
        capsize=2,
        color=colour,
        markerfacecolor=face,
        markersize=4.5,
    )
