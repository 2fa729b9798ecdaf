"""Polyvore Outfits: the released questions, as they are and cleaned, and questions of our own.

Figures are those of K = 0, the honest protocol: a run that compares two pictures sees no context,
and one with a graph encoder only that the given items of a blank go together. ``--context K`` adds
what such a run gets with K context edges of each item, as its paper has it, and always beside it
what `degree_only` gets out of them without a look at any picture (METHODS T-2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import torch
from torch import Tensor

from facetwise.data import Collection
from facetwise.data.benchmarks import need_file, polyvore
from facetwise.data.benchmarks.outfit_questions import Mode, generate_questions
from facetwise.data.benchmarks.outfit_sets import Compatibility, Questions, cleaned
from facetwise.data.sampling import generator_of
from facetwise.evaluation.graph_context import Graph, degree_only
from facetwise.evaluation.outfit_scores import OutfitScores, outfit_figures
from facetwise.evaluation.own_outfits import outfit_reports
from facetwise.evaluation.request import Request
from facetwise.metrics import compatibility_auc

__all__ = ["order_free_oracle", "polyvore_tasks", "run"]

_HEAD: Final = ("resampled", "original")
"""Whose figures stand at the top: PAN's questions where they are there."""
_CANDIDATES: Final = 10
_SALT: Final = 0x901
_LEAK: Final = (
    "in context is the papers' protocol, which tells how many other outfits an item is in, and so "
    "the answer: see degree only (METHODS T-2)"
)


def run(request: Request) -> dict[str, Any]:
    """Fill in the blank and compatibility over all question files of a split that are there.

    ``--data`` is the tree (``nondisjoint`` is taken, where it is there) or one of its two versions.
    With ``--allow-partial`` questions about items without a picture are left out, and without any
    picture the questions alone are reported: their ceilings, and what the degrees leak.

    Returns:
        ``fitb``, ``auc``, ``questions``, ``chance`` and more (see `outfit_reports`) of the
        resampled questions as released, or of the original ones where those are missing; ``task``
        says which, and ``tasks`` has all of them: ``resampled``, ``resampled, cleaned``,
        ``original``, ``original, cleaned``, and with the metadata ``ours, single`` and ``ours,
        released-like`` (negatives of the same fine category). Each has its ``ceiling`` (the AUC of
        an oracle blind to the order of the items) and ``degree_only``.

    Raises:
        InputError: question files or pictures are missing.
    """
    folder = request.folder("polyvore")
    source = polyvore.read(folder, request.split or "test", allow_partial=request.allow_partial)
    if not source.tasks:
        need_file(
            source.folder, f"fill_in_blank_{source.split}.json", what="questions about the outfits"
        )
    source.missing_pictures(allow_partial=request.allow_partial)
    problems = [str(problem) for problem in source.problems]
    tasks = polyvore_tasks(source, seed=request.seed)
    measured: dict[str, dict[str, Any]] = {}
    if source.pictured:
        collection = request.collection(source)
        problems += [str(problem) for problem in collection.skipped]
        measured = _measured(request, source, collection, tasks)
        if any("in_context" in figures for figures in measured.values()):
            problems.append(_LEAK)
    graph = Graph(source.outfits.values())
    found: dict[str, dict[str, Any]] = {
        name: measured.get(name, {})
        | {
            "ceiling": _ceiling(questions),
            "degree_only": {
                f"K={k}": _short(degree_only(questions, graph, k), questions)
                for k in sorted({0, 1, request.context})
            },
        }
        for name, questions in tasks.items()
    }
    head = next(name for name in _HEAD if name in found)
    return {
        **dict.fromkeys(("fitb", "auc")),
        "questions": len(tasks[head].blanks),
        "chance": round(100 * tasks[head].blanks.chance, 2),
        **found[head],
        "version": source.version,
        "task": head,
        "context": 0,
        "tasks": found,
        "problems": problems,
    }


def polyvore_tasks(source: polyvore.PolyvoreOutfits, *, seed: int = 0) -> dict[str, Questions]:
    """All questions of a split by name: as released, cleaned, and our own where types are known."""
    tasks: dict[str, Questions] = {}
    for name in sorted(source.tasks, key=_HEAD.index):
        tasks[name] = source.tasks[name]
        tasks[f"{name}, cleaned"] = cleaned(source.tasks[name])
    types = source.types()
    if types is not None:
        modes: tuple[Mode, ...] = ("single", "released-like")
        for mode in modes:
            tasks[f"ours, {mode}"] = generate_questions(
                source.outfits.values(),
                types,
                generator=generator_of(seed, _SALT),
                candidates=_CANDIDATES,
                mode=mode,
            )
    return tasks


def order_free_oracle(asked: Compatibility) -> Tensor:
    """The best that can be done without looking at the order: 1 for sets of true outfits, else 0.

    (S,) float. On PAN's files its AUC is .8682 (test) and .8376 (validation), because a quarter of
    the false outfits are true ones (METHODS T-1).

    >>> from facetwise.data.benchmarks.outfit_sets import ItemSets
    >>> sets = ItemSets.of([[0, 1], [1, 0], [1, 2]])
    >>> order_free_oracle(Compatibility(sets, torch.tensor([True, False, False]), torch.arange(3)))
    tensor([1., 1., 0.])
    """
    sets = [frozenset(items) for items in asked.outfits.tolist()]
    true = {items for items, label in zip(sets, asked.labels.tolist(), strict=True) if label}
    return torch.tensor([float(items in true) for items in sets])


def _measured(
    request: Request,
    source: polyvore.PolyvoreOutfits,
    collection: Collection,
    tasks: Mapping[str, Questions],
) -> dict[str, dict[str, Any]]:
    """Figures of each task over the questions whose items all have a picture."""
    row_of = {id: row for row, id in enumerate(collection.ids)}
    at = torch.tensor([row_of.get(id, -1) for id in source.ids])
    kept = {name: _renumbered(questions, at) for name, questions in tasks.items()}
    types, rows = source.types(), range(len(collection))
    if types is not None:
        own = dict(zip(source.ids, types, strict=True))
        types = [own[id] for id in collection.ids]
    asked = {name: questions for name, (questions, _) in kept.items()}
    there = ([int(at[item]) for item in own] for own in source.outfits.values())
    graph = Graph([row for row in own if row >= 0] for own in there)
    found = outfit_reports(request, collection, rows, types, asked, graph)
    return {name: {**figures, "left_out": kept[name][1]} for name, figures in found.items()}


def _renumbered(questions: Questions, at: Tensor) -> tuple[Questions, int]:
    """The questions in other item numbers, without those that name an item without one (-1)."""
    blanks, asked = questions.blanks, questions.compatibility
    given, outfits = blanks.given, asked.outfits
    lost = torch.zeros(len(blanks), dtype=torch.bool)
    lost[given.owner[at[given.items] < 0]] = True
    candidates = torch.where(blanks.candidates < 0, -1, at[blanks.candidates])
    lost |= ((candidates < 0) & (blanks.candidates >= 0)).any(1)
    false = torch.zeros(len(asked), dtype=torch.bool)
    false[outfits.owner[at[outfits.items] < 0]] = True
    # Kept first, renumbered after: what is left has a number.
    blanks, asked = replace(blanks, candidates=candidates).select(~lost), asked.select(~false)
    blanks = replace(blanks, given=replace(blanks.given, items=at[blanks.given.items]))
    asked = replace(asked, outfits=replace(asked.outfits, items=at[asked.outfits.items]))
    return Questions(blanks, asked, questions.left_out), int(lost.sum() + false.sum())


def _ceiling(questions: Questions) -> float | None:
    labels = questions.compatibility.labels
    if not bool(labels.any()) or bool(labels.all()):
        return None
    return round(compatibility_auc(order_free_oracle(questions.compatibility), labels), 4)


def _short(scores: OutfitScores, questions: Questions) -> Mapping[str, float | None]:
    """Of a control that gives many equal scores: ties by lot, so that nothing known is chance."""
    figures = outfit_figures(scores, questions, ties="mean")
    fitb, auc = figures["fitb"], figures["auc"]
    return {
        "fitb": None if fitb is None else round(fitb, 2),
        "auc": None if auc is None else round(auc, 4),
    }
