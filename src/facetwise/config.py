"""Frozen dataclass configurations from TOML tables, with errors that name the file and the key."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import inf
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from facetwise.errors import InputError

__all__ = ["Count", "Positive", "Share", "Weight", "Within", "read_config", "settings"]

T = TypeVar("T")

_NAMES = {float: "a number", int: "a whole number", str: "a text", bool: "true or false"}


@dataclass(frozen=True)
class Within:
    """The numbers that an option may have: from `low`, which itself may be ruled out, to `high`."""

    low: float
    high: float = inf
    above: bool = False

    def __contains__(self, value: float) -> bool:
        high_enough = value > self.low if self.above else value >= self.low
        return high_enough and value <= self.high and value < inf

    def __str__(self) -> str:
        if self.high < inf:
            return f"from {self.low:g} to {self.high:g}"
        return f"above {self.low:g}" if self.above else f"of at least {self.low:g}"


Count = Annotated[int, Within(1)]
Share = Annotated[float, Within(0, 1)]
Positive = Annotated[float, Within(0, above=True)]
Weight = Annotated[float, Within(0)]


def read_config(kind: type[T], options: Mapping[str, Any], file: Path | str, table: str) -> T:
    """`options` of the TOML table `table` in `file` as the dataclass `kind`.

    Raises:
        InputError: an unknown key (the nearest one is named), or a value of another type or range.

    >>> from facetwise.models.vse import VSEConfig
    >>> read_config(VSEConfig, {"dim": 64}, "a.toml", "sets").dim
    64
    >>> read_config(VSEConfig, {"dims": 64}, "a.toml", "sets")
    Traceback (most recent call last):
    facetwise.errors.InputError: a.toml [sets]: no option 'dims' (did you mean 'dim'?); ...
    """
    if not isinstance(options, Mapping):
        raise InputError(f"{file}: {table} must be a table, [{table}], not {options!r}")
    hints = get_type_hints(kind, include_extras=True)
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for name, value in options.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            guess = f" (did you mean {near[0]!r}?)" if near else ""
            raise InputError(
                f"{file} [{table}]: no option {name!r}{guess}; there are {', '.join(sorted(known))}"
            )
        values[name] = _value(value, hints[name], f"{file} [{table}] {name}")
    return kind(**values)


def settings(config: Any) -> dict[str, Any]:
    """A configuration as a TOML table, from which `read_config` makes an equal one.

    >>> from facetwise.models.pan import PANConfig
    >>> settings(PANConfig(steepness=5))["steepness"]  # a whole number where it may be any
    5.0
    """
    hints = get_type_hints(type(config))
    return {
        name: list(value) if isinstance(value, tuple) else float(value) if hint is float else value
        for name, hint in hints.items()
        for value in [getattr(config, name)]
    }


def _value(value: Any, hint: Any, where: str) -> Any:
    kind, bounds = hint, None
    if get_origin(hint) is Annotated:
        kind, bounds = get_args(hint)
    choices = get_args(kind)
    if get_origin(kind) is tuple:
        if isinstance(value, list | tuple):
            return tuple(_value(entry, choices[0], where) for entry in value)
        expected = f"a list, {[value]}"
    elif choices:  # Literal["a", "b"]
        if value in choices:
            return value
        expected = f"one of {', '.join(map(str, choices))}"
    else:
        expected = f"{_NAMES[kind]} {bounds}" if bounds else _NAMES[kind]
        accepted = (int, float) if kind is float else kind
        fits = isinstance(value, accepted) and (kind is bool or not isinstance(value, bool))
        if fits and (bounds is None or value in bounds):
            return kind(value)
    raise InputError(f"{where}: expected {expected}, not {value!r}")
