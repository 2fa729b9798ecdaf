"""ProxyNCA++ (Teh et al., ECCV 2020): max-pooled features, layer norm, a proxy for each class.

METHODS 3.10. The paper trains a whole ResNet-50, and compares its layer-normed features as they
are. Here the network is frozen, so that a linear head is what learns; without one (``dim = 0``)
nothing of the comparison does, but the proxies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facetwise.config import Within
from facetwise.encoders import ImageFeatures, PartNorm
from facetwise.encoders.lite import PARTS
from facetwise.errors import InputError
from facetwise.models.pair_model import Condition, Known, PairConfig, PairModel, Taught
from facetwise.similarity import CosineSimilarity

__all__ = [
    "Pool",
    "ProxyFeatures",
    "ProxyNCA",
    "ProxyNCAConfig",
    "ProxyNorm",
    "pooled_for_proxies",
]

Pool = Literal["max", "features"]


@dataclass(frozen=True)
class ProxyNCAConfig(PairConfig):
    """What makes a ProxyNCA++ model."""

    dim: Annotated[int, Within(0)] = 1024
    """Width of the linear head, ours: narrower ones lose more than they learn. 0: none, as in the
    paper, whose network is trained."""
    pool: Pool = "max"
    """What is looked at: the maximum of each channel over the top grid's cells (METHODS 3.10), or
    all the global features that the other systems see."""


class ProxyNorm(nn.Module):
    """LayerNorm without affine parameters; before it, of several parts, each as in `PartNorm`.

    Args:
        widths: of the parts; one of them is taken as it is.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.parts = PartNorm(widths) if len(self.widths) > 1 else None

    def fit(self, features: Tensor) -> None:
        """Take the statistics of `features`, (N, P), if there are parts."""
        if self.parts is not None:
            self.parts.fit(features)

    def forward(self, features: Tensor) -> Tensor:
        """(N, P) -> the same, rows of mean 0 and variance 1.

        >>> ProxyNorm([4])(torch.tensor([[1.0, 3.0, 1.0, 3.0]])).round(decimals=3)
        tensor([[-1.,  1., -1.,  1.]])
        """
        x = features if self.parts is None else self.parts(features)
        return F.layer_norm(x, x.shape[-1:])


class ProxyFeatures(nn.Module):
    """`ProxyNorm` with the interface of `PairFeatures`.

    Args:
        widths: of the parts.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.norm = ProxyNorm(widths)

    def fit(self, x: Tensor, known: Known, generator: torch.Generator | None = None) -> None:
        """Take the statistics of the training pictures, (N, P)."""
        self.norm.fit(x)

    def forward(self, x: Tensor, known: Known = Known()) -> Tensor:
        """x: (N, P) -> (N, P)."""
        out: Tensor = self.norm(x)
        return out

    def untrained(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The last layer's, and all normed features."""
        out: Tensor = self.norm(x)
        return out[:, : self.norm.widths[0]], out


class ProxyNCA(PairModel):
    """Frozen features to one unit vector; pairs are compared by cosine, training is by proxies."""

    losses: ClassVar[tuple[str, ...]] = ("proxy",)
    config: ProxyNCAConfig

    def __init__(
        self,
        config: ProxyNCAConfig,
        taught: Taught = Taught(),
        generator: torch.Generator | None = None,
        parts: Sequence[int] = PARTS,
    ) -> None:
        super().__init__(config, taught)
        self.norm = ProxyNorm(parts if config.pool == "features" else parts[:1])
        self.dropout = nn.Dropout(config.feature_dropout)
        P = sum(self.norm.widths)
        self.head: nn.Module = nn.Identity()
        if config.dim:
            self.head = nn.Linear(P, config.dim, bias=False)
            nn.init.orthogonal_(self.head.weight, generator=generator)
        self.cosine = CosineSimilarity()

    @property
    def dim(self) -> int:
        """Width of the embedding."""
        return self.config.dim or sum(self.norm.widths)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The one similarity."""
        return (Condition("similarity", None),)

    @property
    def similarity(self) -> CosineSimilarity:
        """The cosine, which orders pairs as the distance of unit vectors does."""
        return self.cosine

    @property
    def parts(self) -> Mapping[str, Sequence[nn.Parameter]]:
        """All of it is the head; proxies are the loss's."""
        return {"head": list(self.head.parameters())}

    def prepare(self, features: ImageFeatures) -> Tensor:
        """(N, P) as `pool` says."""
        return pooled_for_proxies(features, self.config.pool, self.norm.widths)

    def fit_statistics(
        self, x: Tensor, known: Known = Known(), generator: torch.Generator | None = None
    ) -> None:
        """Set the statistics from the training pictures, (N, P), if there are parts."""
        self.norm.fit(x)

    def untrained(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (N, P) -> the last layer's, and all normed features."""
        out: Tensor = self.norm(x)
        return out[:, : self.norm.widths[0]], out

    def embed(self, x: Tensor, known: Known = Known()) -> Tensor:
        """x: (N, P) -> (N, dim), rows of length 1."""
        return F.normalize(self.head(self.dropout(self.norm(x))), dim=-1)


def pooled_for_proxies(features: ImageFeatures, pool: Pool, widths: Sequence[int]) -> Tensor:
    """(N, sum(widths)): max-pooled grids, or the global features as they are.

    Raises:
        InputError: the grid is not the last layer's.

    >>> grid = torch.tensor([[[[1.0, 3.0]], [[5.0, 2.0]]]])
    >>> pooled_for_proxies(ImageFeatures(grid, torch.zeros(1, 2)), "max", [2])
    tensor([[3., 5.]])
    """
    if pool == "features":
        return features.pooled
    grid = features.grid
    if not grid.is_floating_point() or grid.shape[1] != sum(widths):
        raise InputError(
            '[pairs] pool = "max": this encoder keeps no local features of its last layer '
            f"({grid.shape[1]} channels of {grid.dtype}, expected {sum(widths)}); write "
            'pool = "features"'
        )
    return grid.amax((-2, -1)).float()
