"""Towers: what stands between cached features and a head, in the model and saved with it.

An encoder is frozen, and what it gives is kept on disk. A tower takes that to local features psi
and a global one phi. For frozen features it only standardises them (and has done so before
training starts, in `prepare`); a trained tower is the rest of the network, or all of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facetwise.encoders.features import ImageFeatures
from facetwise.encoders.sequences import Pooling, pool
from facetwise.encoders.standardise import Components, PartNorm

__all__ = ["FrozenGrid", "FrozenTokens", "ImageTower", "TextTower"]


class ImageTower(nn.Module, ABC):
    """Cached features of pictures to psi and phi.

    Attributes:
        local_width: C of psi.
        global_width: P of phi.
        trained: whether it has weights that the training of the model changes.
    """

    local_width: int
    global_width: int
    trained: bool

    @abstractmethod
    def fit(self, features: ImageFeatures) -> None:
        """Take statistics of the training pictures."""

    @abstractmethod
    def prepare(self, features: ImageFeatures) -> tuple[Tensor, Tensor]:
        """What of the way is fixed: done once for all training pictures, with rows for pictures."""

    def untrained(self, pooled: Tensor) -> Tensor:
        """The encoder's global features (N, P), standardised: the control without any training."""
        return F.normalize(pooled, dim=-1)

    @abstractmethod
    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """What `prepare` gave, of B pictures -> psi (B, N, C) and phi (B, P), float32."""


class TextTower(nn.Module, ABC):
    """Cached features of texts, or numbers of tokens, to psi and phi.

    Attributes:
        local_width: C of psi.
        global_width: P of phi.
        trained: whether it has weights that the training of the model changes.
    """

    local_width: int
    global_width: int
    trained: bool

    @abstractmethod
    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens as in `TextFeatures`, mask (B, L) -> psi (B, L, C) and phi (B, P), float32."""


class FrozenGrid(ImageTower):
    """Principal components of the grid, and the standardised parts of the global features.

    Args:
        channels: of the grid.
        parts: of the global features.
        kept: components.
    """

    trained = False

    def __init__(self, channels: int, parts: Sequence[int], kept: int) -> None:
        super().__init__()
        self.local_width = min(kept, channels)
        self.global_width = sum(parts)
        self.components = Components(channels, self.local_width)
        self.norm = PartNorm(parts)

    def fit(self, features: ImageFeatures) -> None:
        self.components.fit(features.grid)
        self.norm.fit(features.pooled)

    def untrained(self, pooled: Tensor) -> Tensor:
        standard: Tensor = self.norm(pooled)
        return standard

    @torch.no_grad()
    def prepare(self, features: ImageFeatures) -> tuple[Tensor, Tensor]:
        scale = self.global_width**0.5  # about unit variance, as after a layer norm
        return self.components(features.grid), self.norm(features.pooled) * scale

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        return a, b


class FrozenTokens(TextTower):
    """Token features as they are, and their mean.

    Args:
        width: of a token's features.
        pool: what stands for the whole, if it is not the mean.
    """

    trained = False

    def __init__(self, width: int, pool: Pooling = "mean") -> None:
        super().__init__()
        self.local_width = self.global_width = width
        self.pool = pool

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return tokens.float(), pool(tokens, mask, self.pool)
