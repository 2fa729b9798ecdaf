"""Image retrieval by group: does the same thing come first? Recalls and mAP@R, ties pessimistic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from facetwise.errors import InputError
from facetwise.evaluation.image_text import Recalls, recalls
from facetwise.evaluation.scorers import Scorer
from facetwise.metrics import Places, Positives, Ties, first_places, positive_ranks
from facetwise.metrics.from_ranks import average_precisions

__all__ = ["Retrieval", "Score", "agreement", "group_labels", "reranked", "retrieval"]

_TILE = 256

Score = Callable[[Tensor, Tensor], Tensor]
"""Rows (Q,) of queries and (N,) of the gallery -> scores (Q, N)."""


@dataclass(frozen=True, eq=False)
class Retrieval:
    """Queries that have something to find: where it stands.

    Attributes:
        gallery: how many pictures were ranked.
        places: of the first right answer, for Q queries.
        precisions: (Q,) their average precision among the first R (METHODS section 5), fractions.
        ties: who stands first among equal scores.
    """

    gallery: int
    places: Places
    precisions: Tensor
    ties: Ties = "pessimistic"

    @property
    def queries(self) -> int:
        """Q."""
        return len(self.places)

    @property
    def found(self) -> Recalls:
        """Recalls at 1, 5 and 10, and the median rank."""
        return recalls(self.places.ranks(self.ties))

    @property
    def map_at_r(self) -> float:
        """mAP@R in percent."""
        return 100 * self.precisions.mean().item()

    def recall(self, k: int) -> float:
        """Percent of queries with a right answer among the first k."""
        return 100 * self.places.hits(k, self.ties).mean().item()

    def figures(self, ks: Sequence[int]) -> dict[str, Any]:
        """For JSON: recalls at any k."""
        return {
            "queries": self.queries,
            "gallery": self.gallery,
            **{f"R@{k}": round(self.recall(k), 2) for k in ks},
            "map_at_r": round(self.map_at_r, 2),
        }

    def to_dict(self) -> dict[str, Any]:
        """For JSON: recalls at 1, 5, 10 with the median rank."""
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
    score: Score,
    labels: Tensor,
    queries: Tensor | None = None,
    gallery: Tensor | None = None,
    *,
    ties: Ties = "pessimistic",
) -> Retrieval | None:
    """Rank the gallery for each query, which is never among its own answers.

    Args:
        score: rows (Q,) of queries and (N,) of the gallery -> scores (Q, N).
        labels: (N,) of all pictures; right is the same label, -1 is never right.
        queries: rows that ask; all by default.
        gallery: rows that are ranked; all by default.
        ties: who stands first among equal scores.

    Returns:
        None if no query has anything to find.

    Raises:
        InputError: ties is ``mean``, which is no single order of all right answers.
    """
    if ties == "mean":
        raise InputError("shuffled ties are no single order, so no mAP@R; take --ties pessimistic")
    everyone = torch.arange(len(labels))
    queries = everyone if queries is None else queries
    gallery = everyone if gallery is None else gallery
    places: list[Places] = []
    precisions: list[Tensor] = []
    for tile in queries[labels[queries] >= 0].split(_TILE):
        itself = tile[:, None] == gallery
        relevant = (labels[tile][:, None] == labels[gallery]) & ~itself
        some = relevant.any(1)
        if not bool(some.any()):
            continue
        scores = score(tile[some], gallery).masked_fill(itself[some], -torch.inf)
        right = Positives.of(relevant[some].nonzero(), len(scores))
        places.append(first_places(scores, right))
        precisions.append(average_precisions(positive_ranks(scores, right, ties=ties), right))
    if not places:
        return None
    columns = ("better", "tied_others", "tied_relevant")
    whole = Places(*(torch.cat([getattr(place, name) for place in places]) for name in columns))
    return Retrieval(len(gallery), whole, torch.cat(precisions), ties)


def reranked(scorer: Scorer, cheap: Scorer, first: int) -> Score:
    """A score for `retrieval` that ranks the gallery by `cheap` and the first answers again.

    Pictures that tie with the last of the first under `cheap` are ranked again, too, so nothing
    hangs on the order of the gallery; the query itself is never one of them. The rest stays behind
    in the order of `cheap`. This is what a large gallery affords, and it hides what a model does
    with pictures that the cheap score already keeps out: report the full ranking beside it.

    Args:
        scorer: ranks again.
        cheap: chooses.
        first: how many are chosen for each query.

    >>> from facetwise.evaluation.scorers import cosine_scorer
    >>> x = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.8, 0.6], [1.0, 0.1]])
    >>> good, bad = cosine_scorer("", x), cosine_scorer("", x[[0, 1, 3, 2]])
    >>> reranked(good, bad, 2)(torch.tensor([0]), torch.arange(1, 4)).argsort(descending=True)
    tensor([[2, 1, 0]])
    """

    def score(q: Tensor, g: Tensor) -> Tensor:
        # float64: differences between near scores must outlast the shift
        below = cheap.matrix(q, g).double().masked_fill(q[:, None] == g, -torch.inf)
        least = below.topk(min(first, below.shape[1]), dim=1).values[:, -1:]
        again = (below >= least) & below.isfinite()
        out = below - below.amax(1, keepdim=True)  # at most 0
        row, column = again.nonzero(as_tuple=True)
        if len(row) == 0:
            return out
        better = scorer.pairs(q[row], g[column]).double()
        out[row, column] = better - better.amin() + 1
        return out

    return score


def agreement(
    score: Score,
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
