from __future__ import annotations

import random
from itertools import combinations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facetwise import InputError
from facetwise.data.benchmarks.outfit_sets import Blanks, Compatibility, ItemSets, Questions
from facetwise.evaluation.outfit_scores import outfit_figures, paired_figures, score_questions

ITEMS = 12


class Table:
    """Scores by a symmetric table; remembers what it was asked."""

    def __init__(self, seed: int = 0, table: torch.Tensor | None = None) -> None:
        if table is None:
            table = torch.rand(ITEMS, ITEMS, generator=torch.Generator().manual_seed(seed))
        self.table, self.asked = table + table.T, []

    def pairs(self, r: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        self.asked += zip(r.tolist(), c.tolist(), strict=True)
        return self.table[r, c]


CONSTANT = Table(table=torch.full((ITEMS, ITEMS), 0.05))


def questions(seed: int = 0, n: int = 20) -> Questions:
    chance = random.Random(seed)
    given_items = [chance.sample(range(ITEMS), chance.randint(1, 4)) for _ in range(n)]
    choices = [
        chance.sample(range(ITEMS), count) + [-1] * (5 - count)
        for count in (chance.randint(2, 5) for _ in range(n))
    ]
    sets = [chance.sample(range(ITEMS), chance.randint(1, 5)) for _ in range(n)]
    return Questions(
        Blanks(
            ItemSets.of(given_items),
            torch.tensor(choices),
            torch.tensor([chance.randrange(2) for _ in range(n)]),
            torch.zeros(n, dtype=torch.long),
        ),
        Compatibility(ItemSets.of(sets), torch.arange(n) % 2 == 0, torch.arange(n) // 2),
    )


@given(st.integers(0, 10_000))
def test_means_are_those_of_a_loop(seed):
    asked, scorer = questions(seed), Table(seed)
    found = score_questions(scorer, asked)
    for row, (given_items, choices) in enumerate(
        zip(asked.blanks.given.tolist(), asked.blanks.candidates.tolist(), strict=True)
    ):
        for place, item in enumerate(choices):
            if item < 0:
                assert found.blanks[row, place] == -torch.inf
                continue
            mean = sum(float(scorer.table[g, item]) for g in given_items) / len(given_items)
            assert float(found.blanks[row, place]) == pytest.approx(mean, abs=1e-9)
    for row, items in enumerate(asked.compatibility.outfits.tolist()):
        pairs = [float(scorer.table[a, b]) for a, b in combinations(items, 2)]
        mean = sum(pairs) / len(pairs) if pairs else 0.0
        assert float(found.outfits[row]) == pytest.approx(mean, abs=1e-9)


def test_every_distinct_pair_is_scored_once():
    scorer = Table()
    found = score_questions(scorer, questions())
    unordered = [tuple(sorted(pair)) for pair in scorer.asked]
    assert len(unordered) == len(set(unordered)) == found.pairs


def test_equal_sets_score_equal_in_any_order():
    g = torch.Generator().manual_seed(0)
    items = torch.randperm(ITEMS, generator=g)[:9].tolist()
    table = torch.rand(ITEMS, ITEMS, generator=g) * 10.0 ** torch.arange(-6, 6)
    empty = questions().blanks.select(torch.zeros(20, dtype=torch.bool))
    asked = Compatibility(
        ItemSets.of([items, items[::-1], sorted(items)]),
        torch.tensor([True, False, False]),
        torch.tensor([0, 0, 1]),
    )
    found = score_questions(Table(table=table), Questions(empty, asked))
    assert len(found.outfits.unique()) == 1


def test_a_constant_scorer_gets_nothing_or_chance():
    asked = questions(n=200)
    found = score_questions(CONSTANT, asked)
    figures = outfit_figures(found, asked)
    assert figures["fitb"] == 0 and figures["auc_pessimistic"] < 0.5
    assert figures["fitb_by_chance"] == pytest.approx(figures["chance"])
    by_lot = outfit_figures(found, asked, ties="mean")
    assert by_lot["fitb"] == pytest.approx(by_lot["chance"])


def test_a_constant_scorer_does_not_tell_long_outfits_from_short_ones():
    sets = ItemSets.of([[0, 1], [2, 3, 4], [5, 6, 7, 8, 9], [1, 2, 3, 4]])
    asked = Compatibility(sets, torch.tensor([True, False, True, False]), torch.arange(4))
    found = score_questions(CONSTANT, Questions(questions().blanks, asked))
    assert len(found.outfits.unique()) == 1
    figures = outfit_figures(found, Questions(questions().blanks, asked))
    assert figures["auc"] == 0.5 and figures["auc_pessimistic"] == 0


def test_an_oracle_gets_everything_and_beats_its_rival():
    table = torch.zeros(ITEMS, ITEMS)
    table[:4, :4] = 1
    asked = Questions(
        Blanks(
            ItemSets.of([[0, 1]] * 30),
            torch.tensor([[7, 2, 8, 9]] * 30),
            torch.ones(30, dtype=torch.long),
            torch.full((30,), 3),
        ),
        Compatibility(
            ItemSets.of([[0, 1, 2], [0, 1, 8]] * 30),
            torch.tensor([True, False] * 30),
            torch.arange(60) // 2,
        ),
    )
    good, bad = (score_questions(scorer, asked) for scorer in (Table(table=table), CONSTANT))
    figures = outfit_figures(good, asked)
    assert (figures["fitb"], figures["auc"], figures["chance"]) == (100, 1, 25)
    assert (figures["questions"], figures["outfits"]) == (30, 60)
    won = paired_figures(good, bad, asked)
    assert won["fitb"] == {"difference": 100, "low": 100, "high": 100}
    assert won["auc"]["difference"] == pytest.approx(0.5)
    equal = paired_figures(good, good, asked)
    assert equal["auc"] == equal["fitb"] == {"difference": 0, "low": 0, "high": 0}


def test_the_interval_of_the_auc_is_that_of_resampling_it():
    g = torch.Generator().manual_seed(1)
    n = 150
    scores = torch.cat([torch.randn(n, generator=g) + 0.7, torch.randn(n, generator=g)]).double()
    label = torch.arange(2 * n) < n
    asked = Questions(
        questions().blanks,
        Compatibility(
            ItemSets.of([[0, 1]] * (2 * n)), label, torch.cat([torch.arange(n), torch.arange(n)])
        ),
    )
    found = score_questions(CONSTANT, asked)
    figures = outfit_figures(type(found)(found.blanks, scores, 0), asked)
    aucs = []
    for _ in range(400):
        unit = torch.randint(n, (n,), generator=g)
        won = (scores[:n][unit][:, None] > scores[n:][unit]).double().mean()
        aucs.append(float(won))
    assert figures["auc_ci95"] == pytest.approx(1.96 * torch.tensor(aucs).std().item(), rel=0.15)


def test_kinds_that_were_not_asked_have_no_figures():
    whole = questions()
    none = whole.blanks.select(torch.zeros(len(whole.blanks), dtype=torch.bool))
    asked = Questions(none, whole.compatibility.select(whole.compatibility.labels))
    found = score_questions(Table(), asked)
    figures = outfit_figures(found, asked)
    assert figures["fitb"] is figures["auc"] is figures["chance"] is None
    assert figures["questions"] == 0 and figures["outfits"] == 10
    assert paired_figures(found, found, asked) == {}


def test_a_damaged_model_is_named():
    with pytest.raises(InputError, match="NaN"):
        score_questions(Table(table=torch.full((ITEMS, ITEMS), torch.nan)), questions())
