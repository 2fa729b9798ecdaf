"""How a person writes the weights of a steered search: NAME=FACTOR."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..errors import InputError

__all__ = ["parse_weights"]


def parse_weights(weights: Iterable[str]) -> dict[str, float]:
    """`("baseColour=3",)` as `{"baseColour": 3.0}`; of a name given twice, the last counts.

    Raises:
        InputError: no `=`, or a factor that is no finite number of 0 or more.

    >>> parse_weights(["baseColour=3", "gender=0.5"])
    {'baseColour': 3.0, 'gender': 0.5}
    """
    parsed: dict[str, float] = {}
    for text in weights:
        name, _, factor = text.rpartition("=")
        try:
            value = float(factor)
        except ValueError:
            value = math.nan
        if not name.strip() or not math.isfinite(value) or value < 0:
            raise InputError(
                f"weigh {text!r}: expected NAME=FACTOR with a factor of 0 or more, "
                "as in baseColour=3"
            )
        parsed[name.strip()] = value
    return parsed
