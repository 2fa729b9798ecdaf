"""The attribute bench's figures as rows of text: for the terminal, and for docs/results.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from facetwise.evaluation.bench_attribute_intervals import HEAD
from facetwise.evaluation.bench_attribute_run import CONTROL
from facetwise.evaluation.bench_tables import Table, cell

if TYPE_CHECKING:
    from rich.console import Group

__all__ = [
    "ablation_table",
    "attribute_tables",
    "cost_table",
    "difference_table",
    "digits_of",
    "explanation_table",
    "main_table",
    "relevance_table",
    "reranked_table",
    "runs_of",
    "steering_table",
    "strongest",
    "world_tables",
]


def main_table(world: Mapping[str, Any], *, brief: bool = False) -> Table:
    """A line for each system, and under each of ours its own head under the plain cosine.

    Args:
        world: of the results' ``worlds``.
        brief: only what fits into a terminal.
    """
    names = _measures(world, brief)
    body = []
    for name in world["shown"]:
        runs = runs_of(world, name)
        body.append([world["systems"][name]["label"], *_cells(runs, names)])
        if world["systems"][name]["pan"]:
            control = [f"{CONTROL}{measure}" for measure in names]
            body.append([f"– {HEAD}", *_cells(runs, control)])
    return ["", *names], body


def difference_table(world: Mapping[str, Any], *, brief: bool = False) -> Table:
    """Our systems minus rivals, with paired intervals.

    Briefly, for each of ours: the best cosine, the best trained rival, and its own head.
    """
    names = _measures(world, brief)
    labels = {name: about["label"] for name, about in world["systems"].items()}
    kept = {HEAD, *strongest(world).values()}
    body = [
        [
            labels[one["system"]],
            labels.get(one["rival"], one["rival"]),
            *(_signed(one[name], digits_of(name)) if name in one else "" for name in names),
        ]
        for one in world["differences"]
        if not brief or one["rival"] in kept
    ]
    return ["", "minus", *names], body


def strongest(world: Mapping[str, Any]) -> dict[str, str]:
    """The best rival without training (``frozen``) and the best trained one (``trained``), by the
    mean over all measures; where there are some.
    """
    found: dict[str, tuple[float, str]] = {}
    for name in world["shown"]:
        about = world["systems"][name]
        if about["pan"]:
            continue
        kind = "frozen" if about["frozen"] else "trained"
        level = fmean(world["intervals"][name][measure]["value"] for measure in world["measures"])
        found[kind] = max(found.get(kind, (level, name)), (level, name))
    return {kind: name for kind, (_, name) in found.items()}


def relevance_table(world: Mapping[str, Any]) -> Table:
    """Does relevance depend on the pair, and do taught conditions carry it?"""
    columns: dict[str, tuple[tuple[str, ...], int]] = {
        "pair entropy": (("relevance", "pair_entropy"), 2),
        "mean entropy": (("relevance", "mean_entropy"), 2),
        "taught mass": (("relevance", "taught_mass"), 2),
    }
    head, body = _inside(world, columns)
    first = {world["systems"][run["system"]]["label"]: run for run in reversed(world["runs"])}
    for line in body:
        run = first[line[0]]
        line[1:1] = [str(run["conditions"]), str(run["supervised"])]
    return ["", "conditions", "taught", *head[1:]], body


def explanation_table(world: Mapping[str, Any]) -> Table:
    """Of the agreements that are named of a pair, at most 5: percent that are true."""
    columns: dict[str, tuple[tuple[str, ...], int]] = {}
    for short, where in (("random", "random pairs"), ("first 10", "first answers")):
        columns[f"true, {short}"] = (("explained", where, "precision@5"), 1)
        columns[f"the usual, {short}"] = (("explained", where, "usual"), 1)
        columns[f"chance, {short}"] = (("explained", where, "chance"), 1)
    return _inside(world, columns)


def _inside(world: Mapping[str, Any], columns: Mapping[str, tuple[tuple[str, ...], int]]) -> Table:
    """A line for each system with conditions."""
    body = [
        [
            world["systems"][name]["label"],
            *(cell(runs, *path, digits=digits) for path, digits in columns.values()),
        ]
        for name in world["shown"]
        if "relevance" in (runs := runs_of(world, name))[0]
    ]
    return ["", *columns], [line for line in body if any(line[1:])]


def reranked_table(world: Mapping[str, Any]) -> Table:
    """Full ranking beside that of the head's first 100 answers."""
    body = [
        [
            world["systems"][name]["label"],
            cell(runs, "measures", "R@1"),
            cell(runs, "reranked", "R@1"),
            cell(runs, "measures", "mAP@R"),
            cell(runs, "reranked", "map_at_r"),
        ]
        for name in world["shown"]
        if "reranked" in (runs := runs_of(world, name))[0]
    ]
    return ["", "R@1", "re-ranked", "mAP@R", "re-ranked"], body


def steering_table(world: Mapping[str, Any], name: str) -> Table:
    """Of a system: agreement of the first 10 answers against the weight of each attribute group,
    and in brackets what mAP@R changes by.
    """
    runs = runs_of(world, name)
    groups = runs[0].get("steering", {})
    weights: list[float] = next(iter(groups.values()))["weights"] if groups else []
    body = []
    for group in groups:
        line = [group]
        for place in range(len(weights)):
            curves = [run["steering"][group] for run in runs]
            shares = [curve["agreement@10"][place] for curve in curves]
            change = [
                curve["map_at_r"][place] - curve["map_at_r"][weights.index(1.0)]
                for curve in curves
                if curve["map_at_r"]
            ]
            known = [share for share in shares if share is not None]
            text = f"{fmean(known):.1f}" if known else ""
            line.append(f"{text} ({fmean(change):+.1f})" if change else text)
        body.append(line)
    return ["weighed", *(f"x {weight:g}" for weight in weights)], body


def cost_table(world: Mapping[str, Any]) -> Table:
    """What a training takes."""
    columns = {
        "parameters": ("parameters", "{:,.0f}"),
        "seconds": ("training_seconds", "{:.0f}"),
        "of processors": ("training_processor_seconds", "{:.0f}"),
    }
    body = []
    for name in world["shown"]:
        runs = runs_of(world, name)
        if world["systems"][name]["frozen"]:
            continue
        cells = [text.format(fmean(run[key] for run in runs)) for key, text in columns.values()]
        body.append([world["systems"][name]["label"], *cells])
    return ["", *columns], body


def ablation_table(world: Mapping[str, Any], group: str, *, brief: bool = False) -> Table:
    """A line for each value of a group."""
    names = _measures(world, brief)
    body = [
        [label, *_cells(runs_of(world, name), names)]
        for name, label in world["ablations"][group].items()
    ]
    return ["", *names], body


def world_tables(world: Mapping[str, Any], *, brief: bool = False) -> Iterator[tuple[str, Table]]:
    """All tables of a world with their titles, in the order in which they are read."""
    seeds = max(len(runs_of(world, name)) for name in world["shown"]) if world["shown"] else 0
    if seeds:
        over = f"mean ± standard deviation over {seeds} seeds" if seeds > 1 else "one seed"
        yield over, main_table(world, brief=brief)
        yield "paired differences, 95% intervals", difference_table(world, brief=brief)
        yield "relevance", relevance_table(world)
        yield "explanations: percent of named agreements that are true", explanation_table(world)
        yield "all ranked, and the first 100 of its head ranked again", reranked_table(world)
        for name in world["shown"]:
            if runs_of(world, name)[0].get("steering"):
                label = world["systems"][name]["label"]
                title = f"{label}: the first 10 that agree (mAP@R against unweighed)"
                yield title, steering_table(world, name)
        yield "cost", cost_table(world)
    for group in world["ablations"]:
        yield f"ablation: {group}", ablation_table(world, group, brief=brief)


def attribute_tables(results: Mapping[str, Any]) -> Group:
    """All tables, for the terminal."""
    from rich.console import Group
    from rich.table import Table as Shown

    out = []
    for kind, world in results["worlds"].items():
        about = world["data"]
        for title, (head, body) in world_tables(world, brief=True):
            if not body:
                continue
            shown = Shown(title=f"{kind} ({about['name']}, {about['part']}): {title}")
            for name in head:
                shown.add_column(name, justify="right" if name else "left")
            for row in body:
                shown.add_row(*row)
            out.append(shown)
    return Group(*out)


def runs_of(world: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Of a system, seed by seed."""
    return [run for run in world["runs"] if run["system"] == name]


def digits_of(measure: str) -> int:
    """After the point: AUC is from 0 to 1, all else percent."""
    return 3 if measure.endswith("AUC") else 1


def _measures(world: Mapping[str, Any], brief: bool) -> list[str]:
    return [name for name in world["measures"] if not (brief and "prototypes" in name)]


def _cells(runs: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[str]:
    return [cell(runs, "measures", name, digits=digits_of(name)) for name in names]


def _signed(found: Mapping[str, Any], digits: int) -> str:
    low, high = found["ci95"]
    return f"{found['value']:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"
