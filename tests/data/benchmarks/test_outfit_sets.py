from __future__ import annotations

import torch

from facetwise.data.benchmarks.outfit_sets import (
    Blanks,
    Compatibility,
    ItemSets,
    Questions,
    cleaned,
)


def test_sets_can_be_selected_and_may_be_empty():
    sets = ItemSets.of([[5, 1], [], [2, 3, 4]])
    assert sets.tolist() == [[5, 1], [], [2, 3, 4]]
    assert sets.select(torch.tensor([False, True, True])).tolist() == [[], [2, 3, 4]]
    assert ItemSets.of([]).tolist() == [] and len(ItemSets.of([]).owner) == 0


def test_chance_takes_padding_into_account():
    blanks = Blanks(
        ItemSets.of([[0], [0]]),
        torch.tensor([[1, 2, 3, 4], [1, 2, -1, -1]]),
        torch.tensor([0, 1]),
        torch.tensor([0, 0]),
    )
    assert blanks.chance == (1 / 4 + 1 / 2) / 2


def test_cleaning_leaves_nothing_that_cannot_be_answered():
    blanks = Blanks(
        ItemSets.of([[0, 1], [3, 9], [5, 6]]),
        # A given item and a double; the right answer is given; the right one stands there twice.
        torch.tensor([[2, 1, 4, 4], [3, 1, 2, 4], [7, 8, 8, 7]]),
        torch.tensor([0, 0, 3]),
        torch.tensor([3, 1, 1]),
    )
    asked = Compatibility(
        ItemSets.of([[0, 1], [2, 3], [3, 2], [1, 0], [0, 3]]),
        torch.tensor([True, True, False, False, False]),
        torch.tensor([0, 1, 0, 1, 2]),
    )
    kept = cleaned(Questions(blanks, asked, left_out=3))
    assert kept.blanks.candidates.tolist() == [[2, -1, 4, -1], [-1, 8, -1, 7]]
    assert kept.blanks.answers.tolist() == [0, 3]
    assert kept.blanks.given.tolist() == [[0, 1], [5, 6]]
    assert kept.compatibility.outfits.tolist() == [[0, 1], [2, 3], [0, 3]]
    assert kept.compatibility.unit.tolist() == [0, 1, 2]
    assert kept.left_out == 3
    assert blanks.candidates[0].tolist() == [2, 1, 4, 4]  # the questions given are not touched


def test_no_questions_are_clean():
    none = Questions(
        Blanks(
            ItemSets.of([]),
            torch.empty(0, 0, dtype=torch.long),
            torch.empty(0, dtype=torch.long),
            torch.empty(0, dtype=torch.long),
        ),
        Compatibility(
            ItemSets.of([]), torch.empty(0, dtype=torch.bool), torch.empty(0, dtype=torch.long)
        ),
    )
    assert len(cleaned(none).blanks) == len(cleaned(none).compatibility) == 0
