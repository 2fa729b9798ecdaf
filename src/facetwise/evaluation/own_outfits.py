"""Questions about the outfits of a Collection: FITB and compatibility with same-type negatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor

from facetwise.data import Collection
from facetwise.data.benchmarks.outfit_questions import Questions, generate_questions
from facetwise.data.outfit_types import CANDIDATES
from facetwise.data.sampling import generator_of
from facetwise.errors import InputError
from facetwise.evaluation.graph_context import Graph
from facetwise.evaluation.in_context import score_in_context
from facetwise.evaluation.outfit_scores import outfit_figures, paired_figures
from facetwise.evaluation.request import Request
from facetwise.evaluation.scorers import Scorer, cosine_scorer

__all__ = [
    "CANDIDATES",
    "centred_scorer",
    "outfit_report",
    "outfit_reports",
    "questions_of",
    "rows_with_outfits",
]

_SALT: Final = 0x0F17


def rows_with_outfits(collection: Collection, split: str | None = None) -> list[int]:
    """The rows that are in an outfit, and in the split where one is named.

    Raises:
        InputError: there are none.
    """
    rows = [
        row
        for row, (outfits, part) in enumerate(
            zip(collection.outfits, collection.splits, strict=True)
        )
        if outfits and split in (None, "all", part)
    ]
    if not rows:
        where = "" if split in (None, "all") else f" of the split {split}"
        raise InputError(f"{collection.path} has no items with outfits{where}; import some")
    return rows


def questions_of(
    collection: Collection,
    rows: Sequence[int],
    types: Sequence[str | None] | None,
    *,
    seed: int,
    candidates: int = CANDIDATES,
) -> Questions:
    """One question of each kind of every outfit among `rows`; items count by their place there.

    Items with the very same picture count as the first of them: no model can tell them apart, so
    none of them is a wrong answer where another is the right one.

    Args:
        collection: with outfits.
        rows: the items that take part.
        types: of the items in `rows`; negatives have the type of what they replace.
        seed: of the draws.
        candidates: of a blank, the right one included.
    """
    members: dict[str, list[int]] = {}
    outfits, hashes = collection.outfits, collection.image_hashes
    first: dict[str, int] = {}
    for place, row in enumerate(rows):
        for name in outfits[row]:
            members.setdefault(name, []).append(first.setdefault(hashes[row], place))
    return generate_questions(
        [members[name] for name in sorted(members)],
        types,
        generator=generator_of(seed, _SALT),
        candidates=candidates,
    )


def outfit_report(
    request: Request,
    collection: Collection,
    rows: Sequence[int],
    types: Sequence[str | None] | None,
) -> dict[str, Any]:
    """Measure a request's runs on one question of each kind of every outfit of a collection.

    Args:
        request: runs, seed, ties, rival.
        collection: with outfits.
        rows: the items that take part.
        types: what each of `rows` is; None where that is not known.

    Returns:
        As `outfit_reports` of a single task.

    Raises:
        InputError: the request has context edges, which are polyvore's.
    """
    if request.context:
        raise InputError(
            "--context is for polyvore: here no item has edges that the question does not ask for"
        )
    questions = questions_of(collection, rows, types, seed=request.seed)
    return outfit_reports(request, collection, rows, types, {"": questions})[""]


def outfit_reports(
    request: Request,
    collection: Collection,
    rows: Sequence[int],
    types: Sequence[str | None] | None,
    tasks: Mapping[str, Questions],
    graph: Graph | None = None,
) -> dict[str, dict[str, Any]]:
    """Measure a request's runs on several tasks; the pictures are embedded once.

    Runs that look around see the given items of a blank as linked: K = 0 (METHODS 1.6).

    Args:
        request: as in `outfit_report`; so are `collection`, `rows` and `types`.
        collection: with the pictures.
        rows: the items that take part.
        types: of the items.
        tasks: questions by name, over places in `rows`.
        graph: of the outfits over places in `rows`, for a request with context edges.

    Returns:
        For each task ``fitb``, ``auc``, ``questions``, ``chance`` and the rest of `outfit_figures`;
        ``items``; ``seen``, items whose very picture a run was trained on; ``control``, the same of
        what the run should beat: its head under the cosine, frozen features, and these with the
        mean of each type taken away; ``against``, the paired difference where there is a rival;
        and ``in_context``, ``fitb`` and ``auc`` with the request's K context edges, where the run
        looks around.

    Raises:
        InputError: the request is to keep scores of images with texts, which there are none of.
    """
    if request.save_scores is not None:
        raise InputError("--save-scores keeps scores of images with texts; outfits have none")
    scorers = request.scorers(collection, rows)
    rival = request.rival_scorer(collection, rows)
    controls = scorers[1:]
    if types is not None:
        controls = (*controls, centred_scorer(scorers[-1], types))
    hashes = collection.image_hashes
    trained = frozenset[str]().union(*(model.trained_on for model in request.models))
    about = {"items": len(rows), "seen": sum(hashes[row] in trained for row in rows)}
    return {
        name: about | _task_report(request, scorers[0], controls, rival, questions, graph)
        for name, questions in tasks.items()
    }


def _task_report(
    request: Request,
    scorer: Scorer,
    controls: Sequence[Scorer],
    rival: Scorer | None,
    questions: Questions,
    graph: Graph | None,
) -> dict[str, Any]:
    scores = score_in_context(scorer, questions)
    figures = _rounded(outfit_figures(scores, questions, ties=request.ties))
    if questions.left_out:
        figures["problems"] = [f"{questions.left_out} outfits gave no question: too few of a type"]
    figures["control"] = {
        control.name: {
            key: value
            for key, value in _rounded(
                outfit_figures(score_in_context(control, questions), questions, ties=request.ties)
            ).items()
            if key in ("fitb", "auc")
        }
        for control in controls
    }
    if request.context and graph is not None and scorer.looks_around:
        within = score_in_context(scorer, questions, graph, request.context)
        found = _rounded(outfit_figures(within, questions, ties=request.ties))
        figures["in_context"] = {
            f"K={request.context}": {key: found[key] for key in ("fitb", "auc")}
        }
    if rival is not None:
        other = score_in_context(rival, questions)
        found = paired_figures(scores, other, questions, ties=request.ties)
        figures["against"] = {name: _rounded(one) for name, one in found.items()}
    return figures


def centred_scorer(scorer: Scorer, types: Sequence[str | None]) -> Scorer:
    """The cosine of what is left of the embeddings when each type's mean is taken away.

    Two shoes are alike because they are shoes; what they have beyond that may say whether they go
    with a dress (FIELDNOTES, PAN 8). The means are those of the items measured: they hold types
    only, no outfits.

    >>> h = torch.tensor([[1.0, 0.1], [1.0, -0.1], [0.1, 1.0], [-0.1, 1.0]])
    >>> centred = centred_scorer(cosine_scorer("frozen", h), ["a", "a", "b", "b"])
    >>> centred.name, centred.h.round(decimals=2)[0].tolist()
    ('frozen, type-centred', [0.0, 1.0])
    """
    names = {name: index for index, name in enumerate(dict.fromkeys(types))}
    label = torch.tensor([names[name] for name in types], dtype=torch.long)
    h = scorer.h
    count = torch.bincount(label, minlength=len(names)).clamp(min=1)
    means: Tensor = torch.zeros(len(names), h.shape[1]).index_add_(0, label, h) / count[:, None]
    return cosine_scorer(f"{scorer.name}, type-centred", h - means[label])


def _rounded(figures: dict[str, Any]) -> dict[str, Any]:
    return {
        name: round(value, 4 if "auc" in name else 2) if isinstance(value, float) else value
        for name, value in figures.items()
    }
