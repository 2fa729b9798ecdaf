"""Two stages: a fast run chooses each query's best answers, a slow one puts these in order.

Cross attention compares every word with every region of every pair; over all pairs of a test that
takes a thousand times what sets take (METHODS 7.6). What such a run is good for in practice is
this: the fast run's scores decide which `depth` answers are looked at, the slow run decides their
order, and everything else stays behind in the fast run's order. Each way has its own choice: an
image's best captions are not the captions whose best image it is.

A right answer that the first stage does not choose is lost to the second: the recall at `depth`
under the first stage is the most that R@1 can become, so benchmarks report it with the figures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import torch
from torch import Tensor

from facetwise.evaluation.answers import Matrix, Way
from facetwise.evaluation.both_ways import joined_places
from facetwise.evaluation.image_text import ImageText, difference
from facetwise.metrics.places import Places, Ties
from facetwise.metrics.positives import Positives
from facetwise.similarity import SetSimilarity, score_pairs

__all__ = ["RERANKED", "PairScorer", "Reranked", "pair_scorer", "two_stages"]

RERANKED: Final = 100
"""How many answers of each query are put in order by default."""

_SCORES: Final = 2**22
"""Scores of the first stage that are in memory a second time: 32 MB in float64."""

PairScorer = Callable[[Tensor, Tensor], Tensor]
"""Numbers of images (P,) and of texts (P,) -> scores (P,)."""


def pair_scorer(x: Tensor, y: Tensor, similarity: SetSimilarity) -> PairScorer:
    """Scores of listed pairs of images x (B, K, D) and texts y (C, L, D), tile by tile."""

    def score(images: Tensor, texts: Tensor) -> Tensor:
        return score_pairs(x, y, images, texts, similarity)

    return score


@dataclass(frozen=True)
class Reranked:
    """`Answers` of two stages.

    Attributes:
        scores: (B, C) of the first stage.
        second: scores pairs again.
        depth: how many answers of each query are scored again, and more where several tie with the
            last of them, so that nothing hangs on the order of the files.
        images_from, texts_from: the numbers, to `second`, of the first image and text: of a fold.

    >>> first = Matrix(torch.tensor([[0.9, 0.8, 0.1], [0.3, 0.5, 0.4]]))
    >>> better = torch.tensor([[0.0, 1.0, 9.0], [0.0, 0.0, 1.0]])
    >>> answers = Reranked(first.scores, lambda i, t: better[i, t], depth=2)
    >>> answers.ranked("i2t", range(2)).argsort(descending=True)
    tensor([[1, 0, 2],
            [2, 1, 0]])
    """

    scores: Tensor
    second: PairScorer
    depth: int = RERANKED
    images_from: int = 0
    texts_from: int = 0

    @property
    def images(self) -> int:
        """B."""
        return self.scores.shape[0]

    @property
    def texts(self) -> int:
        """C."""
        return self.scores.shape[1]

    def block(self, images: range, texts: range) -> Reranked:
        """As if there were only these: within a fold the first stage chooses among the fold's."""
        return replace(
            self,
            scores=self.scores[images.start : images.stop, texts.start : texts.stop],
            images_from=self.images_from + images.start,
            texts_from=self.texts_from + texts.start,
        )

    def first(self, way: Way, positives: Positives) -> Places:
        """Where the best positive of every query stands."""
        return joined_places(
            [
                Matrix(self.ranked(way, queries)).first("i2t", positives.block(queries))
                for queries in self._tiles(way)
            ]
        )

    def every(self, way: Way, positives: Positives, *, ties: Ties = "pessimistic") -> Tensor:
        """The rank of every positive, (E,) float64 from 1.

        Raises:
            InputError: ties is ``mean``, which is no single order.
        """
        return torch.cat(
            [
                Matrix(self.ranked(way, queries)).every("i2t", positives.block(queries), ties=ties)
                for queries in self._tiles(way)
            ]
        )

    @torch.no_grad()
    def ranked(self, way: Way, queries: range) -> Tensor:
        """Numbers that order the answers of some queries as both stages do, (Q, items) float64.

        Those that were scored again are above 0 and as far apart as the second stage has them, the
        others at or below 0.
        """
        asked = self.scores if way == "i2t" else self.scores.T
        # float64: differences between near scores must outlast the shift.
        below = asked[queries.start : queries.stop].double()
        if below.numel() == 0:
            return below
        least = below.topk(min(self.depth, below.shape[1]), dim=1).values[:, -1:]
        row, column = (below >= least).nonzero(as_tuple=True)
        own, other = row + queries.start, column
        images, texts = (own, other) if way == "i2t" else (other, own)
        again = self.second(images + self.images_from, texts + self.texts_from).double()
        out = below - below.amax(1, keepdim=True)
        out[row, column] = again - again.amin() + 1
        return out

    def _tiles(self, way: Way) -> list[range]:
        """The queries, so many at a time."""
        queries, items = (self.images, self.texts) if way == "i2t" else (self.texts, self.images)
        step = max(1, _SCORES // max(items, 1))
        return [range(n, min(n + step, queries)) for n in range(0, max(queries, 1), step)]


def two_stages(
    found: ImageText, first: ImageText, *, by: str, depth: int, seed: int = 0
) -> dict[str, Any]:
    """What the first stage does alone, what it leaves to be found, and what the second adds.

    Args:
        found: the figures of both stages.
        first: those of the first alone, on the same queries.
        by: the name of the run that ranks again.
        depth: as in `Reranked`.
        seed: of the bootstrap.

    Returns:
        For JSON: ``within_depth`` is the percent of queries with a right answer among the chosen.
    """
    ways = {"i2t": first.found.images, "t2i": first.found.texts}
    # Answers that tie with the last of the chosen are chosen, too.
    chosen = {way: places.hits(depth, "optimistic") for way, places in ways.items()}
    return {
        "by": by,
        "depth": depth,
        "first_stage": {"rsum": round(first.rsum, 2)},
        "within_depth": {way: round(100 * hit.nanmean().item(), 2) for way, hit in chosen.items()},
        "difference": difference(found, first, seed=seed),
    }
