"""The exact scan: every item is scored, tile by tile, and the best are taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from facetwise.similarity import NamedSimilarity, PairScore, PairSimilarity

__all__ = ["best", "pair_conditions", "scan_pairs", "scan_sets", "tidy"]

_PAIRS = 4096  # pairs whose conditions are held at once
_FLOATS = 2**22  # cosines of elements that are held at once: a whole tile of sets of 8


@torch.no_grad()
def scan_sets(
    query: Tensor,
    tiles: Sequence[Tensor],
    similarity: NamedSimilarity,
    masks: Sequence[Tensor | None] = (),
) -> Tensor:
    """Score one set against all.

    The items are the images of a similarity that tells images from texts (`symmetric`), so the
    query, be it a text or a picture, is in the place of the text: its elements look at an item's.

    Args:
        query: (K, D).
        tiles: each (n, L, D); laid out slot-major ((L, n, D) transposed) nothing is copied.
        similarity: of these sets; their rows have length 1, or are padding.
        masks: for each tile which rows are elements, (n, L) or None for all; by default looked for.

    Returns:
        (N,) scores in float32.
    """
    masks = masks or [similarity.real(tile) for tile in tiles]
    real = similarity.real(query[None])
    scores: list[Tensor] = []
    for tile, mask in zip(tiles, masks, strict=True):
        step = max(1, _FLOATS // (len(query) * tile.shape[1]))
        for start in range(0, len(tile), step):
            items = tile[start : start + step]
            some = None if mask is None else mask[start : start + step]
            if similarity.symmetric:
                found = similarity.function(
                    query[None], items, x_mask=real, y_mask=some, normalized=True
                )[0]
            else:
                found = similarity.function(
                    items, query[None], x_mask=some, y_mask=real, normalized=True
                )[:, 0]
            scores.append(found.float())
    return torch.cat(scores)


@torch.no_grad()
def scan_pairs(
    query: Tensor,
    gallery: Tensor,
    similarity: PairSimilarity,
    factors: Tensor | None = None,
) -> Tensor:
    """Score one vector (d,) against all (N, d); `factors` (M,) steer. Gives (N,) float32."""
    return similarity.against(query[None], gallery, factors=factors)[0].float()


@torch.no_grad()
def pair_conditions(
    query: Tensor, gallery: Tensor, score: Callable[[Tensor, Tensor], PairScore]
) -> Tensor:
    """The similarity under each condition of one vector (d,) and all (N, d): (N, M)."""
    parts = torch.split(gallery, _PAIRS)
    return torch.cat([score(query.expand_as(part), part).conditions for part in parts])


def tidy(scores: Tensor) -> Tensor:
    """Scores to 1e-6, in float64.

    Float32 sums differ in the seventh digit with the place in a tile; two items with equal vectors
    must tie all the same.
    """
    return (scores.double() * 1e6).round() / 1e6


def best(scores: Tensor, order: Tensor, k: int, among: Tensor | None = None) -> list[int]:
    """The rows of the `k` highest scores, highest first; ties by `order`.

    Args:
        scores: (N,).
        order: (N,) distinct; of two rows with the same score the one with the smaller comes first.
        k: at most so many.
        among: (R,) only these rows.

    >>> best(torch.tensor([.5, .9, .5]), torch.tensor([2, 1, 0]), k=2)
    [1, 2]
    """
    rows = torch.arange(len(scores)) if among is None else among
    k = min(k, len(rows))
    if k == 0:
        return []
    found = scores[rows]
    # All that reach the k-th score are candidates, so that ties at the end are cut by order too.
    reach = found >= torch.topk(found, k).values[-1]
    rows, found = rows[reach], found[reach]
    by_order = torch.argsort(order[rows])
    by_score = torch.argsort(found[by_order], descending=True, stable=True)
    return [int(row) for row in rows[by_order][by_score][:k]]
