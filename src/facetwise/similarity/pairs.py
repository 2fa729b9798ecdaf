"""Similarity of two pictures' vectors, as every pair model offers it; and the plain cosine's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facetwise.similarity.conditional import ConditionalSimilarity, PairScore

__all__ = ["CosineSimilarity", "PairSimilarity", "against_many"]

_PAIRS = 4096
"""Pairs that are scored at a time."""


class PairSimilarity(Protocol):
    """Pairs of vectors to scores, condition by condition; symmetric in the two."""

    def __call__(self, h1: Tensor, h2: Tensor) -> PairScore:
        """h1, h2: (P, d) -> score (P,), conditions (P, M), relevance (P, M); with gradients."""

    def against(
        self,
        query: Tensor,
        gallery: Tensor,
        *,
        factors: Tensor | Sequence[float] | None = None,
    ) -> Tensor:
        """Scores of all pairs, query (Q, d) and gallery (N, d) -> (Q, N); factors (M,) steer."""

    def listed(
        self,
        h: Tensor,
        r: Tensor,
        c: Tensor,
        *,
        factors: Tensor | Sequence[float] | None = None,
    ) -> Tensor:
        """Scores (P,) of the listed pairs of rows r (P,) and c (P,) of h (N, d)."""


class CosineSimilarity(nn.Module):
    """One condition, p = (1 + cos) / 2; steering a single condition changes nothing.

    >>> h = torch.tensor([[3.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    >>> CosineSimilarity()(h[:2], h[2:].expand(2, -1)).score
    tensor([1.0000, 0.5000])
    """

    def forward(self, h1: Tensor, h2: Tensor) -> PairScore:
        """h1, h2: (P, d) -> score (P,), conditions (P, 1), relevance (P, 1)."""
        p = (1 + F.cosine_similarity(h1, h2, dim=-1)) / 2
        return PairScore(p, p.unsqueeze(-1), torch.ones_like(p).unsqueeze(-1))

    @torch.no_grad()
    def against(
        self,
        query: Tensor,
        gallery: Tensor,
        *,
        factors: Tensor | Sequence[float] | None = None,
    ) -> Tensor:
        """Scores of all pairs, query (Q, d) and gallery (N, d) -> (Q, N)."""
        return (1 + F.normalize(query, dim=-1) @ F.normalize(gallery, dim=-1).T) / 2

    @torch.no_grad()
    def listed(
        self,
        h: Tensor,
        r: Tensor,
        c: Tensor,
        *,
        factors: Tensor | Sequence[float] | None = None,
    ) -> Tensor:
        """Scores (P,) of the listed pairs of rows of h (N, d), some at a time."""
        h = F.normalize(h, dim=-1)
        tiles = zip(r.split(_PAIRS), c.split(_PAIRS), strict=True)
        found = [(h[i] * h[j]).sum(-1) for i, j in tiles]
        return (1 + torch.cat(found)) / 2 if found else h.new_empty(0)


def against_many(
    similarity: PairSimilarity, query: Tensor, gallery: Tensor, factors: Tensor
) -> Tensor:
    """Scores of all pairs for F ways to steer, factors (F, M) -> (F, Q, N).

    In one pass over the pairs where the similarity has conditions of its own to weigh.

    >>> h = torch.eye(2)
    >>> against_many(CosineSimilarity(), h[:1], h, torch.ones(3, 1)).shape
    torch.Size([3, 1, 2])
    """
    if isinstance(similarity, ConditionalSimilarity):
        return similarity.against_many(query, gallery, factors)
    return torch.stack([similarity.against(query, gallery, factors=row) for row in factors])
