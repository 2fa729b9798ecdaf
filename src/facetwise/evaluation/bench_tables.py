"""The bench's figures as rows of text: for the terminal, and for docs/results.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Group

__all__ = [
    "Table",
    "bench_tables",
    "cell",
    "cost_table",
    "difference_table",
    "label_in",
    "swaps",
    "system_table",
]

Table = tuple[list[str], list[list[str]]]
"""The head, and the rows."""


def cell(runs: Sequence[Mapping[str, Any]], *path: str, digits: int = 1) -> str:
    """Mean and standard deviation over runs of the number at `path`; empty where there is none.

    >>> cell([{"a": {"b": 1}}, {"a": {"b": 2}}], "a", "b")
    '1.5 ±0.7'
    """
    values = []
    for run in runs:
        value: Any = run
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        if value is not None:
            values.append(float(value))
    if not values:
        return ""
    spread = f" ±{stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{mean(values):.{digits}f}{spread}"


def system_table(
    results: Mapping[str, Any],
    text: str,
    names: Sequence[str],
    part: str | None = None,
    *,
    group: str | None = None,
    brief: bool = False,
) -> Table:
    """A line for each system: recalls or mAP@R, the control, collapse.

    Args:
        results: of `run_bench`.
        text: the text encoder.
        names: of systems.
        part: what is reported; the main one by default.
        group: of the ablation, to which DivE itself is one of several values.
        brief: only what fits into a terminal.
    """
    many = results["data"]["figure"] == "map_at_r"
    ways = ("i2t", "t2i")
    columns: dict[str, tuple[str, ...]] = {}
    for way in ways:
        figures = {"mAP@R": "map_at_r", "R-P": "r_precision", "R@1": "R@1"}
        if not many:
            figures = {name: name for name in ("R@1", "R@5", "R@10")}
        for shown, figure in list(figures.items())[: 1 if brief else 3]:
            columns[f"{way} {shown}"] = (way, figure)
    if many:
        for way in ways:
            columns[f"{way} by means"] = ("control", f"mean_vector_{way}_map_at_r")
    else:
        columns["RSUM"] = ("rsum",)
        columns["by means"] = ("control", "mean_vector_rsum")
    for side in ("image", "text"):
        columns[f"log var {side}"] = ("log_variance", side)
    if brief:
        columns["log var"] = columns.pop("log var image")
        columns.pop("log var text")
    at = ("report", part or results["main"])
    body = [
        [
            label_in(results, name, group),
            *(
                cell(runs, *at, *path, digits=2 if "var" in shown else 1)
                for shown, path in columns.items()
            ),
        ]
        for name in names
        if (runs := _of(results, text, name))
    ]
    return ["", *columns], body


def cost_table(results: Mapping[str, Any], text: str, names: Sequence[str]) -> Table:
    """What a training takes, and which step was chosen."""
    columns = {
        "parameters": ("parameters", "{:,.0f}"),
        "seconds": ("training_seconds", "{:.0f}"),
        "of processors": ("training_processor_seconds", "{:.0f}"),
        "MiB": ("peak_memory_MiB", "{:,.0f}"),
    }
    body = [
        [
            results["systems"][name]["label"],
            *(_plain(runs, *column) for column in columns.values()),
            ", ".join(str(run["watched"]["step"]) for run in runs if "watched" in run),
        ]
        for name in names
        if (runs := _of(results, text, name))
    ]
    return ["", *columns, "chosen steps"], body


def difference_table(results: Mapping[str, Any], text: str) -> Table:
    """Set systems against the best single vector, and against their own mean vectors."""
    many = results["data"]["figure"] == "map_at_r"
    figures = {"i2t": "i2t mAP@R", "t2i": "t2i mAP@R"} if many else {"rsum": "RSUM"}
    labels = {name: about["label"] for name, about in results["systems"].items()}
    body = [
        [
            labels[one["system"]],
            labels.get(one["rival"], f"its {one['rival']}"),
            *(
                f"{one[name]['value']:+.1f} [{one[name]['ci95'][0]:+.1f}, "
                f"{one[name]['ci95'][1]:+.1f}]"
                for name in figures
            ),
        ]
        for one in results["differences"]
        if one["text"] == text
    ]
    return ["", "minus", *figures.values()], body


def swaps(results: Mapping[str, Any]) -> set[str]:
    """Systems that are there for the ablation alone."""
    return {name for own in results["ablations"].values() for name in own if "." in name}


def bench_tables(results: Mapping[str, Any]) -> Group:
    """All tables, for the terminal."""
    from rich.console import Group
    from rich.table import Table as Shown

    systems = [name for name in results["systems"] if name not in swaps(results)]
    tables: list[tuple[str, Table]] = []
    for text in results["texts"]:
        for part in results["runs"][0]["report"]:
            about = results["data"][part]
            title = f"{part}: {about['images']} images, {about['texts']} texts; text: {text}"
            tables.append((title, system_table(results, text, systems, part, brief=True)))
        difference = difference_table(results, text)
        if difference[1]:
            tables.append((f"paired differences, 95% intervals; text: {text}", difference))
        tables.append((f"cost; text: {text}", cost_table(results, text, systems)))
    for group, names in results["ablations"].items():
        table = system_table(results, results["texts"][0], names, group=group, brief=True)
        tables.append((f"ablation: {group}", table))
    out = []
    for title, (head, body) in tables:
        shown = Shown(title=title)
        for name in head:
            shown.add_column(name, justify="right" if name else "left", no_wrap=not name)
        for row in body:
            shown.add_row(*row)
        out.append(shown)
    return Group(*out)


def label_in(results: Mapping[str, Any], name: str, group: str | None = None) -> str:
    """What a system is called; in a group of the ablation, by its value there."""
    label: str = results["ablations"][group][name] if group else results["systems"][name]["label"]
    return label


def _of(results: Mapping[str, Any], text: str, name: str) -> list[Mapping[str, Any]]:
    return [run for run in results["runs"] if (run["text"], run["system"]) == (text, name)]


def _plain(runs: Sequence[Mapping[str, Any]], name: str, shape: str) -> str:
    """The mean alone: what is no figure of merit needs no spread."""
    values = [float(run[name]) for run in runs if run.get(name) is not None]
    return shape.format(mean(values)) if values else ""
