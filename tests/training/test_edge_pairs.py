from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facetwise.data.sampling import generator_of
from facetwise.errors import InputError
from facetwise.training.edge_pairs import EdgePairs, pairs_together, split_pairs

label_lists = st.lists(st.integers(-1, 3), min_size=1, max_size=14)


def as_set(pairs):
    return {tuple(pair) for pair in pairs.tolist()}


@settings(max_examples=50, deadline=None)
@given(label_lists, st.integers(0, 50))
def test_every_pair_of_a_class_is_an_edge_or_a_positive_once(labels, seed):
    message, positive = split_pairs(torch.tensor(labels), generator_of(seed, 0))
    expected = {
        (i, j)
        for j in range(len(labels))
        for i in range(j)
        if labels[i] == labels[j] and labels[i] >= 0
    }
    assert as_set(message) | as_set(positive) == expected
    assert len(message) + len(positive) == len(expected)
    assert len(message) == len(expected) // 2


def test_a_pair_of_two_outfits_is_there_once():
    outfits = [torch.tensor([3, 1, 0]), torch.tensor([1, 3]), torch.tensor([5])]
    assert as_set(pairs_together(outfits)) == {(0, 1), (0, 3), (1, 3)}
    message, positive = split_pairs(outfits, generator_of(0, 0))
    assert (len(message), len(positive)) == (1, 2)


def test_of_too_many_pairs_some_are_drawn_with_equal_chance():
    members = [torch.arange(40), torch.arange(40, 50)]  # 780 and 45 pairs
    found = [pairs_together(members, generator_of(seed, 0), most=100) for seed in range(40)]
    assert all(80 < len(pairs) <= 100 for pairs in found)
    drawn = torch.cat(found)
    assert (drawn[:, 0] < drawn[:, 1]).all()
    assert ((drawn < 40).all(1) | (drawn >= 40).all(1)).all()
    small = (drawn >= 40).all(1).float().mean().item()
    assert small == pytest.approx(45 / 825, abs=0.02)


LABELS = torch.tensor([0, 0, 0, 0, 1, 1, 1, 2, 2, -1])


def edge_pairs(labels=LABELS, seed=0, **kwargs):
    return EdgePairs([labels], [split_pairs(labels, generator_of(1, 0))], seed=seed, **kwargs)


def items(batch):
    return list(zip(batch.rows[batch.i].tolist(), batch.rows[batch.j].tolist(), strict=True))


def test_each_positive_has_one_negative_that_shares_an_item_with_it():
    split = split_pairs(LABELS, generator_of(1, 0))
    batch = EdgePairs([LABELS], [split]).batch(0)
    n = len(split.positive)
    pairs = items(batch)
    assert pairs[:n] == [tuple(pair) for pair in split.positive.tolist()]
    assert batch.y.tolist() == [1.0] * n + [0.0] * n
    for positive, (kept, other) in zip(pairs[:n], pairs[n:], strict=True):
        assert kept in positive
        assert LABELS[kept] != LABELS[other] and LABELS[other] >= 0
    assert batch.labels.tolist() == LABELS[batch.rows].tolist()


def test_pairs_are_drawn_once_unless_each_epoch_is_to_draw_anew():
    fixed, anew = edge_pairs(), edge_pairs(redraw=True)
    assert items(fixed.batch(0)) == items(fixed.batch(5))
    assert items(anew.batch(0)) != items(anew.batch(5))
    n = len(anew.batch(0).y) // 2
    assert items(anew.batch(0))[:n] == items(anew.batch(5))[:n]  # the positives stay


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 20), st.booleans())
def test_the_batches_of_an_epoch_are_all_its_pairs(size, redraw):
    whole, parts = edge_pairs(redraw=redraw), edge_pairs(batch=size, redraw=redraw)
    total = len(whole.batch(0).y)
    steps = -(-total // min(size, total))
    for epoch in range(2):
        batches = [parts.batch(epoch * steps + step) for step in range(steps)]
        together = [(p, y) for b in batches for p, y in zip(items(b), b.y.tolist(), strict=True)]
        all_at_once = whole.batch(epoch)
        expected = list(zip(items(all_at_once), all_at_once.y.tolist(), strict=True))
        assert sorted(together) == sorted(expected)


def test_a_step_depends_on_the_seed_and_its_number_alone():
    one, other = edge_pairs(batch=4, redraw=True), edge_pairs(batch=4, redraw=True)
    for step in range(12):
        one.batch(step)
    for step in (7, 3):
        assert items(one.batch(step)) == items(other.batch(step))
    assert items(edge_pairs(seed=1).batch(0)) != items(edge_pairs(seed=0).batch(0))


def test_negatives_of_a_type_take_the_place_of_an_item_of_that_type():
    outfits = [torch.tensor(own) for own in ([0, 1], [2, 3], [4, 5], [0, 3])]
    types = torch.tensor([0, 1, 0, 1, 0, 1])
    split = split_pairs(outfits, generator_of(0, 0))
    for seed in range(8):
        batch = EdgePairs([outfits], [split], types=types, seed=seed).batch(0)
        n = len(split.positive)
        pairs = items(batch)
        for (i, j), (kept, other) in zip(pairs[:n], pairs[n:], strict=True):
            replaced = j if kept == i else i
            assert types[other] == types[replaced]
            assert not any({kept, other} <= set(own.tolist()) for own in outfits)


def test_where_nothing_can_be_a_negative_nothing_is_said():
    labels = torch.zeros(4, dtype=torch.long)
    batch = EdgePairs([labels], [split_pairs(labels)]).batch(0)
    assert batch.y.tolist() == [1.0] * 3 + [-1.0] * 3


def test_several_labellings_take_turns():
    labellings = [torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1])]
    pairs = EdgePairs(labellings, [split_pairs(labels) for labels in labellings])
    for step in range(4):
        batch = pairs.batch(step)
        labels = labellings[step % 2]
        agree = labels[batch.rows[batch.i]] == labels[batch.rows[batch.j]]
        assert agree.float().tolist() == batch.y.tolist()


def test_nothing_that_belongs_together_is_an_error_that_says_what_to_do():
    with pytest.raises(InputError, match="another loss"):
        EdgePairs([torch.arange(3)], [split_pairs(torch.arange(3))])
