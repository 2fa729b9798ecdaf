"""Batches whose pictures may share texts."""

from __future__ import annotations

import torch

from facetwise.data.shared_texts import SharedTextBatches

TEXTS = [[0, 1, 2], [2, 3], [], [4], [2, 4, 5]]


def batches(**options):
    how = {"items": 3, "texts_per_item": 2, "seed": 1, **options}
    return SharedTextBatches(TEXTS, 8, **how)


def test_matches_say_what_holds_for_whom():
    for step in range(20):
        rows, texts, matches = batches(extra=2).batch(step)
        assert len(set(rows.tolist())) == 3
        assert 2 not in rows  # it has no texts
        assert texts.tolist() == sorted(set(texts.tolist()))
        for i, row in enumerate(rows.tolist()):
            assert matches[i].tolist() == [text in TEXTS[row] for text in texts.tolist()]


def test_with_enough_extra_texts_all_are_there():
    assert batches(extra=8).batch(0)[1].tolist() == list(range(8))


def test_without_extra_texts_each_holds_for_somebody():
    for step in range(20):
        assert batches().batch(step)[2].any(0).all()


def test_a_step_depends_on_the_seed_and_its_number_alone():
    one, again = batches(), batches()
    again.batch(3)
    for a, b in zip(one.batch(7), again.batch(7), strict=True):
        assert torch.equal(a, b)
    assert any(
        not torch.equal(one.batch(step)[0], batches(seed=2).batch(step)[0]) for step in range(5)
    )


def test_weights_decide_how_often_an_item_is_drawn():
    made = batches(items=1, weights=torch.tensor([1.0, 0, 1, 0, 9]))
    drawn = [int(made.batch(step)[0]) for step in range(300)]
    assert set(drawn) == {0, 4}
    assert drawn.count(4) > 200


def test_how_often_a_text_occurs_is_known():
    assert batches().frequency.tolist() == [1, 1, 3, 1, 2, 1, 0, 0]
