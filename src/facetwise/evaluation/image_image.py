"""Image retrieval by group: does the same thing come first? Recalls and mAP@R, ties pessimistic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from facetwise.evaluation.image_text import Recalls, recalls
from facetwise.metrics import map_at_r, ranks

__all__ = ["Retrieval", "agreement", "group_labels", "retrieval"]

_TILE = 256


@dataclass(frozen=True)
class Retrieval:
    """Queries that have something to find.

    Attributes:
        queries: how many of them.
        gallery: how many pictures were ranked.
        found: recalls.
        map_at_r: percent (METHODS section 5).
    """

    queries: int
    gallery: int
    found: Recalls
    map_at_r: float

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "queries": self.queries,
            "gallery": self.gallery,
            **self.found.to_dict(),
            "map_at_r": round(self.map_at_r, 2),
        }


def group_labels(groups: Sequence[str | None]) -> Tensor:
    """(N,) an integer for each group, -1 for items without.

    >>> group_labels(["b", None, "a", "b"])
    tensor([ 1, -1,  0,  1])
    """
    names = {name: index for index, name in enumerate(sorted({g for g in groups if g is not None}))}
    return torch.tensor([-1 if group is None else names[group] for group in groups])


def retrieval(
    score: Callable[[Tensor, Tensor], Tensor],
    labels: Tensor,
    queries: Tensor | None = None,
    gallery: Tensor | None = None,
) -> Retrieval | None:
    """Rank the gallery for each query, which is never among its own answers.

    Args:
        score: rows (Q,) of queries and (N,) of the gallery -> scores (Q, N).
        labels: (N,) of all pictures; right is the same label, -1 is never right.
        queries: rows that ask; all by default.
        gallery: rows that are ranked; all by default.

    Returns:
        None if no query has anything to find.
    """
    everyone = torch.arange(len(labels))
    queries = everyone if queries is None else queries
    gallery = everyone if gallery is None else gallery
    rank: list[Tensor] = []
    total, count = 0.0, 0
    for start in range(0, len(queries), _TILE):
        tile = queries[start : start + _TILE]
        itself = tile[:, None] == gallery
        relevant = (labels[tile][:, None] == labels[gallery]) & ~itself
        relevant &= (labels[tile] >= 0)[:, None]
        some = relevant.any(1)
        if not bool(some.any()):
            continue
        scores = score(tile[some], gallery).masked_fill(itself[some], -torch.inf)
        rank.append(ranks(scores, relevant[some]))
        here = int(some.sum())
        total += map_at_r(scores, relevant[some]) * here
        count += here
    if count == 0:
        return None
    return Retrieval(count, len(gallery), recalls(torch.cat(rank)), 100 * total / count)


def agreement(
    score: Callable[[Tensor, Tensor], Tensor],
    present: Tensor,
    known: Tensor,
    k: int = 10,
    queries: Tensor | None = None,
) -> float:
    """Percent of the first k answers that share a value of an attribute group with the query.

    Args:
        score: as in `retrieval`.
        present: (N, A) float: which values of the group hold.
        known: (N,) bool: pairs with an unknown side do not count.
        k: how many answers are looked at.
        queries: rows that ask; all by default.

    Returns:
        NaN where nothing is known.
    """
    everyone = torch.arange(len(present))
    queries = everyone if queries is None else queries
    shared, counted = 0.0, 0
    for start in range(0, len(queries), _TILE):
        tile = queries[start : start + _TILE]
        scores = score(tile, everyone).clone()
        scores[torch.arange(len(tile)), tile] = -torch.inf
        top = scores.topk(min(k, len(everyone) - 1), dim=1).indices
        both = known[tile][:, None] & known[top]
        same = (present[tile][:, None] * present[top]).sum(-1) > 0
        shared += float((same & both).sum())
        counted += int(both.sum())
    return 100 * shared / counted if counted else float("nan")
