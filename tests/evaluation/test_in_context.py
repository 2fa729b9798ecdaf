"""Items in the graphs of their episodes and questions, against one graph at a time."""

from __future__ import annotations

import pytest
import torch

from facetwise.data.benchmarks.outfit_questions import generate_questions
from facetwise.data.benchmarks.outfit_sets import Blanks, Compatibility, ItemSets, Questions
from facetwise.encoders import GraphEncoder
from facetwise.evaluation import in_context as module
from facetwise.evaluation.episodes import draw_episodes, mean_scores
from facetwise.evaluation.few_shot import few_shot
from facetwise.evaluation.graph_context import Graph
from facetwise.evaluation.in_context import (
    Graphs,
    beside,
    episodes_in_context,
    questions_in_context,
    score_in_context,
)
from facetwise.evaluation.outfit_scores import score_questions
from facetwise.evaluation.scorers import Embedded, Scorer, cosine_scorer, ensemble

N = 40
OUTFITS = [[3 * n, 3 * n + 1, 3 * n + 2, (3 * n + 7) % 36] for n in range(12)]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


X = torch.randn(N, 6, generator=generator(1))


class Looking:
    """A scorer over a graph encoder, and what it gives in one graph of all items."""

    def __init__(self, **options):
        self.encoder = GraphEncoder(6, [8, 5], generator=generator(2), **options).eval()
        self.asked = []
        self.scorer = Scorer(
            "pairs", (Embedded(self.embed(X), self.against, self.listed, self.among),)
        )

    @torch.no_grad()
    def embed(self, x, edges=None):
        return self.encoder(x, edges)

    def among(self, items, edges):
        self.asked.append(len(items))
        return self.embed(X[items], edges)

    def against(self, q, g):
        return -(q[:, None] - g[None]).abs().sum(-1)

    def listed(self, h, r, c):
        return -(h[r] - h[c]).abs().sum(-1)

    def scores(self, edges):
        """(N, N) of all pairs where the graph of all items has these edges."""
        h = self.embed(X, torch.tensor(sorted(edges), dtype=torch.long).reshape(-1, 2))
        return self.against(h, h)


@pytest.fixture(params=[{}, {"one_direction": True}], ids=["both ways", "one direction"])
def looking(request):
    return Looking(**request.param)


def drawn(shot=3, way=3, episodes=6):
    labels = torch.arange(4).repeat_interleave(10)
    return draw_episodes(
        labels, way=way, shot=shot, query=4, episodes=episodes, generator=generator(3)
    )


def episode_scores(looking, support, query):
    """(W Q, W) of one episode, with the shots numbered first, in their order."""
    W, S = support.shape
    items = torch.cat([support.flatten(), query.flatten()])
    edges = [(S * w + a, S * w + b) for w in range(W) for a in range(S) for b in range(a + 1, S)]
    h = looking.embed(X[items], torch.tensor(edges))
    return looking.against(h[W * S :], h[: W * S]).view(-1, W, S).mean(2)


@pytest.mark.parametrize("most", [1, 7, 10_000])
def test_shots_are_linked_and_queries_alone(looking, most, monkeypatch):
    monkeypatch.setattr(module, "_ITEMS", most)
    episodes = drawn()
    found = mean_scores(*episodes_in_context(looking.scorer, episodes))
    expected = torch.stack(
        [
            episode_scores(looking, support, query)
            for support, query in zip(episodes.support, episodes.query, strict=True)
        ]
    )
    torch.testing.assert_close(found, expected)
    assert not torch.allclose(found, mean_scores(looking.scorer, episodes))
    assert sum(looking.asked) == episodes.support.numel()
    assert max(looking.asked) <= max(most, 3) + 3


def test_few_shot_asks_in_context(looking):
    episodes = drawn()
    found = few_shot(looking.scorer, episodes)
    scores = mean_scores(*episodes_in_context(looking.scorer, episodes))
    right = scores.argmax(2) == episodes.labels
    torch.testing.assert_close(found.accuracies.float(), right.float().mean(1))


def test_one_shot_has_no_edges_and_other_scorers_no_graph(looking):
    episodes = drawn(shot=1)
    assert episodes_in_context(looking.scorer, episodes) == (looking.scorer, episodes)
    cosine = cosine_scorer("cosine", X)
    assert episodes_in_context(cosine, drawn())[0] is cosine
    asked = questions()
    assert questions_in_context(cosine, asked) == (cosine, asked)
    assert not cosine.looks_around and looking.scorer.looks_around


def test_in_an_ensemble_each_part_has_its_own_way(looking):
    episodes = drawn()
    both = ensemble([looking.scorer, cosine_scorer("cosine", X)], "both")
    found = mean_scores(*episodes_in_context(both, episodes))
    expected = mean_scores(*episodes_in_context(looking.scorer, episodes))
    expected = (expected + mean_scores(cosine_scorer("cosine", X), episodes)) / 2
    torch.testing.assert_close(found, expected)


def test_graphs_are_cut_between_graphs_only():
    graph = torch.tensor([0, 0, 0, 4, 4, 5, 7, 7])
    edges = torch.tensor([[6, 7], [0, 2], [3, 4], [1, 2]])
    graphs = Graphs(torch.arange(8) * 10, graph, edges)
    parts = [(items.tolist(), own.tolist()) for items, own in graphs.parts(4)]
    assert parts == [
        ([0, 10, 20], [[0, 2], [1, 2]]),
        ([30, 40, 50, 60, 70], [[0, 1], [3, 4]]),
    ]
    everything = [items for items, _ in graphs.parts(2)]
    assert torch.cat(everything).tolist() == graphs.items.tolist()


def questions(outfits=OUTFITS, candidates=5):
    return generate_questions(outfits, generator=generator(4), candidates=candidates)


def slow_questions(looking, asked, graph, k):
    """Scores of all blanks and outfits, one question's graph at a time."""
    blanks = []
    for given, offered in zip(
        asked.blanks.given.tolist(), asked.blanks.candidates.tolist(), strict=True
    ):
        edges = {(a, b) for a in given for b in given if a < b}
        hidden = {*given, *offered}
        for item in offered:
            if item >= 0:
                edges |= set(graph.first_edges(item, k, set(given), hidden))
        scores = looking.scores(edges)
        blanks.append(
            [float(scores[given, item].mean()) if item >= 0 else -torch.inf for item in offered]
        )
    outfits = []
    for items in asked.compatibility.outfits.tolist():
        edges = {e for item in items for e in graph.first_edges(item, k, set(items), set(items))}
        scores = looking.scores(edges)
        pairs = [scores[a, b] for n, a in enumerate(items) for b in items[n + 1 :]]
        outfits.append(float(torch.stack(pairs).mean()))
    return torch.tensor(blanks, dtype=torch.double), torch.tensor(outfits, dtype=torch.double)


@pytest.mark.parametrize("k", [0, 1, 3])
@pytest.mark.parametrize("most", [5, 10_000])
def test_questions_see_their_own_graph(looking, k, most, monkeypatch):
    monkeypatch.setattr(module, "_ITEMS", most)
    asked, graph = questions(), Graph(OUTFITS)
    found = score_in_context(looking.scorer, asked, graph, k)
    blanks, outfits = slow_questions(looking, asked, graph, k)
    torch.testing.assert_close(found.blanks, blanks, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.outfits, outfits, rtol=1e-4, atol=1e-4)


def test_without_context_only_the_given_items_are_linked(looking):
    asked = questions()
    found = score_in_context(looking.scorer, asked)
    alone = score_questions(looking.scorer, asked)
    assert torch.equal(found.outfits, alone.outfits)
    assert not torch.allclose(found.blanks, alone.blanks)


@pytest.mark.parametrize("k", [0, 1])
def test_equal_outfits_score_equal(looking, k):
    """METHODS T-1: to the last bit, or rounding would break ties."""
    sets = OUTFITS + [own[::-1] for own in OUTFITS]
    labels = torch.arange(len(sets)) < len(OUTFITS)
    asked = Questions(
        questions().blanks, Compatibility(ItemSets.of(sets), labels, torch.arange(len(sets)))
    )
    scores = score_in_context(looking.scorer, asked, Graph(OUTFITS), k).outfits
    assert torch.equal(scores[: len(OUTFITS)], scores[len(OUTFITS) :])


def test_questions_that_name_few_candidates_or_none(looking):
    blanks = Blanks(
        ItemSets.of([[0], [1, 2]]),
        torch.tensor([[3, -1], [4, 5]]),
        torch.tensor([0, 1]),
        torch.tensor([1, 1]),
    )
    none = Compatibility(ItemSets.of([]), torch.zeros(0, dtype=torch.bool), torch.arange(0))
    found = score_in_context(looking.scorer, Questions(blanks, none))
    assert found.blanks[0, 1] == -torch.inf and found.blanks.isfinite().sum() == 3
    nothing = Questions(blanks.select(torch.tensor([False, False])), none)
    assert score_in_context(looking.scorer, nothing, Graph(OUTFITS), 1).blanks.shape == (0, 2)


def test_items_that_are_beside_have_numbers_after_the_others(looking):
    graphs = Graphs(torch.tensor([3, 5]), torch.tensor([0, 0]), torch.tensor([[0, 1]]))
    more = beside(looking.scorer, graphs)
    assert len(more) == N + 2
    assert torch.equal(more.parts[0].h[:N], looking.scorer.parts[0].h)
    expected = looking.embed(X[[3, 5]], torch.tensor([[0, 1]]))
    torch.testing.assert_close(more.parts[0].h[N:], expected)
