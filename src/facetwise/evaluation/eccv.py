"""ECCV Caption: how many of the many right answers come first (METHODS 4.8, 5; T-34 to T-38).

COCO counts five captions right for an image, people found 18. Mind that the candidates they were
shown came from VSRN, PVSE, PCME, ViLT and CLIP ViT-B/32, whose figures are therefore favoured
(T-38), and that 1,261 images and 1,332 captions ask, not the other way round (T-34).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, cast

import torch

from facetwise.data.benchmarks.eccv import GroundTruth
from facetwise.errors import InputError
from facetwise.evaluation.answers import Answers, Way
from facetwise.evaluation.both_ways import KS
from facetwise.metrics import Ties
from facetwise.metrics.from_ranks import (
    first_ranks,
    map_at_r_from_ranks,
    r_precision_from_ranks,
    recall_from_ranks,
)
from facetwise.metrics.positives import Positives

__all__ = ["Many", "eccv_caption", "many_positives"]


@dataclass(frozen=True)
class Many:
    """How well the many positives of some queries are found; percent.

    Attributes:
        queries: how many have positives.
        positives: how many they have together.
        map_at_r: mAP@R.
        r_precision: R-Precision.
        recalls: R@1, 5, 10: any positive among the first.
    """

    queries: int
    positives: int
    map_at_r: float
    r_precision: float
    recalls: tuple[float, float, float]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "map_at_r": round(self.map_at_r, 2),
            "r_precision": round(self.r_precision, 2),
            **{f"R@{k}": round(value, 2) for k, value in zip(KS, self.recalls, strict=True)},
            "queries": self.queries,
            "positives": self.positives,
        }


def many_positives(
    answers: Answers, way: Way, positives: Positives, *, ties: Ties = "pessimistic"
) -> Many:
    """Measure one way; queries without positives do not count.

    Args:
        answers: a matrix, or rankings.
        way: who asks.
        positives: what is right for each image (or text). Items beyond those that are ranked are
            never found, but count: ECCV Caption has two captions that no protocol scores.
        ties: who stands first among equals.

    Raises:
        InputError: nothing is asked, ties is ``mean``, or a ranking is too short.
    """
    if len(positives.items) == 0:
        raise InputError(f"{way}: no query has a right answer among these images and captions")
    ranks = torch.full((len(positives.items),), torch.inf, dtype=torch.float64)
    there = positives.items < (answers.texts if way == "i2t" else answers.images)
    edges = torch.stack([positives.queries, positives.items], 1)[there]
    ranks[there] = answers.every(way, Positives.of(edges, len(positives)), ties=ties)
    first = first_ranks(ranks, positives)
    at = recall_from_ranks(first, KS)
    return Many(
        queries=int((positives.counts > 0).sum()),
        positives=len(positives.items),
        map_at_r=100 * map_at_r_from_ranks(ranks, positives),
        r_precision=100 * r_precision_from_ranks(ranks, positives),
        recalls=(100 * at[1], 100 * at[5], 100 * at[10]),
    )


def eccv_caption(
    answers: Answers,
    truth: GroundTruth,
    image_ids: Sequence[str],
    caption_ids: Sequence[str],
    *,
    ties: Ties = "pessimistic",
    allow_partial: bool = False,
) -> dict[str, Any]:
    """Figures with a ground truth of many positives, both ways, and their means.

    Args:
        answers: of COCO's 5,000 test images and 25,000 captions, in any order.
        truth: ``eccv``; or ``cxc`` for CxC's image to text and text to image.
        image_ids: (B) COCO image ids of the rows.
        caption_ids: (C) COCO caption (annotation) ids of the columns.
        ties: who stands first among equals.
        allow_partial: leave out pairs that are not among the ids, and say so in ``problems``.

    Returns:
        ``{"i2t": {"map_at_r", "r_precision", "R@1", ...}, "t2i": {...}, "mean": {...}}``,
        JSON-able.

    Raises:
        InputError: a pair is not among the ids, ties is ``mean``, or a ranking is too short.
    """
    notes = [str(problem) for problem in truth.problems]
    edges = truth.edges(image_ids, caption_ids, allow_partial=allow_partial)
    found: dict[str, dict[str, Any]] = {}
    for way, pairs, right, queries in (
        ("i2t", edges[0], truth.captions_of, len(image_ids)),
        ("t2i", edges[1], truth.images_of, len(caption_ids)),
    ):
        published = sum(map(len, right.values()))
        if len(pairs) < published:
            notes.append(f"{way}: {len(pairs):,} of {published:,} right answers are there")
        found[way] = many_positives(
            answers, cast(Way, way), Positives.of(pairs, queries), ties=ties
        ).to_dict()
    mean = {
        name: round(fmean(one[name] for one in found.values()), 2)
        for name in ("map_at_r", "r_precision", "R@1")
    }
    out: dict[str, Any] = {**found, "mean": mean}
    if notes:
        out["problems"] = notes
    return out
