import numpy as np
import pytest
import torch

from facetwise.evaluation.image_text import image_text, matches, recalls
from facetwise.similarity import average, smooth_chamfer


def unit_sets(n: int, k: int, d: int, seed: int) -> torch.Tensor:
    x = torch.randn(n, k, d, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(x, dim=-1)


def slow_recalls(scores: np.ndarray, right: np.ndarray) -> list[float]:
    """Percent within 1, 5, 10; every wrong item that ties stands before the right one."""
    ranks = []
    for row, good in zip(scores, right, strict=True):
        best = max(score for score, is_right in zip(row, good, strict=True) if is_right)
        ahead = sum(
            score >= best for score, is_right in zip(row, good, strict=True) if not is_right
        )
        ranks.append(ahead + 1)
    return [100 * float(np.mean([rank <= k for rank in ranks])) for k in (1, 5, 10)]


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


def test_a_collapsed_model_scores_nothing() -> None:
    _, edges = matches([[str(row)] for row in range(20)])
    same = torch.ones(20, 2, 4) / 2
    found = image_text(same, same, edges, smooth_chamfer)
    assert found.rsum == 0
    assert found.control == 0
    assert found.variance == pytest.approx((0.0, 0.0), abs=1e-6)


def test_identical_sets_find_each_other_and_so_do_their_means() -> None:
    _, edges = matches([[str(row).zfill(3)] for row in range(40)])
    x = unit_sets(40, 4, 32, 3)
    found = image_text(x, x, edges, smooth_chamfer)
    assert found.rsum == pytest.approx(600)
    assert found.control == pytest.approx(600)


def test_single_vectors_are_their_own_control_and_do_not_vary() -> None:
    _, edges = matches([[str(row)] for row in range(30)])
    x, y = unit_sets(30, 1, 4, 4), unit_sets(30, 1, 4, 5)
    figures = image_text(x, y, edges, average).to_dict()
    assert figures["control"] == {"mean_vector_rsum": figures["rsum"]}
    assert figures["variance"] == {"image": 0.0, "text": 0.0}


def test_queries_without_a_right_answer_do_not_count() -> None:
    assert recalls(torch.tensor([1.0, torch.nan, 7.0])).to_dict() == {
        "R@1": 50.0,
        "R@5": 50.0,
        "R@10": 100.0,
        "medr": 4.0,
    }
