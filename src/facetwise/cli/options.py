"""What several commands share: kinds of options, and how results are printed."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import UseAppendAction, arg

from ..errors import InputError

__all__ = [
    "Flag",
    "Image",
    "JsonFlag",
    "Names",
    "Settings",
    "Weights",
    "parse_settings",
    "print_json",
    "query_of",
    "say",
]

Flag = Annotated[bool, arg(help_behavior_hint="")]
"""A switch that is off unless given."""
JsonFlag = Annotated[
    bool, arg(name="json", help="Print JSON, and only JSON, on stdout.", help_behavior_hint="")
]
Names = Annotated[str | None, arg(metavar="A,B", help_behavior_hint="")]
"""Names with commas between them."""
Weights = Annotated[
    UseAppendAction[tuple[str, ...]],
    arg(
        metavar="NAME=FACTOR",
        help="How much an attribute group counts: 3 is thrice, 0 not at all; may be repeated.",
        help_behavior_hint="",
    ),
]
Settings = Annotated[
    UseAppendAction[tuple[str, ...]],
    arg(
        name="set",
        metavar="KEY=VALUE",
        help="Override a value of the recipe: --set sets.training.steps=300; may be repeated.",
        help_behavior_hint="",
    ),
]
Image = Annotated[
    Path | None, arg(metavar="FILE", help="A picture to ask with.", help_behavior_hint="")
]


def parse_settings(settings: Sequence[str]) -> dict[str, Any]:
    """`("sets.K=2", "name=shop")` as `{"sets.K": 2, "name": "shop"}`.

    A value is read as TOML; what is no TOML is a plain string.

    Raises:
        InputError: no `=`.

    >>> parse_settings(["sets.training.steps=300", "sets.model=vse"])
    {'sets.training.steps': 300, 'sets.model': 'vse'}
    """
    parsed: dict[str, Any] = {}
    for text in settings:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise InputError(f"--set {text}: expected KEY=VALUE, as in sets.training.steps=300")
        try:
            read = tomllib.loads(f"value = {value}")
        except tomllib.TOMLDecodeError:
            read = {}
        # More than one key: the value held a line break, and TOML after it.
        parsed[key.strip()] = read["value"] if read.keys() == {"value"} else value
    return parsed


def query_of(text: str, image: Path | None) -> str | Path:
    """The one query that was given.

    Raises:
        InputError: neither text nor picture, or both, or a picture that is not there.
    """
    if image is not None and text:
        raise InputError("a text and a picture were given; ask with one of the two")
    if image is not None:
        if not image.is_file():
            raise InputError(f"--image {image} does not exist; give the path of a picture")
        return image
    if not text.strip():
        raise InputError('nothing to search for; give a text ("red sports shoe") or --image FILE')
    return text


def print_json(value: Any) -> None:
    """Print `value` as JSON on stdout, readable where stdout can show every letter."""
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    print(json.dumps(value, indent=2, ensure_ascii=encoding != "utf8", allow_nan=False))


def say(text: str) -> None:
    """Print a word to the person at the terminal (stderr): stdout is the result's."""
    print(text, file=sys.stderr, flush=True)
