from __future__ import annotations

import pytest
import torch

from facetwise.data import Collection, Item
from facetwise.evaluation.episodes import draw_episodes
from facetwise.evaluation.few_shot import few_shot, few_shot_figures, paired
from facetwise.evaluation.request import Request
from facetwise.evaluation.scorers import Embedded, Scorer, cosine_scorer
from facetwise.metrics import mean_interval


def drawn(way=3, shot=2, episodes=20):
    labels = torch.arange(4).repeat_interleave(9)
    g = torch.Generator().manual_seed(0)
    return labels, draw_episodes(
        labels, way=way, shot=shot, query=3, episodes=episodes, generator=g
    )


def constant(n: int) -> Scorer:
    return Scorer(
        "constant",
        (
            Embedded(
                torch.zeros(n, 1),
                lambda q, g: torch.zeros(len(q), len(g)),
                lambda h, r, c: torch.zeros(len(r)),
            ),
        ),
    )


def test_right_embeddings_are_always_right():
    labels, episodes = drawn()
    found = few_shot(cosine_scorer("exact", torch.eye(4)[labels]), episodes)
    assert found.to_dict() == {
        "accuracy": 100.0,
        "ci95": 0.0,
        "prototypes": {"accuracy": 100.0, "ci95": 0.0},
    }


def test_a_constant_score_gets_nothing_or_chance():
    _, episodes = drawn()
    assert few_shot(constant(36), episodes).accuracy.mean == 0
    by_chance = few_shot(constant(36), episodes, ties="mean").accuracy
    assert by_chance.mean == pytest.approx(100 / 3)


def test_floor_division_labels():
    # METHODS T-4: with true division most queries would count as wrong
    _, episodes = drawn(way=3)
    assert episodes.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_the_paired_interval_is_that_of_the_differences():
    labels, episodes = drawn()
    g = torch.Generator().manual_seed(1)
    x = torch.eye(4)[labels] + 0.8 * torch.randn(36, 4, generator=g)
    a = few_shot(cosine_scorer("a", x), episodes)
    b = few_shot(cosine_scorer("b", x + 0.1 * torch.randn(36, 4, generator=g)), episodes)
    found = paired(a, b)
    expected = mean_interval(100 * (a.accuracies - b.accuracies))
    assert found["difference"] == round(expected.mean, 2)
    assert found["difference_ci95"] == round(expected.ci95, 2)
    assert found["difference_ci95"] < a.accuracy.ci95
    assert paired(a, a) == {"difference": 0.0, "difference_ci95": 0.0}


def test_runs_are_compared_on_the_same_episodes():
    labels = torch.arange(4).repeat_interleave(9)
    x = torch.eye(4)[labels] + torch.randn(36, 4, generator=torch.Generator().manual_seed(2))
    scorer = cosine_scorer("own", x)
    request = Request(models=(), way=0, shot=1, query=4, episodes=10, seed=5)
    figures = few_shot_figures(request, (scorer, scorer), scorer, labels)
    assert figures["control"]["own"]["difference_ci95"] == 0
    assert figures["against"]["accuracy"] == figures["accuracy"]
    assert (figures["way"], figures["episodes"], figures["classes"]) == (4, 10, 4)
    again = few_shot_figures(request, (scorer, scorer), None, labels)
    assert again["accuracy"] == figures["accuracy"]
    assert "against" not in again


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    from facetwise.data.synthetic import shapes_collection

    folder = tmp_path_factory.mktemp("shop")
    shapes = shapes_collection(folder / "shapes.collection", n=60)
    items = (
        Item(name, picture, group=f"group {row % 3}" if row < 48 else None)
        for row, (name, picture) in enumerate(
            zip(shapes.ids, shapes.image_bytes(range(60)), strict=True)
        )
    )
    return Collection.create(folder / "shop.collection", items)


def test_own_groups(shop, tiny_run, figures):
    words = ("--way", "0", "--shot", "2", "--query", "3", "--episodes", "8")
    found = figures(tiny_run, "--benchmark", "few-shot", "--data", shop.path, *words)
    assert {"accuracy", "ci95", "episodes", "seconds", "prototypes", "control"} <= set(found)
    assert (found["way"], found["classes"], found["images"]) == (3, 3, 60)
    assert set(found["control"]) == {"head, cosine", "last layer", "frozen features"}
    both = figures(
        *(tiny_run, tiny_run, "--against", tiny_run, "--benchmark", "few-shot"),
        *("--collection", shop.path, *words),
    )
    assert both["accuracy"] == found["accuracy"]
    assert both["against"]["difference"] == 0


def test_too_few_pictures_of_a_group(shop, tiny_run, capsys):
    from facetwise.cli.main import main

    assert main(["evaluate", str(tiny_run), "--benchmark", "few-shot", "--data", str(shop.path)])
    assert "0 of 3 classes have the 21 items" in capsys.readouterr().err
