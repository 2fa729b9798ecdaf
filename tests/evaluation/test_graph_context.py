from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facetwise.data.benchmarks.outfit_questions import generate_questions
from facetwise.data.benchmarks.outfit_sets import Blanks, Compatibility, ItemSets, Questions
from facetwise.evaluation.graph_context import (
    Context,
    Graph,
    blank_context,
    degree_only,
    outfit_context,
)
from facetwise.evaluation.outfit_scores import outfit_figures

OUTFITS = [[3 * n, 3 * n + 1, 3 * n + 2] for n in range(30)]


def questions(outfits=OUTFITS) -> Questions:
    g = torch.Generator().manual_seed(0)
    return generate_questions(outfits, generator=g, candidates=5)


def edges(context: Context) -> list[tuple[int, int, int]]:
    rows = zip(context.question.tolist(), context.a.tolist(), context.b.tolist(), strict=True)
    return list(rows)


def blank(given_items, candidates):
    return Blanks(
        ItemSets.of([given_items]),
        torch.tensor([candidates]),
        torch.tensor([0]),
        torch.tensor([1]),
    )


def test_given_items_are_linked_and_candidates_keep_their_other_edges():
    graph = Graph([[0, 1, 2], [2, 3], [4, 5, 6], [4, 0]])
    asked = blank([0, 1], [2, 4, -1])
    assert edges(blank_context(asked, graph, 0)) == [(0, 0, 1)]
    # 2 has an edge of another outfit; 4 is next to the given 0, which is hidden.
    assert edges(blank_context(asked, graph, 1)) == [(0, 0, 1), (0, 2, 3), (0, 4, 5)]
    assert (0, 0, 4) not in edges(blank_context(asked, graph, 9))
    assert (0, 5, 6) in edges(blank_context(asked, graph, 9))


def test_outfits_start_empty_and_hide_their_own_edges():
    graph = Graph([[0, 1, 2], [2, 3], [3, 4]])
    asked = Compatibility(ItemSets.of([[0, 1, 2]]), torch.tensor([True]), torch.tensor([0]))
    assert edges(outfit_context(asked, graph, 0)) == []
    assert edges(outfit_context(asked, graph, 1)) == [(0, 2, 3)]
    assert edges(outfit_context(asked, graph, 2)) == [(0, 2, 3), (0, 3, 4)]


def test_an_edge_counts_once_and_at_both_ends():
    context = Context.of([[(1, 0), (0, 1), (1, 2)], [], [(5, 1)]])
    assert edges(context) == [(0, 0, 1), (0, 1, 2), (2, 1, 5)]
    question = torch.tensor([0, 0, 0, 0, 1, 2, 2, 2])
    item = torch.tensor([0, 1, 2, 9, 1, 1, 5, 0])
    assert context.degrees(question, item).tolist() == [1, 2, 1, 0, 0, 1, 1, 0]
    assert Context.of([]).degrees(question, item).tolist() == [0] * 8


@given(
    st.lists(st.lists(st.integers(0, 15), min_size=1, max_size=5), max_size=12), st.integers(0, 6)
)
def test_never_more_than_k_edges_and_never_a_hidden_one(outfits, k):
    graph = Graph(outfits)
    given_items, hidden = {0, 1}, {0, 1, 2, 3}
    for start in range(16):
        found = graph.first_edges(start, k, given_items, hidden)
        assert len(found) == len(set(found)) <= k
        for a, b in found:
            assert any(a in outfit and b in outfit for outfit in outfits)
            assert not (a in given_items and b in hidden) and not (a in hidden and b in given_items)
        if any(start in o and len(set(o)) > 1 for o in outfits) and start > 3 and k:
            assert found and start in found[0]


def test_degrees_know_the_answer_from_one_edge_on():
    asked = questions()
    graph = Graph(OUTFITS)
    nothing = outfit_figures(degree_only(asked, graph, 0), asked, ties="mean")
    assert (nothing["fitb"], nothing["auc"]) == (pytest.approx(20), 0.5)
    assert outfit_figures(degree_only(asked, graph, 0), asked)["fitb"] == 0
    for k in (1, 3):
        leak = outfit_figures(degree_only(asked, graph, k), asked)
        assert (leak["fitb"], leak["auc"]) == (100, 1)


def test_items_of_many_outfits_hide_the_leak_a_little():
    # Every outfit shares its items with the next one: right candidates have edges of their own.
    chain = [[n, n + 1, n + 2] for n in range(60)]
    asked = questions(chain)
    leak = outfit_figures(degree_only(asked, Graph(chain), 1), asked)
    assert leak["fitb"] < 100


def test_k_must_not_be_negative():
    with pytest.raises(ValueError, match="K must not be negative"):
        degree_only(questions(), Graph(OUTFITS), -1)
