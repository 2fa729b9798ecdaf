"""What goes on inside a system with conditions: relevance, explanations, and what weighing does."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor

from facetwise.evaluation.bench_attribute_worlds import World
from facetwise.evaluation.bench_questions import Tabled
from facetwise.evaluation.explained import explanation_precision, top_pairs
from facetwise.evaluation.image_image import group_labels, reranked, retrieval
from facetwise.evaluation.relevance_figures import random_pairs, relevance_figures
from facetwise.evaluation.retrieval import RERANKED
from facetwise.evaluation.scorers import Scorer
from facetwise.evaluation.steering import some_queries, steering_curves
from facetwise.models import PairModel

__all__ = ["inside_figures", "reranked_figures"]

_QUERIES: Final = 500
"""That are explained, and steered: enough for a percent."""

_NAMED: Final = 40
"""Conditions of which each one's relevance is kept; hundreds of them would be most of the JSON."""


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
    relevance = relevance_figures(pairs, h).to_dict()
    if len(pairs.conditions) > _NAMED:
        del relevance["weights"], relevance["spread"]
    out: dict[str, Any] = {"relevance": relevance}
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


@torch.no_grad()
def reranked_figures(world: World, own: Scorer, head: Scorer) -> dict[str, Any]:
    """Retrieval where the head's cosine chooses the first 100 and the system ranks these again, as
    papers report it: it hides what a system does with all the others (FIELDNOTES, PAN 6).

    Returns:
        ``reranked``, for JSON; nothing in a world of outfits.
    """
    if world.kind == "outfits":
        return {}
    labels = group_labels([world.collection.groups[row] for row in world.rows])
    found = retrieval(reranked(Tabled.of(own), Tabled.of(head), RERANKED), labels)
    return {} if found is None else {"reranked": {"first": RERANKED, **found.figures((1,))}}
