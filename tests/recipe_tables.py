"""The tables of docs/recipes.md, from the dataclasses: `python tests/recipe_tables.py` writes them.

`test_docs.py` checks that the document holds what this makes.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from facetwise.config import Within
from facetwise.models import PAIR_SYSTEMS, SET_SYSTEMS, VirTexConfig
from facetwise.training.captioning import CaptionTraining
from facetwise.training.recipe import DataConfig, EncoderConfig, PairTraining, SetTraining

DOCUMENT = Path(__file__).parents[1] / "docs" / "recipes.md"
TABLES = {
    "[data]": DataConfig,
    "[encoders]": EncoderConfig,
    **{f'[sets] with model = "{name}"': config for name, (_, config) in SET_SYSTEMS.items()},
    "[sets.training]": SetTraining,
    '[pretrain] with model = "virtex"': VirTexConfig,
    "[pretrain.training]": CaptionTraining,
    **{f'[pairs] with model = "{name}"': config for name, (_, config) in PAIR_SYSTEMS.items()},
    "[pairs.training]": PairTraining,
}


def meanings(config: type[Any]) -> dict[str, str]:
    """What is written below each field in the source, of those that are inherited, too."""
    found = {}
    for part in reversed([part for part in config.__mro__ if is_dataclass(part)]):
        body = ast.parse(textwrap.dedent(inspect.getsource(part))).body[0].body
        for line, after in zip(body, [*body[1:], None], strict=True):
            if isinstance(line, ast.AnnAssign):
                said = ""
                if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                    said = " ".join(str(after.value.value).split())
                found[line.target.id] = said
    return found


def kind(hint: Any) -> str:
    bounds = ""
    if get_origin(hint) is Annotated:
        hint, bounds = get_args(hint)
    choices = get_args(hint)
    if get_origin(hint) is tuple:
        number = get_origin(choices[0]) is Annotated
        return f"list, each {kind(choices[0])}" if number else "list of texts"
    if choices:
        return ", ".join(f'"{choice}"' for choice in choices)
    name = {float: "number", int: "whole number", str: "text", bool: "true or false"}[hint]
    return f"{name} {bounds}".strip() if isinstance(bounds, Within) else name


def toml(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def table(config: type[Any]) -> str:
    hints = get_type_hints(config, include_extras=True)
    said = meanings(config)
    rows = ["| key | default | takes | meaning and source |", "|---|---|---|---|"]
    for field in fields(config):
        meaning = said[field.name].replace("|", "\\|")
        rows.append(
            f"| `{field.name}` | `{toml(field.default)}` | {kind(hints[field.name])} | {meaning} |"
        )
    return "\n".join(rows)


def tables(text: str) -> str:
    """`text` with the table below each of the headings as it should be."""
    for heading, config in TABLES.items():
        line = f"### `{heading}`"
        place = re.compile(rf"(?<=^{re.escape(line)}\n\n)(?:\|.*\n)*\n*", re.MULTILINE)
        if not place.search(text):
            raise ValueError(f"{DOCUMENT.name} has no heading {line}")
        text = place.sub(table(config).replace("\\", r"\\") + "\n\n", text, count=1)
    return text.rstrip() + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(tables(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
    sys.exit(0)
