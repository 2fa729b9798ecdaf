import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from facetwise.data.benchmarks.cxc import Judged
from facetwise.data.benchmarks.eccv import GroundTruth
from facetwise.errors import InputError
from facetwise.evaluation.cxc import co_captions, correlation, crisscrossed, within
from facetwise.evaluation.scorers import cosine_scorer, set_scorer
from facetwise.similarity import smooth_chamfer

N = 12  # images, five captions each
OWNER = torch.arange(5 * N) // 5
IMAGES = tuple(str(100 + image) for image in range(N))
CAPTIONS = tuple(str(9000 + caption) for caption in range(5 * N))


def sets(n: int, seed: int) -> torch.Tensor:
    return torch.randn(n, 3, 8, generator=torch.Generator().manual_seed(seed))


def slow_within(scores: np.ndarray, pairs: set[tuple[int, int]]) -> list[float]:
    """R@1, 5, 10 in percent."""
    pairs = pairs | {(b, a) for a, b in pairs}
    ranks = []
    for query in sorted({a for a, _ in pairs}):
        right = {b for a, b in pairs if a == query}
        best = max(scores[query][item] for item in right)
        wrong = set(range(len(scores))) - right - {query}
        ranks.append(1 + sum(scores[query][item] >= best for item in wrong))
    return [100 * float(np.mean([rank <= k for rank in ranks])) for k in (1, 5, 10)]


def judged(kind: str, left: list[str], right: list[str], scores: list[float]) -> Judged:
    return Judged(kind, "test", tuple(left), tuple(right), tuple(scores), ("x",) * len(scores))


@pytest.fixture
def people() -> dict[str, Judged]:
    g = np.random.default_rng(0)
    found = {}
    for kind, left, right in (
        ("sits", CAPTIONS, IMAGES),
        ("sts", CAPTIONS, CAPTIONS),
        ("sis", IMAGES, IMAGES),
    ):
        pairs = sorted(
            {(left[g.integers(len(left))], right[g.integers(len(right))]) for _ in range(60)}
        )
        pairs = [(a, b) for a, b in pairs if a != b]
        said = g.integers(0, 11, len(pairs)) / 2
        found[kind] = judged(kind, [a for a, _ in pairs], [b for _, b in pairs], said.tolist())
    return found


def test_a_query_never_answers_itself_even_among_negative_scores() -> None:
    angles = torch.deg2rad(torch.tensor([0.0, 110.0, 235.0]))  # every cosine is negative
    vectors = torch.stack([angles.cos(), angles.sin()], 1)
    found = within(cosine_scorer("cosine", vectors), torch.tensor([[0, 1]]))
    assert (found.queries, found.r1) == (2, 100.0)


@pytest.mark.parametrize("tile", [3, 7, 512])
def test_within_equals_a_slow_reference_in_any_tiles(tile: int) -> None:
    y = sets(60, 1)
    scorer = set_scorer("sets", y, smooth_chamfer)
    pairs = torch.tensor([[3, 9], [3, 11], [40, 3], [7, 50], [9, 3], [22, 23]])
    found = within(scorer, pairs, tile=tile)
    scores = smooth_chamfer(y, y).numpy()
    assert [found.r1, found.r5, found.r10] == pytest.approx(
        slow_within(scores, set(map(tuple, pairs.tolist())))
    )
    assert found.queries == 8  # 3, 9, 11, 40, 7, 50, 22 and 23


def test_identical_items_stand_before_the_right_one() -> None:
    same = cosine_scorer("cosine", torch.ones(20, 4))
    found = within(same, torch.tensor([[0, 1]]))
    assert (found.r1, found.r10, found.medr) == (0, 0, 19)
    assert within(same, torch.tensor([[0, 1]]), ties="optimistic").r1 == 100


def test_nothing_to_find_is_an_error() -> None:
    with pytest.raises(InputError, match="nothing to find"):
        within(cosine_scorer("cosine", torch.eye(3)), torch.tensor([[1, 1]]))


def test_co_captions_are_all_pairs_of_an_image_in_any_order() -> None:
    owner = torch.tensor([2, 0, 2, 1, 0, 2])
    found = {frozenset(pair) for pair in co_captions(owner).tolist()}
    assert found == {frozenset(pair) for pair in [(0, 2), (0, 5), (2, 5), (1, 4)]}
    assert len(co_captions(OWNER)) == N * 10
    assert len(co_captions(torch.empty(0, dtype=torch.long))) == 0


def test_four_directions_and_three_correlations(people: dict[str, Judged]) -> None:
    x, y = sets(N, 1), sets(5 * N, 2)
    scores = smooth_chamfer(x, y)
    found = crisscrossed(
        scores,
        set_scorer("texts", y, smooth_chamfer),
        set_scorer("images", x, smooth_chamfer),
        IMAGES,
        CAPTIONS,
        OWNER,
        people,
    )
    assert list(found) == ["i2t", "t2i", "t2t", "i2i", "correlation"]
    assert list(found["correlation"]) == ["sits", "sts", "sis"]
    place = {name: index for index, name in enumerate((*IMAGES, *CAPTIONS))}

    def right(kind: str, least: float) -> set[tuple[int, int]]:
        one = people[kind]
        return {
            (place[a], place[b])
            for a, b, said in zip(one.left, one.right, one.scores, strict=True)
            if said >= least
        }

    sis = right("sis", 2.5)
    sts = {(a - N, b - N) for a, b in right("sts", 3)} | set(
        map(tuple, co_captions(OWNER).tolist())
    )
    for way, own, pairs in (("i2i", x, sis), ("t2t", y, sts)):
        assert [found[way][f"R@{k}"] for k in (1, 5, 10)] == pytest.approx(
            slow_within(smooth_chamfer(own, own).numpy(), pairs), abs=0.005
        )
    sits = {(b, a - N) for a, b in right("sits", 3)}
    assert found["i2t"]["queries"] == len({image for image, _ in sits})
    assert found["t2i"]["queries"] == len({caption for _, caption in sits})
    best = scores.argmax(1).tolist()
    hits = [(image, best[image]) in sits for image in {image for image, _ in sits}]
    assert found["i2t"]["R@1"] == pytest.approx(100 * np.mean(hits), abs=0.005)


def test_without_the_csv_the_packaged_truth_serves_both_ways() -> None:
    truth = GroundTruth("cxc", {"100": ("9000", "9007")}, {"9000": ("100",)})
    scores = torch.zeros(N, 5 * N)
    scores[0, 7] = 1
    texts, images = (cosine_scorer("c", torch.randn(n, 4)) for n in (5 * N, N))
    found = crisscrossed(scores, texts, images, IMAGES, CAPTIONS, OWNER, {}, truth)
    assert found["i2t"]["R@1"] == 100.0
    assert list(found) == ["i2t", "t2i", "t2t"]
    with pytest.raises(InputError, match="needs sits"):
        crisscrossed(scores, texts, images, IMAGES, CAPTIONS, OWNER, {})


def test_unknown_items_are_an_error_or_left_out(people: dict[str, Judged]) -> None:
    x, y = sets(N - 1, 1), sets(5 * N - 5, 2)
    last = (
        smooth_chamfer(x, y),
        set_scorer("texts", y, smooth_chamfer),
        set_scorer("images", x, smooth_chamfer),
        IMAGES[:-1],
        CAPTIONS[:-5],
        OWNER[:-5],
        people,
    )
    with pytest.raises(InputError, match="--allow-partial"):
        crisscrossed(*last)
    assert crisscrossed(*last, allow_partial=True)["correlation"]["sits"]["pairs"] < 60


def test_correlation_of_one_pair_a_query_is_near_spearman() -> None:
    g = torch.Generator().manual_seed(0)
    people = torch.randint(0, 6, (400,), generator=g).double()
    model = people + 2 * torch.randn(400, generator=g)
    found = correlation(torch.arange(400), people, model)
    assert found["spearman"] == pytest.approx(100 * spearmanr(people, model).statistic, abs=1.5)
    assert 0 < found["std"] < 8
    assert found["pairs"] == 400
    assert correlation(torch.arange(400), people, model) == found
    assert correlation(torch.arange(400), people, people)["spearman"] == 100.0


def test_a_constant_model_has_no_correlation() -> None:
    found = correlation(torch.arange(8), torch.arange(8).double(), torch.zeros(8))
    assert found["spearman"] is None
