"""Few-shot episodes: drawn once, so that all runs see the same; their pairs, each scored once.

Episodes share pairs: 600 of them, 5-way 5-shot with 16 queries, hold 1.2 million of queries with
labelled pictures, of which 50 classes of 60 have 4.5 million. All-way episodes hold every one many
times over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from facetwise.errors import InputError
from facetwise.evaluation.scorers import Scorer

__all__ = ["Episodes", "draw_episodes", "mean_scores", "prototype_scores"]

_KEYS: Final = 1 << 22  # random keys drawn at a time
_PAIRS: Final = 1 << 25  # more are not sorted to find the distinct ones
_TABLE: Final = 20_000  # items of a table of all pairs: 1.6 GB
_TILE: Final = 1024
_PROTOTYPES: Final = 4096  # in memory at a time


@dataclass(frozen=True)
class Episodes:
    """E episodes of W classes: item numbers.

    Attributes:
        support: (E, W, S) the labelled ones.
        query: (E, W, Q) those to be told; none is in the episode's support.
        classes: how many classes there were to draw from.
        left_out: how many had too few items.
    """

    support: Tensor
    query: Tensor
    classes: int
    left_out: int

    def __len__(self) -> int:
        return len(self.support)

    @property
    def way(self) -> int:
        """W."""
        return self.support.shape[1]

    @property
    def labels(self) -> Tensor:
        """(W Q,) the right way of each query, in the order of `query.flatten(1)`."""
        return torch.arange(self.way).repeat_interleave(self.query.shape[2])


def draw_episodes(
    labels: Tensor,
    *,
    way: int = 5,
    shot: int = 5,
    query: int = 16,
    episodes: int = 600,
    generator: torch.Generator,
) -> Episodes:
    """Draw episodes: classes evenly, then of each class different items (METHODS 1.5).

    Args:
        labels: (N,) int64 classes, -1 for items without; a class needs shot + query items.
        way: W classes an episode; 0 takes all (all-way).
        shot: S labelled items of each class.
        query: Q others of each class.
        episodes: E.
        generator: the same draws the same episodes.

    Raises:
        InputError: too few classes have enough items.

    >>> labels = torch.arange(4).repeat_interleave(10)
    >>> g = torch.Generator().manual_seed(0)
    >>> drawn = draw_episodes(labels, way=3, shot=2, query=4, episodes=7, generator=g)
    >>> drawn.support.shape, drawn.query.shape
    (torch.Size([7, 3, 2]), torch.Size([7, 3, 4]))
    """
    if way < 0 or way == 1 or min(shot, query, episodes) < 1:
        raise InputError(
            f"episodes of {way} ways, {shot} shots, {query} queries: expected at least 2 ways "
            "(or 0 for all), 1 shot and 1 query"
        )
    need = shot + query
    counts = torch.bincount(labels[labels >= 0]) if bool((labels >= 0).any()) else labels[:0]
    large = (counts >= need).nonzero().squeeze(1)
    least = max(way, 2)
    if len(large) < least:
        raise InputError(
            f"{len(large)} of {int((counts > 0).sum())} classes have the {need} items that {shot} "
            f"shots and {query} queries need, and {least} such classes are needed; ask for fewer "
            "of them (--shot, --query, --way)"
        )
    order = labels.argsort(stable=True)
    starts = int((labels < 0).sum()) + counts.cumsum(0) - counts
    place = torch.arange(int(counts[large].amax()))
    inside = place < counts[large][:, None]
    members = order[(starts[large][:, None] + place).clamp_max(len(labels) - 1)]  # (classes, most)
    ways = way or len(large)
    step = max(1, _KEYS // (ways * len(place)))
    chosen = []
    for start in range(0, episodes, step):
        count = min(step, episodes - start)
        classes = torch.rand(count, len(large), generator=generator).argsort(1)[:, :ways]
        keys = torch.rand(count, ways, len(place), generator=generator)
        keys.masked_fill_(~inside[classes], -1)
        taken = keys.topk(need, dim=2).indices
        chosen.append(members[classes].gather(2, taken))
    items = torch.cat(chosen)
    left_out = int((counts > 0).sum()) - len(large)
    return Episodes(items[..., :shot], items[..., shot:], len(large), left_out)


@torch.no_grad()
def mean_scores(scorer: Scorer, episodes: Episodes) -> Tensor:
    """Mean score of each query with the shots of each way: (E, W Q, W).

    Every pair of items that occurs in any episode is scored once, whichever of the two asks: scores
    are symmetric. Where episodes draw most pairs that there are, all are scored, in tiles.
    """
    query, support = episodes.query.flatten(1), episodes.support.flatten(1)
    used, number = torch.cat([query, support], 1).unique(return_inverse=True)
    pairs = query.numel() * support.shape[1]
    # of len(used)^2 / 2; random draws then hit half of them, and tiles are cheaper than lists
    most = 3 * len(used) ** 2 // 8
    shots = episodes.support.shape[2]
    if pairs <= min(most, _PAIRS):
        low = torch.minimum(query[:, :, None], support[:, None])
        high = torch.maximum(query[:, :, None], support[:, None])
        keys, where = (low * len(scorer) + high).unique(return_inverse=True)
        scores = scorer.pairs(keys // len(scorer), keys % len(scorer))[where]
        return scores.view(*query.shape, -1, shots).mean(3)
    if pairs > most and len(used) <= _TABLE:
        table = _table(scorer, used)
        queries, shots_of = number.split([query.shape[1], support.shape[1]], dim=1)
        # Whole rows of the table first, then the queries' columns: a score by its two numbers
        # would be a jump in memory for each of a hundred million.
        return torch.stack(
            [
                F.embedding_bag(s.view(-1, shots), table, mode="mean").index_select(1, q).T
                for q, s in zip(queries, shots_of, strict=True)
            ]
        )
    return torch.stack(
        [
            torch.cat([scorer.matrix(q, s) for q in own.split(_TILE)])
            .unflatten(1, (-1, shots))
            .mean(2)
            for own, s in zip(query, support, strict=True)
        ]
    )


@torch.no_grad()
def prototype_scores(scorer: Scorer, episodes: Episodes) -> Tensor:
    """Score of each query with the mean embedding of each way's shots: (E, W Q, W)."""
    query = episodes.query.flatten(1)
    step = max(1, _PROTOTYPES // episodes.way)
    out = []
    for start in range(0, len(episodes), step):
        shots = episodes.support[start : start + step]
        extended = scorer.extended(shots.flatten(0, 1))
        numbers = len(scorer) + torch.arange(shots.shape[0] * shots.shape[1])
        for own, prototypes in zip(
            query[start : start + step], numbers.view(len(shots), -1), strict=True
        ):
            out.append(extended.matrix(own, prototypes))
    return torch.stack(out)


def _table(scorer: Scorer, used: Tensor) -> Tensor:
    """(U, U) scores of all pairs, one half computed and the other mirrored."""
    table = torch.empty(len(used), len(used))
    for start in range(0, len(used), _TILE):
        rows = slice(start, start + _TILE)
        half = scorer.matrix(used[rows], used[start:])
        table[rows, start:] = half
        table[start:, rows] = half.T
    return table
