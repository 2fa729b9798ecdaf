"""Measuring a model while it is trained, to keep the weights of its best moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Watch"]


@dataclass(frozen=True)
class Watch:
    """When to measure, and how.

    Attributes:
        every: so many steps; the last step is always measured.
        score: of the model as it is now, in evaluation mode; higher is better. On data that are
            neither trained on nor reported.
    """

    every: int
    score: Callable[[], float]
