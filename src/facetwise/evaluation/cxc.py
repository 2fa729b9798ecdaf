"""Crisscrossed Captions: recalls in four directions, and rank correlation with people's scores.

METHODS 4.9 and 5; T-36 (image to text and text to image are those of the eccv-caption package) and
T-37 (a query never answers itself).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor

from facetwise.data.benchmarks.cxc import THRESHOLDS, Judged
from facetwise.data.benchmarks.eccv import GroundTruth
from facetwise.data.sampling import generator_of
from facetwise.errors import InputError
from facetwise.evaluation.answers import Matrix
from facetwise.evaluation.both_ways import BothWays, Recalls, joined_places
from facetwise.evaluation.scorers import Scorer
from facetwise.metrics import Ties
from facetwise.metrics.correlation import bootstrap_spearman
from facetwise.metrics.places import Places
from facetwise.metrics.positives import Positives, first_places

__all__ = ["co_captions", "correlation", "crisscrossed", "within"]

_TILE: Final = 512
_SALT: Final = -22


def crisscrossed(
    scores: Tensor,
    texts: Scorer,
    images: Scorer,
    image_ids: Sequence[str],
    caption_ids: Sequence[str],
    owner: Tensor,
    judged: Mapping[str, Judged],
    truth: GroundTruth | None = None,
    *,
    ties: Ties = "pessimistic",
    seed: int = 0,
    allow_partial: bool = False,
) -> dict[str, Any]:
    """All that CxC asks of a model.

    Args:
        scores: (B, C) of COCO's images and captions.
        texts: compares captions with captions.
        images: compares images with images.
        image_ids, caption_ids: COCO's own, of rows and columns.
        owner: (C,) the image of each caption.
        judged: ``sits``, ``sts`` and ``sis``, as many as are there; without them only what the
            truth gives, and captions asking for their co-captions, is measured.
        truth: ``cxc`` of the package eccv-caption, for image to text and back where there is no
            ``sits``; the two are the same on the test split.
        ties: who stands first among equals.
        seed: of the bootstrap.
        allow_partial: leave out pairs that are not among the ids.

    Returns:
        Recalls ``i2t``, ``t2i``, ``t2t``, ``i2i`` with their ``queries``, and ``correlation`` of
        each kind, JSON-able.

    Raises:
        InputError: a pair is not among the ids, or there is neither ``sits`` nor a truth.
    """
    sides = {
        "sits": (caption_ids, image_ids),
        "sts": (caption_ids, caption_ids),
        "sis": (image_ids, image_ids),
    }
    pairs: dict[str, Tensor] = {}
    people: dict[str, Tensor] = {}
    for kind, one in judged.items():
        pairs[kind], people[kind] = one.numbered(*sides[kind], allow_partial=allow_partial)

    def right(kind: str) -> Tensor:
        return pairs[kind][people[kind] >= THRESHOLDS[kind]]

    if "sits" in pairs:
        edges = right("sits").flip(1)
    elif truth is not None:
        edges, _ = truth.edges(image_ids, caption_ids, allow_partial=allow_partial)
    else:
        raise InputError("CxC needs sits_*.csv, or the package eccv-caption for the test split")
    both = BothWays.of(Matrix(scores), Positives.of(edges, len(image_ids)), ties)
    alike = co_captions(owner)
    if "sts" in pairs:
        alike = torch.cat([alike, right("sts")])
    found = {"i2t": both.i2t, "t2i": both.t2i, "t2t": within(texts, alike, ties=ties)}
    if "sis" in pairs:
        found["i2i"] = within(images, right("sis"), ties=ties)
    said = {
        "sits": lambda p: scores[p[:, 1], p[:, 0]],
        "sts": lambda p: texts.pairs(p[:, 0], p[:, 1]),
        "sis": lambda p: images.pairs(p[:, 0], p[:, 1]),
    }
    out: dict[str, Any] = {
        way: {**recalls.to_dict(), "queries": recalls.queries} for way, recalls in found.items()
    }
    if pairs:
        out["correlation"] = {
            kind: correlation(own[:, 0], people[kind], said[kind](own), seed=seed)
            for kind, own in pairs.items()
        }
    return out


def co_captions(owner: Tensor) -> Tensor:
    """(E, 2) every pair of different captions of one image, in one order; owner: (C,) int64.

    >>> co_captions(torch.tensor([0, 1, 0])).tolist()
    [[0, 2]]
    """
    order = owner.argsort(stable=True)
    own = owner[order]
    found: list[Tensor] = [torch.empty(0, 2, dtype=torch.long)]
    for shift in range(1, int(owner.bincount().amax()) if len(owner) else 0):
        same = (own[shift:] == own[:-shift]).nonzero().squeeze(1)
        found.append(torch.stack([order[same], order[same + shift]], 1))
    return torch.cat(found)


def within(
    scorer: Scorer, pairs: Tensor, *, ties: Ties = "pessimistic", tile: int = _TILE
) -> Recalls:
    """Captions asking for captions, or images for images; a query never answers itself (T-37).

    Args:
        scorer: of the N captions or images.
        pairs: (E, 2) item numbers that are right for each other, in either order or both: for
            captions their co-captions and STS of at least 3, for images SIS of at least 2.5.
        ties: who stands first among equals.
        tile: how many queries are scored at a time; N x N scores are never all there.

    Returns:
        Of the items that have something to find.

    Raises:
        InputError: no pair is given.

    >>> from facetwise.evaluation.scorers import cosine_scorer
    >>> vectors = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
    >>> found = within(cosine_scorer("cosine", vectors), torch.tensor([[0, 1]]))
    >>> found.r1, found.queries
    (100.0, 2)
    """
    pairs = torch.cat([pairs, pairs.flip(1)])
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    if len(pairs) == 0:
        raise InputError("no two items are right for each other: there is nothing to find")
    asking, query = pairs[:, 0].unique(return_inverse=True)
    positives = Positives.of(torch.stack([query, pairs[:, 1]], 1), len(asking))
    everything = torch.arange(len(scorer))
    parts: list[Places] = []
    for start in range(0, len(asking), tile):
        rows = asking[start : start + tile]
        itself = rows.unsqueeze(1) == everything
        scores = scorer.matrix(rows, everything).masked_fill(itself, -torch.inf)
        parts.append(first_places(scores, positives.block(range(start, start + len(rows)))))
    return Recalls.of(joined_places(parts), ties)


def correlation(
    queries: Tensor, people: Tensor, model: Tensor, *, seed: int = 0, samples: int = 1000
) -> dict[str, Any]:
    """Does a model order pairs as people do? Bootstrap Spearman, x 100 (Parekh et al. 2021).

    A thousand times half of the queries, for each of these one of its pairs; the mean and the
    standard deviation of the correlations.

    Args:
        queries: (P,) int64, the query of each pair: the csv's first column.
        people: (P,) their scores.
        model: (P,) its scores.
        seed: of the samples.
        samples: how many.
    """
    made = generator_of(seed, _SALT)
    found = bootstrap_spearman(model, people, queries, generator=made, resamples=samples)
    known = found.mean == found.mean  # NaN where the model says the same of everything
    return {
        "spearman": round(100 * found.mean, 2) if known else None,
        "std": round(100 * found.std, 2) if known else None,
        "pairs": len(queries),
    }
