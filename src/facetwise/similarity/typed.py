"""Distances under masks: one for each pair of types (type-aware), or mixed for each pair (SCE-Net).

Both multiply the two embeddings by one mask m >= 0, d wide, scale them to length 1, and take the
Euclidean distance; p = 1 - distance / 2 is in [0, 1] and linear in it, so that the mean of p orders
outfits as the sum of distances does (METHODS 3.13).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facetwise.similarity.conditional import PairScore, steer

__all__ = ["TYPE_SCALE", "MixedMasks", "TypeMasks", "masked_score"]

TYPE_SCALE: Final = 2.0**-10
"""Of the types behind an embedding: small, so that the plain cosine of h is the embedding's own."""

_TILE: Final = 4096
"""Pairs that are scored at a time."""

_SPREAD: Final = 0.1
"""Of the masks' start around 1, where the distance is that of the embeddings themselves."""


def masked_score(x: Tensor, y: Tensor, mask: Tensor) -> Tensor:
    """P = 1 - |u - v| / 2 with u = m x / |m x| and v = m y / |m y|.

    Args:
        x: (P, d).
        y: (P, d).
        mask: (P, d), or of a shape that fits.

    Returns:
        (P,) in [0, 1]; negative entries of the mask count as 0.

    >>> x, y = torch.tensor([[3.0, 4.0]]), torch.tensor([[3.0, -4.0]])
    >>> masked_score(x, y, torch.tensor([1.0, 0.0])), masked_score(x, -x, torch.ones(2))
    (tensor([1.0000]), tensor([0.]))
    """
    m = mask.relu()
    difference = F.normalize(x * m, dim=-1) - F.normalize(y * m, dim=-1)
    # The square root's slope at 0 would be infinite.
    return 1 - (difference.square().sum(-1) + 1e-12).sqrt() / 2


class TypeMasks(nn.Module):
    """Type-aware similarity: a mask for each unordered pair of types (METHODS 3.13).

    h is an embedding e (dim) with the shares of T types behind it, times `TYPE_SCALE`: 1 for the
    item's type, or 1 / T for each where it is not known. The mask of a pair is the mean by these
    shares, so that of an unknown item the mean of all its type's masks.

    Args:
        dim: d, width of the embedding.
        types: T.
        generator: randomness of the start.
    """

    places: Tensor

    def __init__(self, dim: int, types: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        if dim < 1 or types < 1:
            raise ValueError(f"dim and types must be positive, not {dim} and {types}")
        first, second = torch.triu_indices(types, types)
        places = torch.zeros(types, types, dtype=torch.long)
        places[first, second] = places[second, first] = torch.arange(len(first))
        self.register_buffer("places", places, persistent=False)
        self.dim, self.types = dim, types
        self.masks = nn.Parameter(1 + _SPREAD * torch.randn(len(first), dim, generator=generator))

    def joined(self, e: Tensor, types: Tensor | None) -> Tensor:
        """Embeddings (N, d) and numbers of types (N,), -1 for unknown -> h (N, d + T)."""
        if types is None:
            types = torch.full((len(e),), -1, device=e.device)
        unknown = (types < 0).unsqueeze(1)
        shares = F.one_hot(types.clamp_min(0), self.types).to(e.dtype)
        shares = torch.where(unknown, torch.full_like(shares, 1 / self.types), shares)
        return torch.cat([e, TYPE_SCALE * shares], dim=1)

    def forward(self, h1: Tensor, h2: Tensor) -> PairScore:
        """h1, h2: (P, d + T) -> score (P,), conditions (P, 1), relevance (P, 1).

        >>> masks = TypeMasks(2, types=3)
        >>> e = torch.tensor([[0.6, 0.8], [1.0, 0.0]])
        >>> h = masks.joined(e, torch.tensor([0, -1]))
        >>> torch.equal(masks(h, h.flip(0)).score, masks(h.flip(0), h).score)
        True
        """
        (x, a), (y, b) = self._parts(h1), self._parts(h2)
        p = masked_score(x, y, self._masks(a, b))
        return PairScore(p, p.unsqueeze(-1), torch.ones_like(p).unsqueeze(-1))

    @torch.no_grad()
    def against(
        self, query: Tensor, gallery: Tensor, *, factors: Tensor | Sequence[float] | None = None
    ) -> Tensor:
        """Scores of all pairs, query (Q, d + T) and gallery (N, d + T) -> (Q, N).

        All queries of one type at once: m^2 (y / |m y|) is of the gallery alone.
        """
        (x, a), (y, b) = self._parts(query), self._parts(gallery)
        whole = self.masks[self.places]  # (T, T, d)
        out = x.new_empty(len(x), len(y))
        kinds, which = a.unique(dim=0, return_inverse=True)
        for kind, shares in enumerate(kinds):
            rows = (which == kind).nonzero().squeeze(1)
            squares = (b @ torch.einsum("t,tsd->sd", shares, whole)).relu().square()  # (N, d)
            weighted = squares * y
            lengths = (x[rows].square() @ squares.T).sqrt() * (weighted * y).sum(1).sqrt()
            cosine = (x[rows] @ weighted.T) / lengths.clamp_min(1e-12)
            out[rows] = 1 - ((2 - 2 * cosine).clamp_min(0) + 1e-12).sqrt() / 2
        return out

    @torch.no_grad()
    def listed(
        self,
        h: Tensor,
        r: Tensor,
        c: Tensor,
        *,
        factors: Tensor | Sequence[float] | None = None,
    ) -> Tensor:
        """Scores (P,) of the listed pairs of rows of h (N, d + T), some at a time."""
        tiles = zip(r.split(_TILE), c.split(_TILE), strict=True)
        found = [self(h[i], h[j]).score for i, j in tiles]
        return torch.cat(found) if found else h.new_empty(0)

    def _parts(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """H (N, d + T) -> e (N, d), shares (N, T)."""
        if h.dim() != 2 or h.shape[1] != self.dim + self.types:
            raise ValueError(f"expected (N, {self.dim + self.types}), not {tuple(h.shape)}")
        e, shares = h.to(self.masks.dtype).split([self.dim, self.types], dim=1)
        return e, shares / TYPE_SCALE

    def _masks(self, a: Tensor, b: Tensor) -> Tensor:
        """Shares (P, T) and (P, T) -> masks (P, d); each distinct pair of types once."""
        shares = torch.cat([a, b], dim=1).detach()  # given, not learned
        kinds, which = shares.unique(dim=0, return_inverse=True)
        a, b = kinds.split(self.types, dim=1)
        t, s = a.argmax(1), b.argmax(1)
        if bool((a.amax(1) == 1).all() & (b.amax(1) == 1).all()):
            found = self.masks[self.places[t, s]]
        else:
            found = torch.einsum("kt,tsd,ks->kd", a, self.masks[self.places], b)
        return found[which]


class MixedMasks(nn.Module):
    """SCE-Net's similarity: M masks, mixed for each pair by weights that the pair gives itself.

    w = softmax(V relu(A (x + y) + B |x - y| + a) + v) over the masks, and the pair is compared
    under the mask sum_m w_m m_m (METHODS 3.13; the paper's branch looks at the two vectors one
    after the other, ours at their sum and difference, so that swapping them changes nothing).

    `PairScore.conditions` are the scores under each mask alone, `relevance` is w; the score is that
    under the mixed mask, **not** the weighted sum of the conditions.

    Args:
        dim: d.
        masks: M.
        hidden: width of the small network.
        generator: randomness of the start.
    """

    def __init__(
        self, dim: int, masks: int, hidden: int = 32, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        if min(dim, masks, hidden) < 1:
            raise ValueError(f"dim, masks and hidden must be positive: {dim}, {masks}, {hidden}")
        self.masks = nn.Parameter(1 + _SPREAD * torch.randn(masks, dim, generator=generator))
        self.of_sum = nn.Linear(dim, hidden)
        self.of_difference = nn.Linear(dim, hidden, bias=False)
        self.out = nn.Linear(hidden, masks)
        for layer in (self.of_sum, self.of_difference, self.out):
            nn.init.xavier_uniform_(layer.weight, generator=generator)
        nn.init.zeros_(self.of_sum.bias)
        nn.init.zeros_(self.out.bias)

    def forward(self, h1: Tensor, h2: Tensor) -> PairScore:
        """h1, h2: (P, d) -> score (P,), conditions (P, M), relevance (P, M).

        >>> mixed = MixedMasks(3, masks=2)
        >>> score, conditions, relevance = mixed(torch.eye(3), torch.eye(3).roll(1, 0))
        >>> score.shape, conditions.shape, relevance.shape
        (torch.Size([3]), torch.Size([3, 2]), torch.Size([3, 2]))
        """
        x, y = h1.to(self.masks.dtype), h2.to(self.masks.dtype)
        w = self._weights(self.of_sum(x + y), (x - y).abs())
        s = masked_score(x.unsqueeze(1), y.unsqueeze(1), self.masks)
        return PairScore(masked_score(x, y, w @ self.masks.relu()), s, w)

    @torch.no_grad()
    def against(
        self, query: Tensor, gallery: Tensor, *, factors: Tensor | Sequence[float] | None = None
    ) -> Tensor:
        """Scores of all pairs, query (Q, d) and gallery (N, d) -> (Q, N), a tile at a time."""
        query, gallery = query.to(self.masks.dtype), gallery.to(self.masks.dtype)
        q, n = len(query), len(gallery)
        columns = max(1, min(n, _TILE))
        rows = max(1, _TILE // columns)
        # Of a sum the linear map is the sum of the maps: once for each item.
        left, right = self.of_sum(query), F.linear(gallery, self.of_sum.weight)
        out = query.new_empty(q, n)
        for i in range(0, q, rows):
            for j in range(0, n, columns):
                x, y = query[i : i + rows, None], gallery[None, j : j + columns]
                sums = left[i : i + rows, None] + right[None, j : j + columns]
                out[i : i + rows, j : j + columns] = self._score(x, y, sums, factors)
        return out

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
        h = h.to(self.masks.dtype)
        tiles = zip(r.split(_TILE), c.split(_TILE), strict=True)
        found = [self._score(h[i], h[j], self.of_sum(h[i] + h[j]), factors) for i, j in tiles]
        return torch.cat(found) if found else h.new_empty(0)

    def _weights(self, sums: Tensor, difference: Tensor) -> Tensor:
        """(..., hidden) and (..., d) -> w (..., M)."""
        return torch.softmax(self.out((sums + self.of_difference(difference)).relu()), dim=-1)

    def _score(
        self, x: Tensor, y: Tensor, sums: Tensor, factors: Tensor | Sequence[float] | None
    ) -> Tensor:
        w = self._weights(sums, (x - y).abs())
        if factors is not None:
            w = steer(PairScore(w[..., 0], w, w), factors).relevance
        squares = (w @ self.masks.relu()).square()
        dot = (x * y * squares).sum(-1)
        lengths = (x.square() * squares).sum(-1).sqrt() * (y.square() * squares).sum(-1).sqrt()
        cosine = dot / lengths.clamp_min(1e-12)
        return 1 - ((2 - 2 * cosine).clamp_min(0) + 1e-12).sqrt() / 2
