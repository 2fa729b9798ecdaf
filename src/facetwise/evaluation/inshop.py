"""In-Shop Clothes Retrieval: queries rank a gallery of the same garments (METHODS 1.7).

R@k is the share of queries with a photo of the same garment among the first k. Ranked is the whole
gallery; beside it stands the ranking that a large gallery affords, in which the run only puts the
first `RERANKED` answers of the plain cosine in order.
"""

from __future__ import annotations

from typing import Any, Final

import torch

from facetwise.data.benchmarks import inshop
from facetwise.evaluation.grouped import benchmark_groups
from facetwise.evaluation.request import Request
from facetwise.evaluation.retrieval import RERANKED, retrieval_figures

__all__ = ["KS", "run"]

KS: Final = (1, 10, 20, 30, 40, 50)


def run(request: Request) -> dict[str, Any]:
    """Query to gallery.

    Raises:
        InputError: the data are not what they should be.
    """
    folder = request.folder("inshop")
    source = inshop.read(folder, "test", allow_partial=request.allow_partial)
    photos = benchmark_groups(request, source, "inshop")
    column = photos.collection.table(["status"])["status"].to_pylist()
    rows = {
        status: torch.tensor([row for row, one in enumerate(column) if one == status]).long()
        for status in ("query", "gallery")
    }
    figures = retrieval_figures(
        request.scorers(photos.collection),
        request.rival_scorer(photos.collection),
        photos.labels,
        rows["query"],
        rows["gallery"],
        ks=KS,
        ties=request.ties,
        first=RERANKED,
    )
    return {"garments": len(photos.labels.unique()), **figures, **photos.remarks()}
