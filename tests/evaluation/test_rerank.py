"""Two stages against a slow reference, and through the command line."""

from __future__ import annotations

import io

import pytest
import torch
from rich.console import Console

from facetwise.cli.main import main
from facetwise.data.synthetic import shapes_collection
from facetwise.errors import InputError
from facetwise.evaluation import evaluate, rerank
from facetwise.evaluation.answers import Matrix
from facetwise.evaluation.coco import coco_1k, coco_5k
from facetwise.evaluation.image_text import Scored
from facetwise.evaluation.rerank import Reranked, pair_scorer
from facetwise.metrics.positives import Positives
from facetwise.models import load
from facetwise.similarity import NamedSimilarity, score_matrix

IMAGES, TEXTS = 12, 60
OWNER = torch.arange(TEXTS) // 5


def matrices():
    g = torch.Generator().manual_seed(0)
    truth = torch.nn.functional.one_hot(OWNER, IMAGES).T.float()
    fast = truth + 0.9 * torch.randn(IMAGES, TEXTS, generator=g)
    slow = truth + 0.5 * torch.randn(IMAGES, TEXTS, generator=g)
    return fast, slow


def by_table(scores):
    return lambda images, texts: scores[images, texts]


def order(fast, slow, depth):
    """The places (best first) of one query's answers, in plain Python."""
    first = sorted(range(len(fast)), key=lambda i: -fast[i])
    return sorted(first[:depth], key=lambda i: -slow[i]) + first[depth:]


@pytest.mark.parametrize("way", ["i2t", "t2i"])
@pytest.mark.parametrize("depth", [1, 4, 1000])
def test_the_best_are_ordered_anew_and_the_rest_stays_behind(way, depth):
    fast, slow = matrices()
    answers = Reranked(fast, by_table(slow), depth)
    asked, better = (fast, slow) if way == "i2t" else (fast.T, slow.T)
    found = answers.ranked(way, range(len(asked)))
    for n, row in enumerate(found.argsort(dim=1, descending=True).tolist()):
        assert row == order(asked[n].tolist(), better[n].tolist(), depth)


@pytest.mark.parametrize("protocol", [coco_5k, coco_1k])
def test_a_depth_of_everything_is_the_second_run_and_a_depth_of_one_is_the_first(protocol):
    fast, slow = matrices()
    options = {"fold": 4} if protocol is coco_1k else {}

    def figures(answers):
        return protocol(Scored(answers), OWNER, **options).to_dict()

    again = by_table(slow)
    assert figures(Reranked(fast, again, TEXTS)) == figures(Matrix(slow))
    assert figures(Reranked(fast, again, 1)) == figures(Matrix(fast))
    both = figures(Reranked(fast, again, 10))["rsum"]
    assert both > figures(Matrix(fast))["rsum"]


def test_a_fold_chooses_among_its_own_and_asks_for_pairs_by_their_own_numbers():
    fast, slow = matrices()
    fold = Reranked(fast, by_table(slow), 3).block(range(4, 8), range(20, 40))
    alone = Reranked(fast[4:8, 20:40], by_table(slow[4:8, 20:40]), 3)
    for way, queries in (("i2t", 4), ("t2i", 20)):
        torch.testing.assert_close(
            fold.ranked(way, range(queries)), alone.ranked(way, range(queries))
        )


def test_tiles_change_nothing(monkeypatch):
    fast, slow = matrices()
    answers = Reranked(fast, by_table(slow), 5)
    positives = Positives.of_owner(OWNER, IMAGES)
    first, every = answers.first("i2t", positives), answers.every("i2t", positives)
    monkeypatch.setattr(rerank, "_SCORES", 130)
    torch.testing.assert_close(answers.first("i2t", positives).ranks(), first.ranks())
    torch.testing.assert_close(answers.every("i2t", positives), every)


def test_answers_that_tie_at_the_edge_are_all_looked_at():
    fast = torch.tensor([[1.0, 0.5, 0.5, 0.5, 0.0]])
    slow = torch.tensor([[0.0, 0.1, 0.2, 0.3, 9.0]])
    found = Reranked(fast, by_table(slow), 2).ranked("i2t", range(1))
    assert found.argsort(descending=True).tolist() == [[3, 2, 1, 0, 4]]


def test_pairs_of_padded_sets_are_scored_as_in_the_matrix():
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(4, 3, 6, generator=g), torch.randn(5, 4, 6, generator=g)
    x[1, 2], y[3, 1:] = 0, 0
    similarity = NamedSimilarity("cross_attention")
    r, c = torch.cartesian_prod(torch.arange(4), torch.arange(5)).T
    torch.testing.assert_close(
        pair_scorer(x, y, similarity)(r, c).view(4, 5), score_matrix(x, y, similarity)
    )


@pytest.mark.parametrize("name", ["coco-1k", "coco-5k"])
def test_a_run_that_ranks_its_own_answers_again_changes_nothing(tiny_run, coco, figures, name):
    words = ("--benchmark", name, "--data", coco, "--allow-partial")
    alone = figures(tiny_run, *words)
    again = figures(tiny_run, "--rerank", tiny_run, "--depth", "3", *words)
    assert again["rsum"] == alone["rsum"]
    assert again["rerank"]["first_stage"]["rsum"] == alone["rsum"]
    assert again["rerank"]["depth"] == 3
    assert 0 <= again["rerank"]["within_depth"]["t2i"] <= 100
    assert again["rerank"]["difference"]["rsum"] == 0
    assert again["control"] == alone["control"]


def test_an_own_collection_is_ranked_in_two_stages(tiny_run, untrained, figures, tmp_path):
    collection = shapes_collection(tmp_path / "shapes.collection", n=30)
    words = ("--collection", collection.path)
    alone = figures(tiny_run, *words)["image_text"]
    again = figures(tiny_run, "--rerank", tiny_run, "--depth", "5", *words)["image_text"]
    assert again["rsum"] == again["rerank"]["first_stage"]["rsum"] == alone["rsum"]
    report = evaluate(load(tiny_run), collection, rerank=load(tiny_run), depth=5)
    printed = Console(width=100, file=io.StringIO())
    printed.print(report.table())
    assert "before the best 5 were ranked again" in printed.file.getvalue()
    seen = untrained(collection, seen=29)  # of what neither has seen one picture is left
    with pytest.raises(InputError, match="fewer than two"):
        evaluate(load(tiny_run), collection, rerank=seen)


def test_judgements_of_the_first_stage_are_not_passed_off_as_those_of_both(
    tiny_run, flickr8k, figures
):
    words = ("--benchmark", "flickr8k", "--data", flickr8k, "--allow-partial")
    assert "judgements" in figures(tiny_run, *words)
    assert "judgements" not in figures(tiny_run, "--rerank", tiny_run, *words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--benchmark", "cxc"), "correlates all scores"),
        (("--benchmark", "flickr8k-judgements"), "correlates all scores"),
        (("--benchmark", "retrieval"), "compares pictures alone"),
        (("--benchmark", "coco-5k", "--depth", "0"), "--depth 0: expected 1 or more"),
        (("--benchmark", "coco-5k", "--save-scores", "s.npz"), "makes two rankings"),
    ],
)
def test_what_has_no_second_stage_is_refused(tiny_run, coco, capsys, words, message):
    words = ("--rerank", str(tiny_run), *words, "--data", str(coco))
    assert main(["evaluate", str(tiny_run), *words]) == 2
    assert message in capsys.readouterr().err
