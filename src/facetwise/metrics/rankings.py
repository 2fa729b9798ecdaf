"""Ranks from rankings: lists of item numbers, best first, as other people's programs write them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facetwise.metrics.positives import Positives

__all__ = ["fold_ranking_ranks", "numbered", "ranking_ranks"]

_TILE = 2**20  # places looked up together: a tile of the table of places stays in the cache


def numbered(
    rankings: Collection[Sequence[int] | NDArray[np.integer]], ids: Sequence[int] | Tensor
) -> Tensor:
    """Lists of ids, possibly of different lengths, to (Q, L) int32 places in `ids`, padded by -1.

    Raises:
        ValueError: an id that is not among `ids` (with its query and place), or `ids` repeat.

    >>> numbered([[30, 10], [20]], ids=[10, 20, 30])
    tensor([[ 2,  0],
            [ 1, -1]], dtype=torch.int32)
    """
    known = np.asarray(ids, dtype=np.int64)
    order = known.argsort()
    known = known[order]
    if len(known) == 0 or (known[1:] == known[:-1]).any():
        raise ValueError("ids must be there, and each once")
    # COCO's ids are below a million: a table finds 125 million of them in a second.
    dense = known[0] >= 0 and known[-1] < max(2**24, 4 * len(known))
    table = np.full(int(known[-1]) + 1 if dense else 0, -1, dtype=np.int32)
    table[known if dense else []] = order if dense else []
    longest = max(map(len, rankings), default=0)
    numbers = np.full((len(rankings), longest), -1, dtype=np.int32)
    for query, ranking in enumerate(rankings):
        if isinstance(ranking, np.ndarray):
            row = ranking.astype(np.int64)
        else:  # half the time of np.asarray
            row = np.fromiter(ranking, np.int64, len(ranking))
        if dense:
            inside = (row >= 0) & (row < len(table))
            found = table[row] if inside.all() else np.where(inside, table[row * inside], -1)
        else:
            place = np.searchsorted(known, row).clip(max=len(known) - 1)
            found = np.where(known[place] == row, order[place], -1).astype(np.int32)
        if (found < 0).any():
            at = int((found < 0).argmax())
            raise ValueError(f"ranking {query}, place {at + 1}: {row[at]} is no known id")
        numbers[query, : len(row)] = found
    return torch.from_numpy(numbers)


def ranking_ranks(rankings: Tensor, positives: Positives, *, items: int | None = None) -> Tensor:
    """Rank of every positive in rankings that may be cut short; 1 is first.

    Args:
        rankings: (Q, L) int item numbers, best first; -1 holds the place of what is no item
            and pads shorter ones.
        positives: E edges of these Q queries.
        items: how many items there are; the largest number seen, plus one, unless given.

    Returns:
        (E,) float64 in the order of `positives`; inf for a positive that is not in the ranking.
        50 places suffice for ECCV Caption's figures and for recalls, not for median ranks.

    Raises:
        ValueError: shapes do not fit, a number is out of range, or a ranking names an item twice.

    >>> positives = Positives.of(torch.tensor([[0, 3], [0, 1], [0, 2]]), queries=1)
    >>> ranking_ranks(torch.tensor([[3, 4, 1]]), positives)
    tensor([3., inf, 1.], dtype=torch.float64)
    """
    ranks = torch.empty(len(positives.items), dtype=torch.float64, device=rankings.device)
    items, gaps = _checked(rankings, positives, items)
    for start, table in _places(rankings, range(len(rankings)), items, gaps=gaps):
        edges = slice(int(positives.starts[start]), int(positives.starts[start + len(table)]))
        ranks[edges] = table[positives.queries[edges] - start, positives.items[edges]].double()
    return ranks.masked_fill(ranks == 0, torch.inf)


def fold_ranking_ranks(
    rankings: Tensor, positives: Positives, folds: Sequence[tuple[range, range]]
) -> Tensor:
    """Rank of every positive among the items of its own fold: COCO 1K from a full 5K ranking.

    Args:
        rankings: (Q, N) int, each a whole order of all N items. From a truncated one the ranks
            within a fold cannot be told (METHODS T-35).
        positives: E edges of these Q queries, each of an item in its query's fold.
        folds: the queries and the items of each; together they must hold all queries, in order.

    Returns:
        (E,) float64 in the order of `positives`.

    Raises:
        ValueError: rankings are not whole, folds leave queries out, or a positive is in another.

    >>> positives = Positives.of(torch.tensor([[0, 0], [1, 3]]), queries=2)
    >>> rankings = torch.tensor([[2, 1, 3, 0], [3, 0, 1, 2]])
    >>> folds = [(range(0, 1), range(0, 2)), (range(1, 2), range(2, 4))]
    >>> fold_ranking_ranks(rankings, positives, folds)
    tensor([2., 1.], dtype=torch.float64)
    """
    n = rankings.shape[1] if rankings.dim() == 2 else 0
    items, gaps = _checked(rankings, positives, None)
    if items > n or gaps:
        raise ValueError(
            f"folds need whole rankings of all {items} items, not {tuple(rankings.shape)}: "
            f"the places within a fold cannot be told from a list that was cut short"
        )
    if [q for queries, _ in folds for q in queries] != list(range(len(rankings))):
        raise ValueError(f"the folds must hold queries 0 ... {len(rankings) - 1} in order")
    parts: list[Tensor] = []
    for queries, inside in folds:
        own = positives.block(queries, inside)
        if len(own.items) != int(positives.starts[queries.stop] - positives.starts[queries.start]):
            raise ValueError(f"a positive of queries {queries} is not among items {inside}")
        for start, table in _places(rankings, queries, n, gaps=False):
            edges = slice(
                int(own.starts[start - queries.start]),
                int(own.starts[start - queries.start + len(table)]),
            )
            row = own.queries[edges] + queries.start - start
            near = table[:, inside.start : inside.stop]
            place = near[row, own.items[edges]]
            parts.append(_count_not_behind(near, row, place))
    return torch.cat(parts).double()


def _count_not_behind(table: Tensor, row: Tensor, place: Tensor) -> Tensor:
    """How many places of these (sorted) rows are at most `place`? (E,) int64."""
    counts = torch.bincount(row, minlength=len(table))
    starts = counts.cumsum(0) - counts
    found = torch.empty_like(row)
    for depth in range(int(counts.amax())):
        rows = (counts > depth).nonzero().squeeze(1)
        edges = starts[rows] + depth
        near = table if len(rows) == len(table) else table[rows]
        found[edges] = (near <= place[edges].unsqueeze(1)).sum(1, dtype=torch.int32).long()
    return found


def _checked(rankings: Tensor, positives: Positives, items: int | None) -> tuple[int, bool]:
    """How many items there are, and whether any ranking holds -1; ValueError as said above."""
    if (
        rankings.dim() != 2
        or rankings.numel() == 0
        or rankings.is_floating_point()
        or rankings.dtype == torch.bool
        or len(rankings) != len(positives)
    ):
        raise ValueError(
            f"rankings must be ({len(positives)}, L) of item numbers and not empty, "
            f"not {rankings.dtype} {tuple(rankings.shape)}"
        )
    least, most = int(rankings.amin()), int(rankings.amax())
    if least < -1 or (items is not None and most >= items):
        limit = "" if items is None else f" ... {items - 1}"
        raise ValueError(f"rankings must be of items 0{limit}, not {least} ... {most}")
    asked = int(positives.items.amax()) if len(positives.items) else -1
    return max(most + 1, asked + 1, items or 0), least < 0


def _places(
    rankings: Tensor, queries: range, items: int, *, gaps: bool
) -> Iterator[tuple[int, Tensor]]:
    """Tiles of queries: the first one's number, and (T, items) the place of every item, 0: none."""
    height, length = max(1, _TILE // items), rankings.shape[1]
    place = torch.arange(1, length + 1, dtype=torch.int32, device=rankings.device)
    for start in range(queries.start, queries.stop, height):
        tile = rankings[start : min(start + height, queries.stop)].long()
        table = torch.zeros(len(tile), items + gaps, dtype=torch.int32, device=tile.device)
        if gaps:  # what is no item, -1, goes to a column of its own
            table.scatter_(1, tile + 1, place.expand_as(tile))
            table, listed = table[:, 1:], (tile >= 0).sum(1)
        else:
            table.scatter_(1, tile, place.expand_as(tile))
            listed = torch.full_like(tile[:, 0], length)
        if length == items and not gaps:  # whole: an item that is there twice leaves another out
            twice = table.amin(1) == 0
        else:
            twice = (table > 0).sum(1, dtype=torch.int32) != listed
        if bool(twice.any()):
            raise ValueError(f"ranking {start + int(twice.int().argmax())} names an item twice")
        yield start, table
