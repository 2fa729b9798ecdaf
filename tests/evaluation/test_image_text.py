import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facetwise.evaluation.answers import Matrix
from facetwise.evaluation.image_text import (
    Encoded,
    Scored,
    difference,
    image_text,
    matches,
    measured,
    recalls,
    scored,
)
from facetwise.metrics.positives import Positives
from facetwise.similarity import NamedSimilarity, average, mean_vectors, smooth_chamfer


def unit_sets(n: int, k: int, d: int, seed: int) -> torch.Tensor:
    x = torch.randn(n, k, d, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(x, dim=-1)


def slow_ranks(scores: np.ndarray, right: np.ndarray) -> list[int]:
    """Of the first right answer; every wrong item that ties stands before it."""
    ranks = []
    for row, good in zip(scores, right, strict=True):
        best = max(score for score, is_right in zip(row, good, strict=True) if is_right)
        ahead = sum(
            score >= best for score, is_right in zip(row, good, strict=True) if not is_right
        )
        ranks.append(ahead + 1)
    return ranks


def slow_recalls(scores: np.ndarray, right: np.ndarray) -> list[float]:
    """Percent within 1, 5, 10."""
    ranks = slow_ranks(scores, right)
    return [100 * float(np.mean([rank <= k for rank in ranks])) for k in (1, 5, 10)]


def owned(scores: torch.Tensor, ties: str = "pessimistic"):
    """Figures of five captions an image."""
    owner = torch.arange(scores.shape[1]) // 5
    return measured(Scored(Matrix(scores)), Positives.of_owner(owner, len(scores)), ties=ties)


@pytest.mark.parametrize("k", [1, 3])
def test_recalls_equal_a_slow_reference_with_many_positives(k: int) -> None:
    texts = [[f"text {row % 7}", f"own {row}"] for row in range(30)]
    distinct, edges = matches(texts)
    x, y = unit_sets(30, k, 8, 1), unit_sets(len(distinct), k, 8, 2)
    found = image_text(x, y, edges, smooth_chamfer)
    scores = smooth_chamfer(x, y).numpy()
    right = np.array([[text in own for text in distinct] for own in texts])
    assert [found.i2t.r1, found.i2t.r5, found.i2t.r10] == pytest.approx(slow_recalls(scores, right))
    assert [found.t2i.r1, found.t2i.r5, found.t2i.r10] == pytest.approx(
        slow_recalls(scores.T, right.T)
    )
    assert found.rsum == pytest.approx(
        sum(slow_recalls(scores, right) + slow_recalls(scores.T, right.T))
    )
    assert found.i2t.medr == np.median(slow_ranks(scores, right))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_matrix_with_any_ties_equals_the_slow_reference(data: st.DataObject) -> None:
    images, captions = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 12))
    values = st.lists(st.integers(0, 3), min_size=images * captions, max_size=images * captions)
    scores = np.array(data.draw(values), dtype=np.float32).reshape(images, captions)
    owner = np.sort(
        data.draw(st.lists(st.integers(0, images - 1), min_size=captions, max_size=captions))
    )
    right = owner == np.arange(images)[:, None]
    found = measured(
        Scored(Matrix(torch.from_numpy(scores))),
        Positives.of_owner(torch.from_numpy(owner.astype(np.int64)), images),
    )
    some = right.any(1)
    assert [found.i2t.r1, found.i2t.r5, found.i2t.r10] == pytest.approx(
        slow_recalls(scores[some], right[some])
    )
    assert [found.t2i.r1, found.t2i.r5, found.t2i.r10] == pytest.approx(
        slow_recalls(scores.T, right.T)
    )


def test_a_collapsed_model_scores_nothing_and_every_query_is_tied() -> None:
    _, edges = matches([[str(row)] for row in range(20)])
    same = torch.ones(20, 2, 4) / 2
    found = image_text(same, same, edges, smooth_chamfer)
    assert found.rsum == 0
    assert found.control == 0
    assert found.ties == 40
    assert found.variance == pytest.approx((0.0, 0.0), abs=1e-6)


def test_what_is_done_about_ties_can_be_chosen() -> None:
    constant = torch.zeros(20, 100)
    assert owned(constant, "optimistic").rsum == 600
    shuffled = owned(constant, "mean")  # the expectation, when tied items are shuffled
    assert shuffled.t2i.r1 == pytest.approx(5.0)
    assert shuffled.t2i.r10 == pytest.approx(50.0)
    assert shuffled.i2t.r1 == pytest.approx(5.0)


def test_identical_sets_find_each_other_and_so_do_their_means() -> None:
    _, edges = matches([[str(row).zfill(3)] for row in range(40)])
    x = unit_sets(40, 4, 32, 3)
    found = image_text(x, x, edges, smooth_chamfer)
    assert found.rsum == pytest.approx(600)
    assert found.control == pytest.approx(600)
    assert found.rsum_se == pytest.approx(0, abs=1e-9)
    assert found.ties == 0


def test_single_vectors_are_their_own_control_and_do_not_vary() -> None:
    _, edges = matches([[str(row)] for row in range(30)])
    x, y = unit_sets(30, 1, 4, 4), unit_sets(30, 1, 4, 5)
    figures = image_text(x, y, edges, average).to_dict()
    assert figures["control"] == {"mean_vector_rsum": figures["rsum"]}
    assert figures["variance"] == {"image": 0.0, "text": 0.0}


def test_the_control_ranks_by_the_mean_vectors() -> None:
    _, edges = matches([[str(row)] for row in range(30)])
    x, y = unit_sets(30, 3, 4, 4), unit_sets(30, 3, 4, 5)
    found = image_text(x, y, edges, smooth_chamfer)
    alone = image_text(mean_vectors(x), mean_vectors(y), edges, average)
    assert found.control == pytest.approx(alone.rsum)
    assert found.rsum != found.control


def test_an_ensemble_is_the_mean_of_the_score_matrices() -> None:
    x, y = unit_sets(30, 3, 8, 1), unit_sets(30, 3, 8, 2)
    z, w = unit_sets(30, 2, 5, 3), unit_sets(30, 2, 5, 4)  # another model, of other sizes
    both = scored([Encoded(x, y, smooth_chamfer), Encoded(z, w, average)])
    assert isinstance(both.answers, Matrix)
    torch.testing.assert_close(
        both.answers.scores, (smooth_chamfer(x, y) + average(z, w)) / 2, rtol=0, atol=1e-6
    )
    singles = [scored([Encoded(x, y, smooth_chamfer)]), scored([Encoded(z, w, average)])]
    assert both.variance is not None
    for side in (0, 1):
        assert both.variance[side] == pytest.approx(
            np.mean([one.variance[side] for one in singles if one.variance])
        )


def test_an_ensemble_is_of_the_same_items() -> None:
    one = Encoded(unit_sets(4, 1, 8, 1), unit_sets(4, 1, 8, 2), average)
    other = Encoded(unit_sets(5, 1, 8, 1), unit_sets(4, 1, 8, 2), average)
    with pytest.raises(ValueError, match="same images and texts"):
        scored([one, other])


def test_the_standard_error_is_that_of_images_with_their_captions() -> None:
    # All captions of an image are found together or not at all: 5 captions say no more than one.
    hits = torch.arange(400) % 2 == 0
    scores = torch.zeros(400, 2000)
    scores[torch.arange(2000) // 5, torch.arange(2000)] = torch.where(
        hits.repeat_interleave(5), 1.0, -1.0
    )
    found = owned(scores)
    assert found.rsum == pytest.approx(300)  # each way half of the queries
    assert found.rsum_se == pytest.approx(600 * (0.5 / 400**0.5), rel=0.1)


def test_a_paired_difference_is_narrower_than_the_runs_own_intervals() -> None:
    g = torch.Generator().manual_seed(0)
    owner = torch.arange(1000) // 5
    noise = torch.randn(200, 1000, generator=g)
    easy = torch.zeros(200, 1000)
    easy[owner, torch.arange(1000)] = 2.5
    a, b = owned(easy + noise), owned(0.93 * easy + noise)
    found = difference(a, b)
    assert found["rsum"] == pytest.approx(a.rsum - b.rsum, abs=0.01)
    low, high = found["ci95"]
    assert low < found["rsum"] < high
    assert a.rsum_se is not None
    assert high - low < 2 * 1.96 * a.rsum_se
    assert difference(a, a)["ci95"] == [0.0, 0.0]
    with pytest.raises(ValueError, match="same images"):
        difference(a, owned(torch.eye(10).repeat_interleave(5, 1)))


def test_the_same_seed_gives_the_same_error() -> None:
    scores = torch.randn(50, 250, generator=torch.Generator().manual_seed(1))
    assert owned(scores).rsum_se == owned(scores).rsum_se


def test_one_image_has_no_error() -> None:
    assert owned(torch.ones(1, 5)).to_dict()["rsum_se"] is None


def test_the_keys_are_those_that_were_promised() -> None:
    _, edges = matches([[str(row)] for row in range(20)])
    x = unit_sets(20, 2, 8, 0)
    assert list(image_text(x, x, edges, smooth_chamfer).to_dict()) == [
        *("images", "texts", "i2t", "t2i", "rsum", "rsum_se", "ties", "variance", "control")
    ]


def test_queries_without_a_right_answer_do_not_count() -> None:
    assert recalls(torch.tensor([1.0, torch.nan, 7.0])).to_dict() == {
        "R@1": 50.0,
        "R@5": 50.0,
        "R@10": 100.0,
        "medr": 4.0,
    }
    edges = torch.tensor([[0, 0], [2, 1]])  # image 1 has no text, text 2 no image
    found = measured(Scored(Matrix(torch.eye(3))), Positives.of(edges, 3))
    assert (found.i2t.queries, found.t2i.queries) == (2, 2)


def test_padding_changes_neither_figures_nor_control_nor_variance() -> None:
    x, y, edges = unit_sets(20, 3, 8, 1), unit_sets(20, 3, 8, 2), torch.arange(20).repeat(2, 1).T
    wide = torch.cat([x, torch.zeros(20, 2, 8)], 1), torch.cat([y, torch.zeros(20, 1, 8)], 1)
    for name in ("smooth_chamfer", "cross_attention"):
        similarity = NamedSimilarity(name)
        found = image_text(x, y, edges, similarity).to_dict()
        assert image_text(*wide, edges, similarity).to_dict() == found
    assert found["variance"]["image"] > 0


def test_the_control_of_gaussians_is_their_means_and_their_variance_is_none() -> None:
    x, y, edges = unit_sets(20, 1, 8, 1), unit_sets(20, 1, 8, 2), torch.arange(20).repeat(2, 1).T
    spread = torch.randn(20, 1, 8, generator=torch.Generator().manual_seed(3))
    found = image_text(
        torch.cat([x, spread], 1),
        torch.cat([y, spread], 1),
        edges,
        NamedSimilarity("sampled_distance"),
    )
    assert found.control == pytest.approx(image_text(x, y, edges, average).rsum)
    assert found.variance == (0, 0)
