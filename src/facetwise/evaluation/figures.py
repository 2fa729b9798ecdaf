"""Figures for people: a table of any benchmark's JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Group

__all__ = ["figures_table"]


def figures_table(figures: Mapping[str, Any]) -> Group:
    """A title line, plain figures, and a table for the parts that have the same columns.

    Args:
        figures: what `run_benchmark` returns: values, and mappings of values at any depth.
    """
    from rich.console import Group
    from rich.markup import escape
    from rich.table import Table
    from rich.text import Text

    name, split = str(figures.get("benchmark", "")), figures.get("split")
    about = f"{name} ({split})" if split else name
    parts: list[Any] = [Text(about, style="bold")] if about else []
    plain, tables = _sorted_out(
        {key: value for key, value in figures.items() if key not in ("benchmark", "split")}
    )
    if plain:
        table = Table(show_header=False, box=None)
        table.add_column()
        table.add_column(justify="right")
        for key, value in plain.items():
            table.add_row(escape(_words(key)), _cell(value))
        parts.append(table)
    for columns, rows in tables.items():
        table = Table("")
        for column in columns:
            table.add_column(escape(_words(column)), justify="right")
        for key, values in rows.items():
            table.add_row(escape(_words(key)), *(_cell(values[column]) for column in columns))
        parts.append(table)
    for problem in figures.get("problems", ()):
        parts.append(Text(f"note: {problem}", style="dim"))
    return Group(*parts)


def _sorted_out(
    figures: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[tuple[str, ...], dict[str, Mapping[str, Any]]]]:
    """Plain values, and mappings by their columns; deeper ones get their path as their name."""
    plain: dict[str, Any] = {}
    tables: dict[tuple[str, ...], dict[str, Mapping[str, Any]]] = {}

    def visit(path: str, value: Mapping[str, Any]) -> None:
        flat = {key: one for key, one in value.items() if not isinstance(one, Mapping)}
        if len(flat) == 1 and path:
            ((key, one),) = flat.items()
            plain[f"{path} {key}"] = one
        elif flat and path:
            tables.setdefault(tuple(flat), {})[path] = flat
        elif flat:
            plain.update({key: one for key, one in flat.items() if key != "problems"})
        for key, one in value.items():
            if isinstance(one, Mapping):
                visit(f"{path} {key}".strip(), one)

    visit("", figures)
    return plain, tables


def _words(name: str) -> str:
    return name.replace("_", " ")


def _cell(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, float):
        return f"{value:.2f}" if abs(value) >= 1 or value == 0 else f"{value:.4f}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return ", ".join(_cell(one) for one in value)
    return str(value)
