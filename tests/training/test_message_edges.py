"""Edges that no loss asks about, against sets of pairs; and what a step of training sees."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from facetwise.data import AttributeTable
from facetwise.encoders.lite import PARTS
from facetwise.models import CGAEConfig, Known, build_pairs
from facetwise.training.edge_pairs import EdgePairs, SplitPairs, split_pairs
from facetwise.training.message_edges import message_edges, unasked
from facetwise.training.pair_batches import ClassPairs, PairBatch
from facetwise.training.pair_task import PairTask
from facetwise.training.recipe import PairTraining

N = 24
LABELS = torch.arange(4).repeat_interleave(6)

pairs = st.lists(
    st.tuples(st.integers(0, 8), st.integers(9, 12)).map(lambda p: (p[0], p[1])), max_size=10
)


def table(some):
    return torch.tensor(some, dtype=torch.long).reshape(-1, 2)


@given(splits=st.lists(st.tuples(pairs, pairs), min_size=1, max_size=3))
def test_no_edge_is_a_positive_of_any_labelling(splits):
    found = message_edges([SplitPairs(table(a), table(b)) for a, b in splits])
    message = {pair for a, _ in splits for pair in a}
    positive = {pair for _, b in splits for pair in b}
    assert sorted(map(tuple, found.tolist())) == sorted(message - positive)


@given(edges=pairs, asked=pairs)
def test_edges_that_are_asked_about_are_hidden(edges, asked):
    rows = torch.randperm(13, generator=torch.Generator().manual_seed(0))
    place = rows.argsort()
    i, j = place[table(asked)].unbind(1)
    batch = PairBatch(rows, j, i, torch.ones(len(i)), torch.zeros(13))  # either way round
    expected = [list(edge) for edge in edges if edge not in asked]
    assert unasked(table(edges), batch).tolist() == expected


def task(loss):
    x = torch.rand(N, sum(PARTS), generator=torch.Generator().manual_seed(1))
    how = PairTraining(loss=loss, classes=3, per_class=3, edge_pairs=0, steps=5)
    model = build_pairs(CGAEConfig(widths=(8, 6)), generator=torch.Generator().manual_seed(0))
    splits = [split_pairs(LABELS, torch.Generator().manual_seed(2))]
    batches = (
        EdgePairs([LABELS], splits, batch=0)
        if loss == "edges"
        else ClassPairs([LABELS], classes=3, per_class=3)
    )
    known = Known(edges=message_edges(splits))
    seen = []
    embed = model.embed

    def watched(x, known=Known()):
        seen.append(known.edges)
        return embed(x, known)

    model.embed = watched
    none = AttributeTable((), (), (), torch.empty(0, dtype=torch.long), torch.empty(N, 0))
    return PairTask(model, how, x, known, batches, [LABELS], none, seed=0), batches, seen, known


def test_triplets_do_not_see_the_edges_of_their_own_pairs():
    made, batches, seen, known = task("triplet")
    loss, _ = made.loss(0)
    loss.backward()
    batch = batches.batch(0)
    asked = {frozenset(pair) for pair in batch.rows[torch.stack([batch.i, batch.j], 1)].tolist()}
    edges = {frozenset(edge) for edge in seen[-1].tolist()}
    assert not edges & asked
    assert edges == {frozenset(edge) for edge in known.edges.tolist()} - asked
    assert 0 < len(edges) < len(known.edges)


def test_the_papers_pairs_see_all_edges():
    made, batches, seen, known = task("edges")
    made.loss(0)[0].backward()
    assert torch.equal(seen[-1], known.edges)
    batch = batches.batch(0)
    positive = batch.rows[torch.stack([batch.i, batch.j], 1)][batch.y == 1]
    codes = {frozenset(pair) for pair in positive.tolist()}
    assert not codes & {frozenset(edge) for edge in known.edges.tolist()}
    assert len(codes) + len(known.edges) == 4 * 15
