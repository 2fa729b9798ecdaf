from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facetwise import InputError
from facetwise.data.benchmarks.outfit_questions import generate_questions

OUTFITS = st.lists(st.lists(st.integers(0, 29), min_size=2, max_size=6), min_size=2, max_size=25)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def many(n: int = 400, items: int = 300, size: int = 5) -> list[list[int]]:
    g = generator(7)
    return [torch.randperm(items, generator=g)[:size].tolist() for _ in range(n)]


@given(OUTFITS, st.sampled_from(["single", "released-like"]), st.integers(1, 4), st.integers(2, 4))
def test_no_wrong_answer_is_right(outfits, mode, kinds, candidates):
    types = [item % kinds for item in range(30)]
    if all(len(set(outfit)) < 2 for outfit in outfits):
        return
    made = generate_questions(
        outfits, types, generator=generator(), candidates=candidates, mode=mode
    )
    true = {frozenset(outfit) for outfit in outfits}
    blanks = made.blanks
    for given_items, choices, answer in zip(
        blanks.given.tolist(), blanks.candidates.tolist(), blanks.answers.tolist(), strict=True
    ):
        right = choices[answer]
        assert frozenset([*given_items, right]) in true
        assert len(set(choices)) == candidates
        assert {types[item] for item in choices} == {types[right]}
        for wrong in set(choices) - {right}:
            assert wrong not in given_items
            assert frozenset([*given_items, wrong]) not in true
    asked = made.compatibility
    sets = asked.outfits.tolist()
    half = len(sets) // 2
    assert asked.labels.tolist() == [True] * half + [False] * half
    assert asked.unit.tolist() == [*range(half), *range(half)]
    for positive, negative in zip(sets[:half], sets[half:], strict=True):
        assert frozenset(positive) in true and frozenset(negative) not in true
        assert len(set(negative)) == len(negative) == len(positive)
        changed = sum(a != b for a, b in zip(positive, negative, strict=True))
        assert changed == 1 if mode == "single" else 1 <= changed <= len(positive) - 1
        assert all(types[a] == types[b] for a, b in zip(positive, negative, strict=True))


def test_the_number_of_false_items_is_drawn_evenly():
    made = generate_questions(many(2000), generator=generator(), mode="released-like")
    sets = made.compatibility.outfits.tolist()
    half = len(sets) // 2
    changed = [
        sum(x != y for x, y in zip(a, b, strict=True))
        for a, b in zip(sets[:half], sets[half:], strict=True)
    ]
    counts = torch.bincount(torch.tensor(changed), minlength=6).tolist()
    assert counts[0] == counts[5] == 0
    assert all(400 < count < 600 for count in counts[1:5])


def test_the_right_candidate_stands_anywhere():
    answers = generate_questions(many(), generator=generator(), candidates=4).blanks.answers
    assert all(60 < count < 140 for count in torch.bincount(answers, minlength=4).tolist())


def test_the_same_generator_makes_the_same_questions():
    one, two, other = (generate_questions(many(), generator=generator(s)) for s in (1, 1, 2))
    assert torch.equal(one.blanks.candidates, two.blanks.candidates)
    assert torch.equal(one.compatibility.outfits.items, two.compatibility.outfits.items)
    assert not torch.equal(one.blanks.candidates, other.blanks.candidates)


def test_wrong_items_are_as_popular_as_right_ones():
    # Every tenth item is in ten times as many outfits. Drawn evenly, one in ten would be of them.
    weights = torch.ones(2000)
    weights[::10] = 10
    g = generator(3)
    outfits = [torch.multinomial(weights, 4, generator=g).tolist() for _ in range(3000)]
    blanks = generate_questions(outfits, generator=g).blanks
    popular = (blanks.candidates % 10 == 0).float()
    right = popular.gather(1, blanks.answers[:, None]).mean()
    wrong = (popular.sum() - right * len(blanks)) / (3 * len(blanks))
    assert abs(right - 10 / 19) < 0.05 and abs(wrong - right) < 0.05


def test_items_without_a_type_are_never_exchanged():
    types = ["hat", None, "hat", None, "hat", None]
    made = generate_questions([[0, 1], [2, 3], [4, 5]], types, generator=generator(), candidates=3)
    assert set(made.blanks.candidates.flatten().tolist()) == {0, 2, 4}
    assert all(1 in s or 3 in s or 5 in s for s in made.compatibility.outfits.tolist())


def test_outfits_that_cannot_be_asked_about_are_counted():
    made = generate_questions([[0, 1], [2, 3]], ["a", "b", "c", "d"], generator=generator())
    assert (len(made.blanks), len(made.compatibility), made.left_out) == (0, 0, 2)


def test_repeated_items_and_outfits_count_once():
    outfits = [[0, 0, 1], [1, 0], [2, 3], [4]]
    made = generate_questions(outfits, generator=generator(), candidates=2)
    assert len(made.blanks) + made.left_out == 2
    assert sorted(map(sorted, made.compatibility.outfits.tolist()[:2])) == [[0, 1], [2, 3]]


def test_no_outfit_at_all_is_an_error():
    with pytest.raises(InputError, match="no outfit has two items"):
        generate_questions([[1], [2, 2]], generator=generator())


@pytest.mark.parametrize("wrong", [{"candidates": 1}, {"mode": "all"}])
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValueError, match="expected 2 or more candidates"):
        generate_questions([[0, 1]], generator=generator(), **wrong)
