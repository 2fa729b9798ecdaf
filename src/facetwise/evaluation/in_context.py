"""Items among those that a protocol says they belong with, for models that look at neighbours.

The shots of a few-shot class are known to be of one class, and the given items of an outfit to go
together; a graph encoder may use that (METHODS 1.5, 1.6). The same item then has another embedding
in each episode and each question. It is put beside the items as one more, with a number of its own,
and everything is asked with these numbers. Other models are asked as ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor

from facetwise.data.benchmarks.outfit_sets import Blanks, Compatibility, ItemSets, Questions
from facetwise.evaluation.episodes import Episodes
from facetwise.evaluation.graph_context import Context, Graph, blank_context, outfit_context
from facetwise.evaluation.outfit_scores import OutfitScores, score_questions
from facetwise.evaluation.scorers import Embedded, Scorer

__all__ = ["Graphs", "beside", "episodes_in_context", "questions_in_context", "score_in_context"]

_ITEMS: Final = 8192
"""Items that are embedded at a time, but for a graph that is larger."""


@dataclass(frozen=True)
class Graphs:
    """Many small graphs of items; an item may be in several.

    Attributes:
        items: (I,) item numbers.
        graph: (I,) the graph that each is in, ascending.
        edges: (E, 2) places in `items`, both of one graph.
    """

    items: Tensor
    graph: Tensor
    edges: Tensor

    def parts(self, most: int) -> list[tuple[Tensor, Tensor]]:
        """Items and edges of some whole graphs at a time, about `most` items of them."""
        count = len(self.items)
        starts = torch.ones(count, dtype=torch.bool)
        starts[1:] = self.graph[1:] != self.graph[:-1]
        starts = starts.nonzero().squeeze(1)
        wanted = torch.arange(0, count, most)
        cuts = starts[torch.searchsorted(starts, wanted, right=True) - 1].unique().tolist()
        edges = self.edges[self.edges[:, 0].argsort(stable=True)]
        ends = torch.searchsorted(edges[:, 0].contiguous(), torch.tensor([*cuts, count])).tolist()
        return [
            (self.items[a:b], edges[e:f] - a)
            for (a, b), (e, f) in zip(pairwise([*cuts, count]), pairwise(ends), strict=True)
        ]


def beside(scorer: Scorer, graphs: Graphs) -> Scorer:
    """The same with more items: those of the graphs, embedded there, as N to N + I - 1.

    Parts that do not look around have them as they are.
    """

    def more(part: Embedded) -> Tensor:
        if part.among is None or not len(graphs.items):
            return part.h[graphs.items]
        return torch.cat([part.among(items, edges) for items, edges in graphs.parts(_ITEMS)])

    return replace(
        scorer, parts=tuple(replace(one, h=torch.cat([one.h, more(one)])) for one in scorer.parts)
    )


def episodes_in_context(scorer: Scorer, episodes: Episodes) -> tuple[Scorer, Episodes]:
    """Few-shot: all shots of a class are linked, queries are by themselves (METHODS 1.5).

    With one shot, or for a scorer that does not look around, nothing changes.
    """
    E, W, S = episodes.support.shape
    if S < 2 or not scorer.looks_around:
        return scorer, episodes
    classes = torch.arange(E * W)
    within = torch.triu_indices(S, S, 1).T
    edges = (within + S * classes[:, None, None]).flatten(0, 1)
    graphs = Graphs(episodes.support.flatten(), classes.repeat_interleave(S), edges)
    numbers = len(scorer) + torch.arange(E * W * S)
    return beside(scorer, graphs), replace(episodes, support=numbers.view(E, W, S))


def score_in_context(
    scorer: Scorer, questions: Questions, graph: Graph | None = None, k: int = 0
) -> OutfitScores:
    """`score_questions` where a scorer that looks around sees the graph of each question."""
    return score_questions(*questions_in_context(scorer, questions, graph, k))


def questions_in_context(
    scorer: Scorer, questions: Questions, graph: Graph | None = None, k: int = 0
) -> tuple[Scorer, Questions]:
    """Outfits: the given items of a blank are linked, and K context edges of each item are there.

    Args:
        scorer: of the items.
        questions: over their numbers.
        graph: of the outfits that context edges are from; None for K = 0.
        k: K (METHODS 1.6). From 1 on how many edges an item has tells the answer (T-2).

    Returns:
        What to score, and the questions by its numbers; for a scorer that does not look around as
        they were.
    """
    if not scorer.looks_around:
        return scorer, questions
    graph = graph or Graph([])
    blanks, asked = questions.blanks, questions.compatibility
    # Equal sets have one graph and so the very same scores (METHODS T-1).
    sets, which = _distinct(asked.outfits.tolist())
    distinct = Compatibility(
        ItemSets.of(sets), torch.zeros(len(sets), dtype=torch.bool), torch.arange(len(sets))
    )
    own = [blank_context(blanks, graph, k), outfit_context(distinct, graph, k)]
    graphs, code = _graphs(own, [0, len(blanks)], len(scorer))
    number = _Numbers(code, len(scorer))
    rows = torch.arange(len(blanks))
    given, outfits = blanks.given, asked.outfits
    return beside(scorer, graphs), Questions(
        Blanks(
            replace(given, items=number(given.owner, given.items)),
            torch.where(
                blanks.candidates < 0,
                -1,
                number(rows[:, None], blanks.candidates.clamp_min(0)),
            ),
            blanks.answers,
            blanks.position,
        ),
        replace(
            asked,
            outfits=replace(
                outfits, items=number(len(blanks) + which[outfits.owner], outfits.items)
            ),
        ),
        questions.left_out,
    )


@dataclass(frozen=True)
class _Numbers:
    """The number of an item in a graph, or its own where it has no edges there."""

    code: Tensor
    n: int

    def __call__(self, graph: Tensor, item: Tensor) -> Tensor:
        asked = graph * self.n + item
        if not len(self.code):
            return item
        place = torch.searchsorted(self.code, asked).clamp_max(len(self.code) - 1)
        return torch.where(self.code[place] == asked, self.n + place, item)


def _graphs(contexts: Sequence[Context], first: Sequence[int], n: int) -> tuple[Graphs, Tensor]:
    """The graphs of several lists of questions, whose numbers start at `first`, over N items.

    And (I,) the codes, graph * N + item, of the items in them, ascending.
    """
    question = torch.cat([one.question + start for one, start in zip(contexts, first, strict=True)])
    ends = [question * n + torch.cat([getattr(one, end) for one in contexts]) for end in ("a", "b")]
    code, place = torch.stack(ends, 1).unique(return_inverse=True)
    return Graphs(code % n, code // n, place), code


def _distinct(outfits: Sequence[Sequence[int]]) -> tuple[list[list[int]], Tensor]:
    """The distinct sets, and which of them each is."""
    found: dict[frozenset[int], int] = {}
    which = [found.setdefault(frozenset(own), len(found)) for own in outfits]
    return [sorted(own) for own in found], torch.tensor(which, dtype=torch.long)
