"""A small layer that is trained over a frozen grid, where training the network costs too much."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facetwise.encoders.features import ImageFeatures
from facetwise.encoders.towers import FrozenGrid, ImageTower

__all__ = ["AdaptedGrid"]


class AdaptedGrid(ImageTower):
    """A frozen grid's cells and what a residual MLP adds to them: psi' = psi + MLP(LN(psi)).

    It adds nothing at the start. The mean of psi' stands behind phi, so that systems that look at
    global features alone have part in what was learned.

    Args:
        frozen: the tower below.
        hidden: inner width of the MLP.
        generator: randomness of the start.
    """

    trained = True

    def __init__(
        self, frozen: FrozenGrid, hidden: int, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.frozen = frozen
        C = frozen.local_width
        self.local_width, self.global_width = C, frozen.global_width + C
        self.norm = nn.LayerNorm(C)
        self.inner, self.outer = nn.Linear(C, hidden), nn.Linear(hidden, C)
        nn.init.normal_(self.inner.weight, std=C**-0.5, generator=generator)
        for start in (self.inner.bias, self.outer.weight, self.outer.bias):
            nn.init.zeros_(start)

    def fit(self, features: ImageFeatures) -> None:
        self.frozen.fit(features)

    def untrained(self, pooled: Tensor) -> Tensor:
        return self.frozen.untrained(pooled)

    def prepare(self, features: ImageFeatures) -> tuple[Tensor, Tensor]:
        return self.frozen.prepare(features)

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """a: (B, N, C), b: (B, P - C) -> psi (B, N, C) and phi (B, P)."""
        psi = a + self.outer(nn.functional.gelu(self.inner(self.norm(a))))
        return psi, torch.cat([b, psi.mean(1)], 1)
