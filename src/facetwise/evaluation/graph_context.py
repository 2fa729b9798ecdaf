"""Context edges of outfit questions (PAN's and CGAE's protocol), and the control that they need.

With K >= 1 a question may look at K edges of each item's other outfits. But the edges inside the
outfit asked about are hidden, so that the right items stand alone while wrong ones keep theirs: how
many edges an item has tells the answer (METHODS T-2). K = 0 is the honest protocol; figures for
K >= 1 belong beside those of `degree_only`, which looks at no picture at all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from facetwise.data.benchmarks.outfit_sets import Blanks, Compatibility, Questions
from facetwise.evaluation.outfit_scores import OutfitScores

__all__ = ["Context", "Graph", "blank_context", "degree_only", "outfit_context"]


class Graph:
    """Items that share an outfit are neighbours.

    Args:
        outfits: item numbers of the split that the questions are of.

    >>> Graph([[0, 1, 2], [2, 3]]).neighbours(2)
    [0, 1, 3]
    """

    def __init__(self, outfits: Iterable[Sequence[int]]) -> None:
        near: dict[int, set[int]] = {}
        for outfit in outfits:
            for item in outfit:
                near.setdefault(item, set()).update(outfit)
        self._near = {item: sorted(others - {item}) for item, others in near.items()}

    def neighbours(self, item: int) -> list[int]:
        """In ascending order."""
        return self._near.get(item, [])

    def first_edges(
        self, start: int, k: int, given: Collection[int], hidden: Collection[int]
    ) -> list[tuple[int, int]]:
        """At most `k` edges, breadth first from `start`, none between `given` and `hidden` items.

        Each edge is met once, from the nearer end, neighbours in ascending order. An item of
        `hidden` may be reached over other edges.

        >>> Graph([[0, 1, 2], [2, 3], [3, 4]]).first_edges(2, 4, {2}, {0, 2})
        [(1, 2), (2, 3), (0, 1), (3, 4)]
        """
        found: dict[tuple[int, int], None] = {}
        met, waiting = {start}, deque([start])
        while waiting and len(found) < k:
            item = waiting.popleft()
            for other in self.neighbours(item):
                if (item in given and other in hidden) or (other in given and item in hidden):
                    continue
                found[min(item, other), max(item, other)] = None
                if other not in met:
                    met.add(other)
                    waiting.append(other)
                if len(found) == k:
                    break
        return list(found)


@dataclass(frozen=True)
class Context:
    """The graph of each question, as a list of all their edges.

    Attributes:
        question: (E,) the question that an edge belongs to, ascending.
        a: (E,) its end with the smaller item number.
        b: (E,) its other end.
    """

    question: Tensor
    a: Tensor
    b: Tensor

    @classmethod
    def of(cls, edges: Sequence[Iterable[tuple[int, int]]]) -> Context:
        """From the edges of each question; an edge that is named twice counts once."""
        rows = [
            (number, min(edge), max(edge))
            for number, own in enumerate(edges)
            for edge in sorted({(min(edge), max(edge)) for edge in own})
        ]
        table = torch.tensor(rows, dtype=torch.long).reshape(len(rows), 3)
        return cls(*table.unbind(1))

    def degrees(self, question: Tensor, item: Tensor) -> Tensor:
        """How many edges each item has in the graph of its question: (P,) and (P,) -> (P,)."""
        ends = torch.cat([self.a, self.b])
        if len(ends) == 0:
            return torch.zeros(len(item))
        span = int(torch.maximum(ends.max(), item.max())) + 1 if len(item) else 1
        code, count = torch.unique(
            torch.cat([self.question, self.question]) * span + ends, return_counts=True
        )
        asked = question * span + item
        place = torch.searchsorted(code, asked).clamp(max=len(code) - 1)
        return torch.where(code[place] == asked, count[place], 0).float()


def blank_context(blanks: Blanks, graph: Graph, k: int) -> Context:
    """The graphs of fill-in-the-blank questions (METHODS 1.6).

    All given items are linked to one another; from every candidate come up to `k` edges. Hidden
    are, in all of it, the edges among given items and between given items and candidates.
    """
    edges: list[list[tuple[int, int]]] = []
    # The search is over a few dozen neighbours of each candidate, no tensor would be faster.
    for shown, offered in zip(blanks.given.tolist(), blanks.candidates.tolist(), strict=True):
        candidates = {item for item in offered if item >= 0}
        given = set(shown)
        hidden = given | candidates
        own = [(a, b) for a in shown for b in shown if a < b]
        for item in sorted(candidates):
            own += graph.first_edges(item, k, given, hidden)
        edges.append(own)
    return Context.of(edges)


def outfit_context(asked: Compatibility, graph: Graph, k: int) -> Context:
    """The graphs of compatibility questions: up to `k` edges of each item, none inside the set."""
    edges: list[list[tuple[int, int]]] = []
    for items in asked.outfits.tolist():
        own = set(items)
        edges.append([e for item in sorted(own) for e in graph.first_edges(item, k, own, own)])
    return Context.of(edges)


def degree_only(questions: Questions, graph: Graph, k: int) -> OutfitScores:
    """The control: answer with the items that have the fewest context edges, blind to all else.

    Whatever this gets above chance is a leak of the protocol. At K = 0 it knows nothing.

    Returns:
        Minus the degree of each candidate, and minus the mean degree of each outfit's items.

    >>> from facetwise.data.benchmarks.outfit_sets import ItemSets
    >>> blank = Blanks(
    ...     ItemSets.of([[0]]), torch.tensor([[1, 2]]), torch.tensor([0]), torch.tensor([2])
    ... )
    >>> asked = Compatibility(
    ...     ItemSets.of([[0, 1], [0, 2]]), torch.tensor([True, False]), torch.tensor([0, 0])
    ... )
    >>> leak = degree_only(Questions(blank, asked), Graph([[0, 1], [2, 3]]), 1)
    >>> leak.blanks.tolist(), leak.outfits.tolist()
    ([[-0.0, -1.0]], [-0.0, -1.0])
    """
    blanks, asked = questions.blanks, questions.compatibility
    if k < 0:
        raise ValueError(f"K must not be negative, is {k}")
    of_blanks = blank_context(blanks, graph, k)
    number = torch.arange(len(blanks))[:, None].expand_as(blanks.candidates)
    there = blanks.candidates >= 0
    scores = torch.full(blanks.candidates.shape, -torch.inf, dtype=torch.double)
    scores[there] = -of_blanks.degrees(number[there], blanks.candidates[there]).double()
    owner = asked.outfits.owner
    degree = outfit_context(asked, graph, k).degrees(owner, asked.outfits.items).double()
    total = torch.zeros(len(asked), dtype=torch.double).index_add_(0, owner, degree)
    return OutfitScores(scores, -total / asked.outfits.sizes.clamp(min=1), 0)
