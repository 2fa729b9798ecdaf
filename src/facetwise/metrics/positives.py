"""Ranks of many positives, given as edges: no query x item table of truths, no sort of the scores.

5,000 images against 25,000 captions hold 125 million scores and 25,000 truths. What a rank asks of
a row is only how many of its scores lie above those few: counted in tiles, in place, whichever of
the two sides is asked.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from facetwise.metrics.places import Places, Ties, check_ties

__all__ = ["Positives", "first_places", "positive_ranks"]

_TILE = 2**20  # scores looked at together: they stay in the cache while each positive is counted


@dataclass(frozen=True)
class Positives:
    """Which items are right for which queries, sorted by query and then by item, each once.

    Attributes:
        queries: (E,) int64, the query of each edge.
        items: (E,) int64, its item.
        starts: (Q + 1,) int64: query q's edges are starts[q] up to starts[q + 1].
    """

    queries: Tensor
    items: Tensor
    starts: Tensor

    @classmethod
    def of(cls, edges: Tensor, queries: int) -> Positives:
        """Of (E, 2) int64 edges (query, item), in any order; repeated ones count once.

        Raises:
            ValueError: not (E, 2) int64, a query out of 0 ... queries - 1, or a negative item.

        >>> Positives.of(torch.tensor([[1, 4], [0, 2], [1, 3]]), queries=3).counts.tolist()
        [1, 2, 0]
        """
        if edges.dim() != 2 or edges.shape[1] != 2 or edges.dtype != torch.long:
            raise ValueError(f"edges must be (E, 2) int64, not {edges.dtype} {tuple(edges.shape)}")
        if len(edges):
            low, high = edges.amin(0).tolist(), edges.amax(0).tolist()
            if low[0] < 0 or high[0] >= queries or low[1] < 0:
                raise ValueError(
                    f"edges must be of queries 0 ... {queries - 1} and items from 0, "
                    f"not queries {low[0]} ... {high[0]} and items from {low[1]}"
                )
            edges = edges.unique(dim=0)  # sorted, too
        counts = torch.bincount(edges[:, 0], minlength=queries)
        starts = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        return cls(edges[:, 0].contiguous(), edges[:, 1].contiguous(), starts)

    @classmethod
    def of_owner(cls, owner: Tensor, queries: int) -> Positives:
        """Of (C,) int64 owners: image `owner[c]` asks for caption c.

        The other way, each caption asking for its image, is `.flipped(len(owner))` of it.
        """
        if owner.dim() != 1 or owner.dtype != torch.long:
            raise ValueError(f"owner must be (C,) int64, not {owner.dtype} {tuple(owner.shape)}")
        items = torch.arange(len(owner), device=owner.device)
        return cls.of(torch.stack([owner, items], dim=1), queries)

    def __len__(self) -> int:
        """How many queries."""
        return len(self.starts) - 1

    @property
    def counts(self) -> Tensor:
        """(Q,) int64: how many positives each query has (the R of R-Precision)."""
        return self.starts.diff()

    def flipped(self, queries: int) -> Positives:
        """The same edges asked from the other side, where there are so many queries."""
        return Positives.of(torch.stack([self.items, self.queries], dim=1), queries)

    def block(self, queries: range, items: range | None = None) -> Positives:
        """Only these queries and, if given, items, both counted from 0 again: of a tile, a fold.

        >>> whole = Positives.of_owner(torch.tensor([0, 0, 1, 1]), queries=2)
        >>> whole.block(range(1, 2), range(1, 4)).items.tolist()
        [1, 2]
        """
        if queries.step != 1 or (items is not None and items.step != 1):
            raise ValueError("a block is of consecutive queries and items")
        first, last = int(self.starts[queries.start]), int(self.starts[queries.stop])
        edge_queries, edge_items = self.queries[first:last], self.items[first:last]
        if items is not None:
            inside = (edge_items >= items.start) & (edge_items < items.stop)
            edge_queries, edge_items = edge_queries[inside], edge_items[inside] - items.start
        counts = torch.bincount(edge_queries - queries.start, minlength=len(queries))
        starts = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        return Positives(edge_queries - queries.start, edge_items, starts)


def positive_ranks(
    scores: Tensor,
    positives: Positives,
    *,
    ties: Ties = "pessimistic",
) -> Tensor:
    """Rank of every positive in the order that the tie rule gives; 1 is first.

    Args:
        scores: (Q, N), higher is better; a transposed view costs nothing, no copy is made.
        positives: E edges of these Q queries.
        ties: irrelevant items of the same score stand before (`"pessimistic"`) or behind. Among
            themselves tied positives keep the order of their numbers: no figure hangs on it.

    Returns:
        (E,) float64, in the order of `positives`. The i-th best positive of a query stands at i +
        the number of irrelevant items that score at least as much (pessimistic) or more.

    Raises:
        ValueError: shapes do not fit, an item is not in 0 ... N - 1, a score is NaN, or ties is
        "mean", which is no single order: `first_places` and the dense metrics have it.

    >>> scores = torch.tensor([[0.9, 0.5, 0.5, 0.1]])
    >>> positives = Positives.of(torch.tensor([[0, 1], [0, 3]]), queries=1)
    >>> positive_ranks(scores, positives)
    tensor([3., 4.], dtype=torch.float64)
    >>> positive_ranks(scores, positives, ties="optimistic")
    tensor([2., 4.], dtype=torch.float64)
    """
    check_ties(ties)
    if ties == "mean":
        raise ValueError("shuffled ties are no single order of all positives: no mean ranks here")
    _check(scores, positives)
    own = scores[positives.queries, positives.items]
    equal = ties == "pessimistic"
    counted = torch.empty(len(own), dtype=torch.long, device=scores.device)
    for depth in range(int(positives.counts.amax()) if len(own) else 0):
        rows = (positives.counts > depth).nonzero().squeeze(1)
        edges = positives.starts[rows] + depth
        counted[edges] = _count(scores, rows, own[edges], equal=equal)
    # The positives in their own order, and how many of them the count of each has seen.
    order = own.argsort(descending=True, stable=True)
    order = order[positives.queries[order].argsort(stable=True)]
    place = torch.arange(len(own), device=own.device) - positives.starts[positives.queries]
    seen = _tied_groups(positives.queries, own[order], end=equal)
    seen = seen - positives.starts[positives.queries]
    rank = torch.empty(len(own), dtype=torch.float64, device=scores.device)
    rank[order] = (place + 1 + counted[order] - seen).double()
    return rank


def first_places(scores: Tensor, positives: Positives) -> Places:
    """Where each query's best positive stands, with what ties leave open.

    Args:
        scores: (Q, N), higher is better; a transposed view costs nothing, no copy is made.
        positives: edges of these Q queries.

    Returns:
        Places of Q queries: `.ranks(ties)`, `.hits(k, ties)` and `.tied`.

    Raises:
        ValueError: as `positive_ranks`.

    >>> scores = torch.tensor([[0.9, 0.5, 0.5, 0.1]])
    >>> found = first_places(scores, Positives.of(torch.tensor([[0, 1], [0, 3]]), queries=1))
    >>> found.ranks().item(), found.ranks("optimistic").item(), found.tied.sum().item()
    (3.0, 2.0, 1)
    """
    _check(scores, positives)
    own = scores[positives.queries, positives.items]
    best = scores.new_full((len(positives),), float("-inf"))
    best.scatter_reduce_(0, positives.queries, own, "amax")
    tied_relevant = torch.zeros(len(positives), dtype=torch.float64, device=scores.device)
    tied_relevant.index_add_(0, positives.queries, (own == best[positives.queries]).double())
    rows = torch.arange(len(positives), device=scores.device)
    better = _count(scores, rows, best, equal=False).double()
    tied = _count(scores, rows, best, equal=True).double() - better
    return Places(better, tied - tied_relevant, tied_relevant)


def _count(scores: Tensor, rows: Tensor, bounds: Tensor, *, equal: bool) -> Tensor:
    """For each of these rows: how many of its scores lie above (or at) its bound? (rows,) int64."""
    compare = torch.ge if equal else torch.gt
    height = max(1, _TILE // scores.shape[1])
    whole = len(rows) == len(scores)
    parts: list[Tensor] = []
    for start in range(0, len(rows), height):
        stop = start + height
        tile = scores[start:stop] if whole else scores[rows[start:stop]]
        # Adding truths up in 32 bits is three times as fast as in 64.
        above = compare(tile, bounds[start:stop].unsqueeze(1)).sum(1, dtype=torch.int32)
        parts.append(above.long())
    return torch.cat(parts)


def _tied_groups(queries: Tensor, own: Tensor, *, end: bool) -> Tensor:
    """Edges sorted by query and score: where each one's group of equals begins (or ends)."""
    new = torch.ones(len(own), dtype=torch.bool, device=own.device)
    new[1:] = (own[1:] != own[:-1]) | (queries[1:] != queries[:-1])
    first = new.nonzero().squeeze(1)
    bounds = torch.cat([first[1:], first.new_tensor([len(own)])]) if end else first
    return bounds[new.long().cumsum(0) - 1]


def _check(scores: Tensor, positives: Positives) -> None:
    if scores.dim() != 2 or scores.numel() == 0 or len(scores) != len(positives):
        raise ValueError(
            f"scores must be ({len(positives)}, N) and not empty, not {tuple(scores.shape)}"
        )
    if len(positives.items) and int(positives.items.amax()) >= scores.shape[1]:
        raise ValueError(
            f"positives must be in 0 ... {scores.shape[1] - 1}, not {int(positives.items.amax())}"
        )
    if bool(scores.amin().isnan()):  # NaN is the least of all, and no table of truths is made
        raise ValueError(f"scores {tuple(scores.shape)} contain NaN, which has no rank")
