"""What a step of training is, for the loop that takes the steps."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn

__all__ = ["Task", "cosine"]


class Task(Protocol):
    """A model with its data and its loss; batches are known by the number of the step.

    A task may have a method ``optimizer()``; else it is AdamW over `parameter_groups`.
    """

    what: str
    steps: int

    @property
    def clip(self) -> float | None:
        """Bound on the gradient's norm."""

    @property
    def model(self) -> nn.Module: ...
    def loss(self, step: int) -> tuple[Tensor, dict[str, float]]:
        """The loss of a step, a scalar, and figures for the log."""

    def parameter_groups(self) -> list[dict[str, Any]]:
        """For the optimiser: parameters, lr, weight_decay."""

    def schedule(self, step: int) -> float:
        """Factor of the learning rates at a step."""


def cosine(share: float) -> float:
    """From 1 at the beginning of training (share 0) to 0 at its end."""
    return 0.5 * (1 + float(torch.cos(torch.tensor(min(share, 1.0) * torch.pi))))
