"""Retrieval of pictures by a run, its controls and a rival, on own groups or on a benchmark's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from torch import Tensor

from facetwise.errors import InputError
from facetwise.evaluation.grouped import own_groups
from facetwise.evaluation.image_image import Retrieval, Score, reranked, retrieval
from facetwise.evaluation.request import Request
from facetwise.evaluation.scorers import Scorer
from facetwise.metrics import Ties, mean_interval
from facetwise.metrics.clustering import nmi

__all__ = ["RERANKED", "paired", "retrieval_figures", "run"]

RERANKED: Final = 100
"""How many answers are ranked again by default (METHODS 1.7)."""


def paired(a: Retrieval, b: Retrieval) -> dict[str, float]:
    """`a` minus `b` over the same queries, percent with 95% intervals over queries; for JSON.

    Raises:
        ValueError: they did not ask the same number of queries.
    """
    if a.queries != b.queries:
        raise ValueError(f"a pair needs the same queries, not {a.queries} and {b.queries}")
    hits = mean_interval(100 * (a.places.hits(1, a.ties) - b.places.hits(1, b.ties)))
    precision = mean_interval(100 * (a.precisions - b.precisions))
    return {
        "R@1_difference": round(hits.mean, 2),
        "R@1_ci95": round(hits.ci95, 2),
        "map_at_r_difference": round(precision.mean, 2),
        "map_at_r_ci95": round(precision.ci95, 2),
    }


def retrieval_figures(
    scorers: Sequence[Scorer],
    rival: Scorer | None,
    labels: Tensor,
    queries: Tensor | None = None,
    gallery: Tensor | None = None,
    *,
    ks: Sequence[int],
    ties: Ties = "pessimistic",
    clusters: bool = False,
    first: int = 0,
    seed: int = 0,
) -> dict[str, Any]:
    """Recalls and mAP@R in percent; controls and a rival on the same queries with the difference.

    Args:
        scorers: the run's own and its controls.
        rival: another run's.
        labels: (N,) groups of the items, -1 for those without.
        queries: item numbers; all by default.
        gallery: item numbers; all by default.
        ks: of the recalls.
        ties: as in `ranks`; not ``mean``.
        clusters: also NMI of k-means in the embeddings (METHODS 3.10), in percent.
        first: above 0 also the ranking in which the first control chooses so many answers and the
            run ranks these again (`reranked`).
        seed: of k-means.

    Raises:
        InputError: no query has anything to find.
    """

    def measured(score: Score) -> Retrieval:
        found = retrieval(score, labels, queries, gallery, ties=ties)
        if found is None:
            raise InputError("no picture has another one of its group to find")
        return found

    def described(scorer: Scorer, found: Retrieval) -> dict[str, Any]:
        figures = found.figures(ks)
        if clusters:
            some = labels >= 0
            figures["nmi"] = round(100 * nmi(scorer.h[some], labels[some], seed=seed), 2)
        return figures

    own = measured(scorers[0].matrix)
    figures = described(scorers[0], own)
    if first:
        again = measured(reranked(scorers[0], scorers[1], first))
        figures["reranked"] = {"first": first, "by": scorers[1].name, **again.figures(ks)}
    figures["control"] = {}
    for scorer in scorers[1:]:
        found = measured(scorer.matrix)
        figures["control"][scorer.name] = {**described(scorer, found), **paired(own, found)}
    if rival is not None:
        found = measured(rival.matrix)
        figures["against"] = {**described(rival, found), **paired(own, found)}
    return figures


def run(request: Request) -> dict[str, Any]:
    """A collection's own groups, by default of pictures not seen in training.

    Raises:
        InputError: no groups, or nothing to find.
    """
    own = own_groups(request, "retrieval")
    figures = retrieval_figures(
        request.scorers(own.collection, own.rows),
        request.rival_scorer(own.collection, own.rows),
        own.labels,
        ks=(1, 5, 10),
        ties=request.ties,
        first=RERANKED,
        seed=request.seed,
    )
    return {"images": len(own.rows), **figures, **own.remarks()}
