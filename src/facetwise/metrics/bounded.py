"""Exact ranks from inexact scores: what is certain is counted, what is close is scored again."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from facetwise.metrics.places import Ties
from facetwise.metrics.positives import Positives

__all__ = ["bounded_first_ranks"]

_TILE = 2**22
"""Scores that are looked at together."""


def bounded_first_ranks(
    scores: Tensor,
    q_error: Tensor,
    n_error: Tensor,
    positives: Positives,
    exact: Callable[[Tensor, Tensor], Tensor],
    *,
    own: Tensor | None = None,
    k: int = 10,
    ties: Ties = "pessimistic",
) -> Tensor:
    """Rank of each query's best positive if it is at most k, else infinity.

    The ranks are those of the exact scores: an item that beats the best positive by more than both
    errors counts, one that is beaten by more does not, and the others are scored exactly, unless k
    items beat the positive already.

    Args:
        scores: (Q, N) with |scores - exact| <= q_error[:, None] + n_error; a transposed view will
            do.
        q_error: (Q,) of the queries.
        n_error: (N,) of the items.
        positives: E edges of these Q queries.
        exact: query numbers (P,) and item numbers (P,) -> exact scores (P,).
        own: (E,) exact scores of the positives, if they are known already.
        k: ranks beyond it are not told apart.
        ties: irrelevant items of the same exact score stand before (`"pessimistic"`) or behind.

    Returns:
        (Q,) float64; NaN for queries without positives.

    Raises:
        ValueError: ties is "mean", or shapes do not fit.

    >>> true = torch.tensor([[0.50, 0.49, 0.10]])
    >>> positives = Positives.of(torch.tensor([[0, 0]]), queries=1)
    >>> wrong = torch.tensor([[0.47, 0.50, 0.12]])  # the second seems to win
    >>> error = torch.tensor([0.02]), torch.full((3,), 0.02)
    >>> bounded_first_ranks(wrong, *error, positives, lambda q, i: true[q, i])
    tensor([1.], dtype=torch.float64)
    """
    if ties == "mean":
        raise ValueError("shuffled ties are no single order: no mean ranks here")
    if q_error.shape != scores.shape[:1] or n_error.shape != scores.shape[1:]:
        raise ValueError(
            f"errors {tuple(q_error.shape)} and {tuple(n_error.shape)} do not fit scores "
            f"{tuple(scores.shape)}"
        )
    own = exact(positives.queries, positives.items) if own is None else own
    best = own.new_full((len(positives),), -torch.inf)
    best.scatter_reduce_(0, positives.queries, own, "amax")
    error = q_error + n_error.max()
    beaten = torch.empty(len(positives), dtype=torch.float64, device=scores.device)
    height = max(1, _TILE // scores.shape[1])
    for start in range(0, len(scores), height):
        part = slice(start, start + height)
        tile, bound, slack = scores[part], best[part, None], error[part, None]
        certain = (tile > bound + slack).sum(1)
        beaten[part] = certain.double()
        # rows where k are ahead already are settled, whatever the doubtful ones are
        open_rows = (certain < k).nonzero().squeeze(1)
        if len(open_rows) == 0:
            continue
        if len(open_rows) < len(tile):
            tile, bound, slack = tile[open_rows], bound[open_rows], slack[open_rows]
        close = (tile >= bound - slack) & (tile <= bound + slack)
        row, item = close.nonzero(as_tuple=True)
        query = open_rows[row] + start
        wrong = ~_among(positives, query, item, scores.shape[1])
        query, item = query[wrong], item[wrong]
        again = exact(query, item)
        ahead = again >= best[query] if ties == "pessimistic" else again > best[query]
        beaten.index_add_(0, query, ahead.double())
    rank = beaten + 1
    rank[rank > k] = torch.inf
    return rank.masked_fill(positives.counts == 0, torch.nan)


def _among(positives: Positives, query: Tensor, item: Tensor, items: int) -> Tensor:
    """(P,) bool: is this pair one of the edges?"""
    edges = positives.queries * items + positives.items  # sorted, as the edges are
    pair = query * items + item
    at = torch.searchsorted(edges, pair).clamp_max(len(edges) - 1)
    return edges[at] == pair
