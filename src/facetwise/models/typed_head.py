"""Frozen features to a unit vector, after each type's own mean has been taken away.

Two shoes are alike because they are shoes; whether one of them goes with a dress is in what they
have beyond that (FIELDNOTES, PAN 8).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facetwise.encoders import PartNorm

__all__ = ["TypeMeans", "TypedHead"]

_PRIOR: Final = 4.0
"""Items with the mean of all that each type has beside its own: one item is no mean."""


class TypeMeans(nn.Module):
    """Take the mean of its type away from each item's features; of all items where it is unknown.

    Args:
        dim: P, width of the features.
        types: T.
    """

    means: Tensor

    def __init__(self, dim: int, types: int) -> None:
        super().__init__()
        self.register_buffer("means", torch.zeros(types + 1, dim))  # the last: of all

    @torch.no_grad()
    def fit(self, features: Tensor, types: Tensor | None) -> None:
        """Take the means of `features`, (N, P), by `types`, (N,) with -1 for unknown."""
        mean = features.mean(0)
        sums = (_PRIOR * mean).repeat(len(self.means), 1)
        counts = sums.new_full((len(self.means),), _PRIOR)
        if types is not None:
            known = types >= 0
            sums.index_add_(0, types[known], features[known])
            counts += torch.bincount(types[known], minlength=len(counts))
        self.means.copy_(sums / counts[:, None])

    def forward(self, features: Tensor, types: Tensor | None) -> Tensor:
        """(N, P) and (N,) -> (N, P).

        >>> means = TypeMeans(1, types=1)
        >>> x = torch.tensor([[1.0], [3.0], [8.0]])
        >>> means.fit(x, torch.tensor([0, 0, -1]))  # (4 * 4 + 1 + 3) / (4 + 2), and 4
        >>> means(x, torch.tensor([0, 0, -1])).squeeze(1).round(decimals=2)
        tensor([-2.3300, -0.3300,  4.0000])
        """
        if types is None:
            return features - self.means[-1]
        return features - self.means[types]  # -1 is the last


class TypedHead(nn.Module):
    """`PartNorm`, type means, dropout, a linear map with an orthogonal start, length 1.

    Args:
        parts: widths of the features' parts.
        types: T.
        dim: d of the embedding.
        dropout: of the features.
        centre: whether type means are taken away.
        generator: randomness of the start.
    """

    def __init__(
        self,
        parts: Sequence[int],
        types: int,
        dim: int,
        *,
        dropout: float,
        centre: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.norm = PartNorm(parts)
        self.means = TypeMeans(sum(parts), types if centre else 0)
        self.centre = centre
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(sum(parts), dim, bias=False)
        nn.init.orthogonal_(self.linear.weight, generator=generator)

    @torch.no_grad()
    def fit(self, x: Tensor, types: Tensor | None) -> None:
        """Take the statistics of the training pictures, (N, P), and of their types, (N,)."""
        self.norm.fit(x)
        if self.centre:
            self.means.fit(self.norm(x), types)

    def features(self, x: Tensor, types: Tensor | None) -> Tensor:
        """(N, P) -> (N, P) as the linear map sees them, rows of length 1."""
        out: Tensor = self.norm(x)
        return F.normalize(self.means(out, types), dim=-1) if self.centre else out

    def forward(self, x: Tensor, types: Tensor | None) -> Tensor:
        """x: (N, P), types: (N,) with -1 for unknown -> (N, d), rows of length 1."""
        return F.normalize(self.linear(self.dropout(self.features(x, types))), dim=-1)
