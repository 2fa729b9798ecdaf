"""CUB-200-2011: few-shot episodes (METHODS 1.5) and metric-learning retrieval (METHODS 3.10).

Both take any of the named splits (METHODS T-46); few-shot figures of the field are of ``novel``,
those of metric learning of ``test``.
"""

from __future__ import annotations

from typing import Any, Final

from facetwise.data.benchmarks import cub
from facetwise.evaluation.few_shot import few_shot_figures
from facetwise.evaluation.grouped import Grouped, benchmark_groups
from facetwise.evaluation.request import Request
from facetwise.evaluation.retrieval import RERANKED, retrieval_figures

__all__ = ["KS", "few_shot", "retrieval_run"]

KS: Final = (1, 2, 4, 8)


def few_shot(request: Request) -> dict[str, Any]:
    """N-way K-shot on the classes of a split, by default ``val``.

    Raises:
        InputError: the data are not what they should be.
    """
    birds = _birds(request, "val", "cub-fewshot")
    scorers = request.scorers(birds.collection)
    rival = request.rival_scorer(birds.collection)
    return {**few_shot_figures(request, scorers, rival, birds.labels), **birds.remarks()}


def retrieval_run(request: Request) -> dict[str, Any]:
    """Every photo of a split, by default ``test``, asks for the others of its class.

    Where a run has conditions, its full ranking stands beside the one that a large gallery affords:
    the cosine of its head chooses, and p ranks again (METHODS 1.7).

    Raises:
        InputError: the data are not what they should be.
    """
    birds = _birds(request, "test", "cub-retrieval")
    figures = retrieval_figures(
        request.scorers(birds.collection),
        request.rival_scorer(birds.collection),
        birds.labels,
        ks=KS,
        ties=request.ties,
        clusters=True,
        first=RERANKED if any(len(model.conditions) > 1 for model in request.models) else 0,
        seed=request.seed,
    )
    return {"classes": len(birds.labels.unique()), **figures, **birds.remarks()}


def _birds(request: Request, split: str, name: str) -> Grouped:
    folder = request.folder(name)
    source = cub.read(
        folder, request.split or split, attributes=False, allow_partial=request.allow_partial
    )
    return benchmark_groups(request, source, name)
