"""Frozen dataclass configurations from TOML tables, with errors that name the file and the key."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from facetwise.errors import InputError

__all__ = ["read_config"]

T = TypeVar("T")


def read_config(kind: type[T], options: Mapping[str, Any], file: Path | str, table: str) -> T:
    """`options` of the TOML table `table` in `file` as the dataclass `kind`.

    Raises:
        InputError: an unknown key (the nearest one is named) or a value of another type.

    >>> from facetwise.models.vse import VSEConfig
    >>> read_config(VSEConfig, {"dim": 64}, "a.toml", "sets").dim
    64
    >>> read_config(VSEConfig, {"dims": 64}, "a.toml", "sets")
    Traceback (most recent call last):
    facetwise.errors.InputError: a.toml [sets]: no option 'dims' (did you mean 'dim'?); ...
    """
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    hints = get_type_hints(kind)
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


def _value(value: Any, hint: Any, where: str) -> Any:
    kinds = get_args(hint) if get_origin(hint) is not tuple else ()
    if get_origin(hint) is tuple:
        inner = get_args(hint)[0]
        if isinstance(value, list | tuple):
            return tuple(_value(entry, inner, where) for entry in value)
    elif kinds and all(isinstance(kind, str) for kind in kinds):  # Literal["a", "b"]
        if value in kinds:
            return value
        raise InputError(f"{where}: expected one of {', '.join(kinds)}, not {value!r}")
    elif hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    elif isinstance(hint, type) and isinstance(value, hint) and type(value) is not bool:
        return value
    elif hint is bool and isinstance(value, bool):
        return value
    name = getattr(hint, "__name__", str(hint))
    raise InputError(f"{where}: expected {name}, not {value!r}")
