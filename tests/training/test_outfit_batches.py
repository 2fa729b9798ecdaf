"""Batches of outfits against plain loops."""

from __future__ import annotations

import pytest
import torch

from facetwise.errors import InputError
from facetwise.training.outfit_batches import OutfitPairs

OUTFITS = [[0, 1, 2], [2, 3, 4, 5], [6], [7, 8], [9, 10, 11], [5, 7]]
TYPES = torch.tensor([0, 1, 2, 0, 1, -1, 0, 1, 2, 0, 1, 2])


def pairs(batch):
    r, c = batch.rows[batch.i].tolist(), batch.rows[batch.j].tolist()
    return {
        frozenset(pair): y for pair, y in zip(zip(r, c, strict=True), batch.y.tolist(), strict=True)
    }


def together(a, b):
    return any(a in own and b in own for own in OUTFITS)


def test_what_any_outfit_holds_goes_together():
    batches = OutfitPairs(OUTFITS, classes=4, per_class=3, seed=1)
    for step in range(20):
        batch = batches.batch(step)
        assert len(set(batch.rows.tolist())) == len(batch.rows)
        assert len(batch.y) == len(batch.rows) * (len(batch.rows) - 1) // 2
        assert 6 not in batch.rows  # it is alone
        for (a, b), y in pairs(batch).items():
            assert y == together(a, b)


def test_a_negative_could_take_the_place_of_one_of_the_anchors_outfit():
    batches = OutfitPairs(OUTFITS, classes=4, per_class=4, types=TYPES, seed=2)
    seen = set()
    for step in range(20):
        batch = batches.batch(step)
        rows, type_of = batch.rows.tolist(), TYPES.tolist()
        assert torch.equal(batch.types, TYPES[batch.rows])

        def replaces(n, a, rows=rows, type_of=type_of):
            beside = {type_of[p] for p in rows if p != a and together(a, p)}
            return type_of[n] >= 0 and type_of[n] in beside

        for (a, b), y in pairs(batch).items():
            expected = 1 if together(a, b) else 0 if replaces(a, b) or replaces(b, a) else -1
            assert y == expected
            seen.add(y)
    assert seen == {1, 0, -1}


def test_a_steps_batch_is_of_the_seed_and_the_step_alone():
    one, other = (OutfitPairs(OUTFITS, classes=3, per_class=2, seed=4) for _ in range(2))
    other.batch(7)
    for a, b in zip(one.batch(3)[:5], other.batch(3)[:5], strict=True):
        assert torch.equal(a, b)
    assert any(one.batch(step).rows.tolist() != one.batch(3).rows.tolist() for step in range(4, 8))


def test_no_more_items_of_an_outfit_than_asked_for():
    batch = OutfitPairs([[0, 1, 2, 3], [4, 5, 6, 7, 8]], classes=2, per_class=3).batch(0)
    assert batch.labels.unique(return_counts=True)[1].tolist() == [3, 3]


def test_one_outfit_is_too_few():
    with pytest.raises(InputError, match="1 outfits have two items"):
        OutfitPairs([[0, 1], [2], [3, 3]], classes=2, per_class=2)


def test_unknown_types_leave_no_negatives():
    none = torch.full((12,), -1)
    batch = OutfitPairs(OUTFITS, classes=5, per_class=4, types=none).batch(0)
    assert set(batch.y.tolist()) == {1.0, -1.0}
