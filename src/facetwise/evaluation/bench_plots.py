"""The bench drawn: each system beside its own mean vectors, and the swaps of the ablation."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, mean, stdev
from typing import TYPE_CHECKING, Any, Final

from facetwise.evaluation.bench_tables import label_in, swaps
from facetwise.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["blank_figure", "keep_plots", "one_a_line", "write_plots"]

_OWN: Final = "#1f5fa8"
_MEANS: Final = "#c0392b"


def write_plots(results: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write PNGs into `folder`: ``bench-image-text.png``, and ``...-ablations.png`` where there are
    ablations.

    Args:
        results: of `run_bench`.
        folder: where to.

    Returns:
        The files.
    """
    plots = {"bench-image-text.png": _systems(results)}
    if results["ablations"]:
        plots["bench-image-text-ablations.png"] = _ablations(results)
    return keep_plots(plots, folder)


def keep_plots(plots: Mapping[str, Figure], folder: Path) -> list[Path]:
    """Write figures as PNGs by their names; the same figure is the same file."""
    for name, figure in plots.items():
        data = io.BytesIO()
        figure.savefig(data, format="png", dpi=150, metadata={"Software": None})
        write_bytes(folder / name, data.getvalue())
    return [folder / name for name in plots]


def _systems(results: Mapping[str, Any]) -> Figure:
    """A panel for each text encoder, a line for each system."""
    names = [name for name in results["systems"] if name not in swaps(results)]
    texts = results["texts"]
    figure = blank_figure(4.6 * len(texts) + 1.6, 0.36 * len(names) + 1.6)
    panels = figure.subplots(1, len(texts), sharex=True, sharey=True, squeeze=False)[0]
    for panel, text in zip(panels, texts, strict=True):
        _dots(panel, results, text, names)
        panel.set_title(f"text encoder: {text}", fontsize=10)
    _legend(figure, panels[0])
    return figure


def _ablations(results: Mapping[str, Any]) -> Figure:
    """A panel for each group."""
    groups = results["ablations"]
    heights = [len(own) for own in groups.values()]
    figure = blank_figure(6.2, 0.36 * sum(heights) + 0.7 * len(heights) + 1.0)
    panels = figure.subplots(
        len(groups), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights}
    )[:, 0]
    text = results["texts"][0]
    for panel, (group, names) in zip(panels, groups.items(), strict=True):
        _dots(panel, results, text, names, group=group)
        panel.set_title(group, fontsize=10, loc="left")
        if panel is not panels[-1]:
            panel.set_xlabel("")
    _legend(figure, panels[0])
    return figure


def _dots(
    panel: Axes,
    results: Mapping[str, Any],
    text: str,
    names: Sequence[str],
    group: str | None = None,
) -> None:
    """Filled: the system; hollow: its mean vectors; whiskers: the seeds' standard deviation."""
    labels = []
    for place, name in enumerate(names):
        runs = [run for run in results["runs"] if (run["text"], run["system"]) == (text, name)]
        labels.append(label_in(results, name, group))
        for values, shift, colour, fill in (
            (_controls(results, runs), 0.17, _MEANS, "white"),
            (_figures(results, runs), -0.17, _OWN, _OWN),
        ):
            if values:
                panel.errorbar(
                    mean(values),
                    place + shift,
                    xerr=stdev(values) if len(values) > 1 else 0.0,
                    fmt="o",
                    capsize=2,
                    color=colour,
                    markerfacecolor=fill,
                )
    one_a_line(panel, labels)
    panel.set_xlabel(_what(results))


def one_a_line(panel: Axes, labels: Sequence[str]) -> None:
    """A panel with a thing a line, from above, called `labels`."""
    panel.set_yticks(range(len(labels)), labels)
    panel.set_ylim(len(labels) - 0.5, -0.5)
    panel.grid(axis="x", color="#dddddd", linewidth=0.6)
    panel.set_axisbelow(True)
    for side in ("top", "right", "left"):
        panel.spines[side].set_visible(False)
    panel.tick_params(axis="y", length=0)


def _legend(figure: Figure, panel: Axes) -> None:
    """One for all panels, above them."""
    own = panel.errorbar([], [], fmt="o", color=_OWN, label="as it is")
    means = panel.errorbar(
        [], [], fmt="o", color=_MEANS, markerfacecolor="white", label="control: its mean vectors"
    )
    figure.legend(handles=[own, means], loc="outside upper right", ncols=2, frameon=False)


def _what(results: Mapping[str, Any]) -> str:
    part, data = results["main"], results["data"]["name"]
    what = "RSUM" if results["data"]["figure"] == "rsum" else "mAP@R, mean of both ways"
    seeds = results["seeds"]
    return f"{what} ({data}, {part}; {seeds} seed{'s' if seeds > 1 else ''})"


def _figures(results: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> list[float]:
    reports = [run["report"][results["main"]] for run in runs]
    if results["data"]["figure"] == "rsum":
        return [report["rsum"] for report in reports]
    return [fmean(report[way]["map_at_r"] for way in ("i2t", "t2i")) for report in reports]


def _controls(results: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> list[float]:
    reports = [run["report"][results["main"]] for run in runs]
    controls = [report["control"] for report in reports if "control" in report]
    if results["data"]["figure"] == "rsum":
        return [control["mean_vector_rsum"] for control in controls]
    return [
        fmean(control[f"mean_vector_{way}_map_at_r"] for way in ("i2t", "t2i"))
        for control in controls
    ]


def blank_figure(width: float, height: float) -> Figure:
    """Inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")
