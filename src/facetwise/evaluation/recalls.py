"""Recalls of large tests, both ways: in float32, or faster and the same by rescoring what is close.

5,000 images against 25,000 captions are 125 million scores: the matrix (0.5 GB) is made once, tile
by tile, and ranked in place from both sides. At reduced precision (`similarity.coarse`) every score
is known to within a proven bound, and only those that could change a hit are scored again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from facetwise.metrics.bounded import bounded_first_ranks
from facetwise.metrics.positives import Positives, first_places
from facetwise.similarity import (
    SIMILARITIES,
    coarse_score_matrix,
    has_coarse_scores,
    score_matrix,
    score_pairs,
)

__all__ = ["coarse_recalls", "exact_recalls"]

_KS = (1, 5, 10)

BothRecalls = dict[str, dict[int, float]]
"""``i2t`` and ``t2i`` to k to the fraction of queries with a right answer among the first k."""


@torch.no_grad()
def exact_recalls(
    x: Tensor,
    y: Tensor,
    owner: Tensor,
    similarity: str = "smooth_chamfer",
    *,
    ks: Sequence[int] = _KS,
    normalized: bool = False,
) -> BothRecalls:
    """Recalls in float32, ties pessimistic.

    Args:
        x: (B, K, D) image sets.
        y: (C, L, D) caption sets.
        owner: (C,) the image of each caption.
        similarity: a name in `similarity.SIMILARITIES`.
        ks: the k.
        normalized: the rows have length 1 already.

    Returns:
        Fractions.
    """
    scores = score_matrix(x, y, similarity, normalized=normalized)
    images = Positives.of_owner(owner, len(x))
    captions = images.flipped(len(y))
    return {
        "i2t": _recalls(first_places(scores, images).ranks(), ks),
        "t2i": _recalls(first_places(scores.T, captions).ranks(), ks),
    }


@torch.no_grad()
def coarse_recalls(
    x: Tensor,
    y: Tensor,
    owner: Tensor,
    similarity: str = "smooth_chamfer",
    *,
    ks: Sequence[int] = _KS,
    normalized: bool = False,
) -> BothRecalls:
    """The same recalls at reduced precision; arguments as `exact_recalls`.

    Where nothing faster than float32 is at hand, `exact_recalls` is called.

    Raises:
        ValueError: no bound is known for the similarity.
    """
    if not has_coarse_scores(x.device):
        return exact_recalls(x, y, owner, similarity, ks=ks, normalized=normalized)
    coarse = coarse_score_matrix(x, y, similarity, normalized=normalized)
    score = partial(SIMILARITIES[similarity], normalized=normalized)

    def exact(image: Tensor, caption: Tensor) -> Tensor:
        return score_pairs(x, y, image, caption, score)

    images = Positives.of_owner(owner, len(x))
    captions = images.flipped(len(y))
    own = exact(images.queries, images.items)
    i2t = bounded_first_ranks(
        coarse.scores, coarse.x_error, coarse.y_error, images, exact, own=own, k=max(ks)
    )
    t2i = bounded_first_ranks(
        coarse.scores.T,
        coarse.y_error,
        coarse.x_error,
        captions,
        lambda caption, image: exact(image, caption),
        own=own[images.items.argsort()],  # the edges by caption, each of which has one
        k=max(ks),
    )
    return {"i2t": _recalls(i2t, ks), "t2i": _recalls(t2i, ks)}


def _recalls(ranks: Tensor, ks: Sequence[int]) -> dict[int, float]:
    known = ranks[~ranks.isnan()]
    return {k: (known <= k).double().mean().item() for k in ks}
