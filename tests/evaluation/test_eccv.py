import warnings

import numpy as np
import pytest
import torch

from facetwise.data.benchmarks.eccv import GroundTruth, ground_truth
from facetwise.errors import InputError
from facetwise.evaluation.answers import Matrix, Rankings
from facetwise.evaluation.eccv import eccv_caption, many_positives
from facetwise.metrics.positives import Positives

TRUTH = GroundTruth("eccv", {"7": ("70", "71", "90"), "9": ("90",)}, {"70": ("7", "8")})
IMAGES = ("7", "8", "9")
CAPTIONS = ("70", "71", "80", "90", "91")


def slow(scores: np.ndarray, right: list[int]) -> tuple[float, float, float]:
    """mAP@R, R-Precision and R@1 of one query, wrong items first among equals."""
    order = sorted(range(len(scores)), key=lambda item: (-scores[item], item in right))
    hits = [item in right for item in order[: len(right)]]
    precise = [sum(hits[: r + 1]) / (r + 1) * hit for r, hit in enumerate(hits)]
    return sum(precise) / len(right), sum(hits) / len(right), float(hits[0])


@pytest.mark.parametrize("levels", [3, 10_000])  # with many ties, and with none
def test_figures_equal_a_slow_reference(levels: int) -> None:
    g = torch.Generator().manual_seed(levels)
    scores = torch.randint(levels, (20, 50), generator=g).float()
    edges = torch.stack(
        [torch.randint(15, (70,), generator=g), torch.randint(50, (70,), generator=g)], 1
    )
    found = many_positives(Matrix(scores), "i2t", Positives.of(edges, 20))
    asking = sorted(set(edges[:, 0].tolist()))
    expected = np.mean(
        [
            slow(scores[query].numpy(), sorted(set(edges[edges[:, 0] == query, 1].tolist())))
            for query in asking
        ],
        axis=0,
    )
    assert found.queries == len(asking)
    assert [found.map_at_r, found.r_precision, found.recalls[0]] == pytest.approx(100 * expected)


def test_golden_value_of_the_field() -> None:
    scores = torch.tensor([[5.0, 4.0, 3.0, 2.0, 1.0]])  # a x b c y, right are a, b and c
    positives = Positives.of(torch.tensor([[0, 0], [0, 2], [0, 3]]), 1)
    found = many_positives(Matrix(scores), "i2t", positives)
    assert found.map_at_r == pytest.approx(55.5556, abs=1e-4)
    assert found.r_precision == pytest.approx(66.6667, abs=1e-4)


def test_both_ways_have_their_own_truth_and_queries() -> None:
    scores = torch.tensor(
        [[0.9, 0.8, 0.1, 0.2, 0.1], [0.5, 0.1, 0.1, 0.1, 0.1], [0.6, 0.1, 0.1, 0.9, 0.2]]
    )
    found = eccv_caption(Matrix(scores), TRUTH, IMAGES, CAPTIONS)
    assert found["i2t"]["queries"] == 2
    assert found["i2t"]["R@1"] == 100.0
    assert found["i2t"]["r_precision"] == 100.0
    assert found["t2i"] == {
        "map_at_r": 50.0,
        "r_precision": 50.0,
        "R@1": 100.0,
        "R@5": 100.0,
        "R@10": 100.0,
        "queries": 1,
        "positives": 2,
    }
    assert found["mean"] == {"map_at_r": 75.0, "r_precision": 75.0, "R@1": 100.0}
    assert "problems" not in found


def test_the_order_of_the_ids_makes_no_difference() -> None:
    g = torch.Generator().manual_seed(1)
    scores = torch.randn(3, 5, generator=g)
    rows, columns = torch.randperm(3, generator=g), torch.randperm(5, generator=g)
    assert eccv_caption(Matrix(scores), TRUTH, IMAGES, CAPTIONS) == eccv_caption(
        Matrix(scores[rows][:, columns]),
        TRUTH,
        [IMAGES[row] for row in rows],
        [CAPTIONS[column] for column in columns],
    )


def test_what_is_missing_is_an_error_or_a_remark() -> None:
    scores = Matrix(torch.randn(2, 5, generator=torch.Generator().manual_seed(0)))
    with pytest.raises(InputError, match="--allow-partial"):
        eccv_caption(scores, TRUTH, ("7", "8"), CAPTIONS)
    found = eccv_caption(scores, TRUTH, ("7", "8"), CAPTIONS, allow_partial=True)
    assert found["i2t"]["queries"] == 1
    assert found["problems"] == ["i2t: 3 of 4 right answers are there"]


def test_a_right_answer_that_nobody_ranks_counts_as_missed() -> None:
    scores = Matrix(torch.tensor([[0.9, 0.1]]))
    beyond = Positives.of(torch.tensor([[0, 0], [0, 2]]), 1)  # two captions are ranked
    assert many_positives(scores, "i2t", beyond).r_precision == 50.0


def test_nothing_asked_is_an_error() -> None:
    none = Positives.of(torch.empty(0, 2, dtype=torch.long), 3)
    with pytest.raises(InputError, match="no query has a right answer"):
        many_positives(Matrix(torch.zeros(3, 5)), "i2t", none)


def test_ten_figures_equal_the_official_package_on_random_rankings() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it misses optional packages aloud
        official = pytest.importorskip("eccv_caption")
        metrics = official.Metrics()
    truth = ground_truth("eccv")
    images = sorted({*truth.captions_of, *(i for own in truth.images_of.values() for i in own)})
    captions = sorted({*truth.images_of, *(c for own in truth.captions_of.values() for c in own)})
    g = np.random.default_rng(0)
    lists: dict[str, dict[str, list[int]]] = {}
    places: dict[str, np.ndarray] = {}
    for way, right, asking, asked in (
        ("i2t", truth.captions_of, images, captions),
        ("t2i", truth.images_of, captions, images),
    ):
        number = {name: place for place, name in enumerate(asked)}
        rows = np.full((len(asking), 60), -1)
        for row, query in enumerate(asking):
            if query in right:
                own = g.permutation([number[name] for name in right[query]])[: g.integers(50)]
                rest = np.setdiff1d(g.integers(len(asked), size=200), own)
                rest = g.permutation(rest)[: 60 - len(own)]
                # right answers come early, and later ones less often
                rows[row, np.sort(g.permutation(60)[: len(own)])] = own
                rows[row, rows[row] < 0] = rest
        places[way] = rows
        lists[way] = {
            int(query): [int(asked[place]) for place in row]
            for query, row in zip(asking, rows, strict=True)
            if row[0] >= 0
        }
    theirs = metrics.compute_all_metrics(
        lists["i2t"], lists["t2i"], ("eccv_map_at_r", "eccv_rprecision", "eccv_r1")
    )
    theirs |= metrics.compute_all_metrics(lists["i2t"], lists["t2i"], ("eccv_recalls",))
    answers = Rankings(torch.from_numpy(places["i2t"]), torch.from_numpy(places["t2i"]))
    for way, edges in zip(("i2t", "t2i"), truth.edges(images, captions), strict=True):
        queries = len(images) if way == "i2t" else len(captions)
        ours = many_positives(answers, way, Positives.of(edges, queries))
        for name, value in (
            ("eccv_map_at_r", ours.map_at_r),
            ("eccv_rprecision", ours.r_precision),
            ("eccv_r1", ours.recalls[0]),
            ("eccv_r5", ours.recalls[1]),
            ("eccv_r10", ours.recalls[2]),
        ):
            assert value == pytest.approx(100 * theirs[name][way], abs=1e-9)
            assert 0 < value < 100
