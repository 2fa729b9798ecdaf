from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facetwise.errors import InputError
from facetwise.evaluation import episodes as module
from facetwise.evaluation.episodes import draw_episodes, mean_scores, prototype_scores
from facetwise.evaluation.scorers import Embedded, Scorer, cosine_scorer
from facetwise.similarity import ConditionalSimilarity


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def scorer_of(n: int, dim: int = 6) -> Scorer:
    return cosine_scorer("cosine", torch.randn(n, dim, generator=generator(7)))


class Counting:
    """A score that remembers which pairs it was asked for."""

    def __init__(self, n: int) -> None:
        self.asked: list[tuple[int, int]] = []
        x = torch.randn(n, 4, generator=generator(3))
        self.scores = x @ x.T
        self.scorer = Scorer(
            "counting", (Embedded(torch.arange(n)[:, None], self.against, self.listed),)
        )

    def against(self, q: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        q, g = q.flatten(), g.flatten()
        self.asked += [(a, b) for a in q.tolist() for b in g.tolist()]
        return self.scores[q][:, g]

    def listed(self, h: torch.Tensor, r: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        self.asked += list(zip(h[r].flatten().tolist(), h[c].flatten().tolist(), strict=True))
        return self.scores[h[r].flatten(), h[c].flatten()]


def slow_means(scorer: Scorer, drawn: module.Episodes) -> torch.Tensor:
    out = []
    for support, query in zip(drawn.support, drawn.query, strict=True):
        rows = []
        for one in query.flatten():
            each = [scorer.matrix(one[None], shots).mean() for shots in support]
            rows.append(torch.stack(each))
        out.append(torch.stack(rows))
    return torch.stack(out)


@given(
    seed=st.integers(0, 50),
    sizes=st.lists(st.integers(0, 9), min_size=3, max_size=7),
    way=st.integers(0, 3),
    shot=st.integers(1, 2),
    query=st.integers(1, 3),
)
def test_episodes_hold_what_they_should(seed, sizes, way, shot, query):
    labels = torch.cat([torch.full((size,), n) for n, size in enumerate(sizes)] + [-torch.ones(2)])
    labels = labels.long()[torch.randperm(len(labels), generator=generator(seed))]
    large = [n for n, size in enumerate(sizes) if size >= shot + query]
    arguments = dict(way=way, shot=shot, query=query, episodes=4)
    if way == 1 or len(large) < max(way, 2):
        with pytest.raises(InputError):
            draw_episodes(labels, generator=generator(seed), **arguments)
        return
    drawn = draw_episodes(labels, generator=generator(seed), **arguments)
    assert drawn.support.shape == (4, way or len(large), shot)
    assert drawn.query.shape == (4, way or len(large), query)
    assert drawn.classes == len(large)
    assert drawn.left_out == sum(0 < size < shot + query for size in sizes)
    for support, asked in zip(drawn.support, drawn.query, strict=True):
        items = torch.cat([support, asked], 1)
        assert len(items.unique()) == items.numel()
        classes = labels[items]
        assert bool((classes == classes[:, :1]).all())
        assert len(classes[:, 0].unique()) == len(classes)
        assert set(classes[:, 0].tolist()) <= set(large)


def test_the_same_generator_draws_the_same_episodes():
    labels = torch.arange(5).repeat_interleave(10)
    one, two, other = (
        draw_episodes(labels, episodes=3, shot=2, query=3, generator=generator(s))
        for s in (0, 0, 1)
    )
    assert torch.equal(one.support, two.support) and torch.equal(one.query, two.query)
    assert not torch.equal(one.support, other.support)


def test_every_class_and_item_gets_its_turn():
    labels = torch.arange(6).repeat_interleave(8)
    drawn = draw_episodes(labels, way=2, shot=2, query=2, episodes=600, generator=generator())
    classes = torch.bincount(labels[drawn.support[..., 0]].flatten(), minlength=6)
    assert classes.min() > 0.8 * classes.max()
    items = torch.bincount(drawn.support.flatten(), minlength=48)
    assert items.min() > 0.5 * items.max()


def test_too_few_items_say_the_way_out():
    with pytest.raises(InputError, match=r"1 of 2 classes have the 21 items .*--shot"):
        draw_episodes(torch.tensor([0] * 21 + [1] * 20), way=0, generator=generator())
    with pytest.raises(InputError, match="0 of 0 classes"):
        draw_episodes(torch.tensor([-1, -1]), generator=generator())


# Few episodes share little, many hold most pairs; the last is a table that does not fit.
@pytest.mark.parametrize(("count", "table"), [(3, 20_000), (60, 20_000), (60, 5)])
def test_means_equal_a_loop(count, table, monkeypatch):
    monkeypatch.setattr(module, "_TABLE", table)
    monkeypatch.setattr(module, "_TILE", 7)
    labels = torch.arange(4).repeat_interleave(9)
    drawn = draw_episodes(labels, way=3, shot=2, query=4, episodes=count, generator=generator())
    scorer = scorer_of(36)
    assert torch.allclose(mean_scores(scorer, drawn), slow_means(scorer, drawn), atol=1e-6)


def test_each_distinct_pair_is_scored_once():
    labels = torch.arange(4).repeat_interleave(9)
    few = draw_episodes(labels, way=3, shot=2, query=2, episodes=10, generator=generator())
    counting = Counting(36)
    mean_scores(counting.scorer, few)
    pairs = {
        (min(q, s), max(q, s))
        for queries, shots in zip(few.query.flatten(1), few.support.flatten(1), strict=True)
        for q in queries.tolist()
        for s in shots.tolist()
    }
    assert sorted(counting.asked) == sorted(pairs)
    assert len(pairs) < few.query.flatten(1).numel() * 6


def test_many_episodes_score_half_the_table(monkeypatch):
    monkeypatch.setattr(module, "_TILE", 4)
    labels = torch.arange(4).repeat_interleave(9)
    many = draw_episodes(labels, way=0, shot=3, query=4, episodes=50, generator=generator())
    counting = Counting(36)
    mean_scores(counting.scorer, many)
    assert len(counting.asked) <= 36 * 36 / 2 + 36 * 4 / 2
    assert len(set(counting.asked)) == len(counting.asked)


def test_prototypes_are_means_of_embeddings(monkeypatch):
    monkeypatch.setattr(module, "_PROTOTYPES", 5)
    model = ConditionalSimilarity(6, 3, generator=generator())
    h = torch.randn(36, 6, generator=generator(1))
    scorer = Scorer("pan", (Embedded(h, model.against, model.listed),))
    labels = torch.arange(4).repeat_interleave(9)
    drawn = draw_episodes(labels, way=3, shot=2, query=4, episodes=4, generator=generator())
    found = prototype_scores(scorer, drawn)
    means = h[drawn.support].mean(2)
    for e in range(4):
        expected = model.against(h[drawn.query[e].flatten()], means[e])
        assert torch.allclose(found[e], expected, atol=1e-6)


def test_one_shot_prototypes_are_the_shots():
    labels = torch.arange(4).repeat_interleave(9)
    drawn = draw_episodes(labels, way=3, shot=1, query=4, episodes=4, generator=generator())
    scorer = scorer_of(36)
    assert torch.allclose(prototype_scores(scorer, drawn), mean_scores(scorer, drawn), atol=1e-6)
