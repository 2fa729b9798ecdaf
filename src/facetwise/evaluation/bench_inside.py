"""What goes on inside a system with conditions: relevance, explanations, and what weighing does."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor

from facetwise.evaluation.bench_attribute_worlds import World
from facetwise.evaluation.explained import explanation_precision, top_pairs
from facetwise.evaluation.image_image import group_labels
from facetwise.evaluation.relevance_figures import random_pairs, relevance_figures
from facetwise.evaluation.steering import some_queries, steering_curves
from facetwise.models import PairModel

__all__ = ["inside_figures"]

_QUERIES: Final = 500
"""That are explained, and steered: enough for a percent."""


@torch.no_grad()
def inside_figures(world: World, pairs: PairModel, h: Tensor) -> dict[str, Any]:
    """Of the reported pictures, for JSON.

    Args:
        world: the data.
        pairs: trained, with several conditions.
        h: (N, d) of the reported pictures.

    Returns:
        ``relevance``; ``explained``: over random pairs, and over each query's first answers;
        ``steering``: a curve for each attribute group, where the world is one of things that have a
        value in each (fashion).
    """
    rows = torch.tensor(world.rows)
    attributes = world.collection.attributes.rows(rows)
    out: dict[str, Any] = {"relevance": relevance_figures(pairs, h).to_dict()}
    queries = some_queries(len(h), _QUERIES)
    explained = {
        name: explanation_precision(pairs, h, attributes, i, j)
        for name, (i, j) in (
            ("random pairs", random_pairs(len(h))),
            ("first answers", top_pairs(pairs, h, queries)),
        )
    }
    out["explained"] = {name: one.to_dict() for name, one in explained.items() if one is not None}
    if world.kind == "fashion":
        labels = group_labels([world.collection.groups[row] for row in world.rows])
        curves = steering_curves(pairs, h, attributes, labels, queries=queries)
        out["steering"] = {curve.group: curve.to_dict() for curve in curves}
    return out
