from __future__ import annotations

import pytest
import torch

from facetwise.data.synthetic import shapes_collection
from facetwise.errors import InputError
from facetwise.evaluation.image_image import reranked, retrieval
from facetwise.evaluation.retrieval import paired, retrieval_figures
from facetwise.evaluation.scorers import Scorer, cosine_scorer
from facetwise.metrics import map_at_r, recall_at_k


def blurred(labels: torch.Tensor, noise: float, seed: int = 0) -> Scorer:
    g = torch.Generator().manual_seed(seed)
    classes = int(labels.max()) + 1
    x = torch.eye(classes)[labels] + noise * torch.randn(len(labels), classes, generator=g)
    return cosine_scorer(f"noise {noise}", x)


LABELS = torch.arange(8).repeat_interleave(5)


@pytest.mark.parametrize("ties", ["pessimistic", "optimistic"])
def test_recalls_at_any_k_equal_the_dense_metrics(ties):
    # a few values only, so that many tie
    scorer = blurred(LABELS, 0.7)

    def score(q, g):
        return (scorer.matrix(q, g) * 4).round()

    found = retrieval(score, LABELS, ties=ties)
    everyone = torch.arange(40)
    scores = score(everyone, everyone).fill_diagonal_(-torch.inf)
    relevant = (LABELS[:, None] == LABELS) & ~torch.eye(40, dtype=torch.bool)
    for k in (1, 2, 4, 8, 50):
        assert found.recall(k) == pytest.approx(100 * recall_at_k(scores, relevant, k, ties=ties))
    assert found.map_at_r == pytest.approx(100 * map_at_r(scores, relevant, ties=ties))
    assert set(found.figures((1, 8))) == {"queries", "gallery", "R@1", "R@8", "map_at_r"}


def test_shuffled_ties_are_refused():
    with pytest.raises(InputError, match="--ties pessimistic"):
        retrieval(blurred(LABELS, 1).matrix, LABELS, ties="mean")


def test_ranking_all_again_is_the_full_ranking():
    good, bad = blurred(LABELS, 0.4), blurred(LABELS, 2.0, seed=1)
    full = retrieval(good.matrix, LABELS)
    again = retrieval(reranked(good, bad, 40), LABELS)
    assert again.figures((1, 2, 4)) == full.figures((1, 2, 4))


def test_ranking_one_again_is_the_cheap_ranking():
    good, bad = blurred(LABELS, 0.4), blurred(LABELS, 2.0, seed=1)
    cheap = retrieval(bad.matrix, LABELS)
    again = retrieval(reranked(good, bad, 1), LABELS)
    assert again.figures((1, 2, 4)) == cheap.figures((1, 2, 4))


def test_the_first_are_ranked_again_and_the_rest_stays():
    good, bad = blurred(LABELS, 0.4), blurred(LABELS, 2.0, seed=1)
    q, g = torch.tensor([0]), torch.arange(1, 40)
    order = reranked(good, bad, 10)(q, g).argsort(descending=True)[0]
    cheap = bad.matrix(q, g)[0].argsort(descending=True)
    assert set(order[:10].tolist()) == set(cheap[:10].tolist())
    assert order[10:].tolist() == cheap[10:].tolist()
    best = good.matrix(q, g[order[:10]])[0]
    assert bool((best.diff() <= 0).all())


def test_reranking_hides_a_broken_model():
    broken, cheap = blurred(LABELS, 50.0), blurred(LABELS, 0.1, seed=1)
    figures = retrieval_figures((broken, cheap), None, LABELS, ks=(1, 4), first=4)
    assert figures["reranked"]["R@1"] > 95 > 40 > figures["R@1"]
    assert figures["reranked"]["by"] == "noise 0.1"


def test_ties_with_the_last_of_the_first_are_ranked_again_too():
    constant = cosine_scorer("constant", torch.ones(40, 2))
    good = blurred(LABELS, 0.4)
    full = retrieval(good.matrix, LABELS).figures((1, 4))
    assert retrieval(reranked(good, constant, 3), LABELS).figures((1, 4)) == full


def test_controls_and_rivals_are_paired_on_the_same_queries():
    good, bad = blurred(LABELS, 0.2), blurred(LABELS, 2.0, seed=1)
    figures = retrieval_figures((good, bad), good, LABELS, ks=(1,), clusters=True)
    control = figures["control"]["noise 2.0"]
    assert control["R@1_difference"] == pytest.approx(figures["R@1"] - control["R@1"], abs=0.011)
    assert control["R@1_ci95"] > 0
    assert figures["nmi"] > control["nmi"]
    assert figures["against"]["map_at_r_difference"] == 0
    one, two = (retrieval(good.matrix, LABELS, torch.arange(n)) for n in (10, 20))
    with pytest.raises(ValueError, match="same queries"):
        paired(one, two)


def test_nothing_to_find_is_said():
    with pytest.raises(InputError, match="no picture has another"):
        retrieval_figures((blurred(torch.arange(5), 0.1),), None, torch.arange(5), ks=(1,))


def test_own_groups(tmp_path, tiny_run, figures):
    shop = shapes_collection(tmp_path / "shop.collection", n=40)
    found = figures(
        tiny_run, "--benchmark", "retrieval", "--data", shop.path, "--against", tiny_run
    )
    assert {"R@1", "R@5", "R@10", "map_at_r", "queries", "gallery", "seconds"} <= set(found)
    assert found["reranked"]["first"] == 100
    assert found["against"]["R@1_difference"] == 0
    assert set(found["control"]) == {"head, cosine", "last layer", "frozen features"}
    sets = figures(tiny_run, "--benchmark", "retrieval", "--data", shop.path, "--using", "sets")
    assert set(sets["control"]) == {"mean vectors", "last layer", "frozen features"}


def test_scores_of_pictures_are_not_saved(tmp_path, tiny_run, capsys):
    from facetwise.cli.main import main

    words = ["--benchmark", "retrieval", "--data", str(tmp_path), "--save-scores", "s.npz"]
    assert main(["evaluate", str(tiny_run), *words]) == 2
    assert "--save-scores keeps scores of images with texts" in capsys.readouterr().err
