import numpy as np
import pytest
import torch

from facetwise.errors import InputError
from facetwise.evaluation.answers import Matrix, Rankings
from facetwise.evaluation.coco import coco_1k, coco_5k
from facetwise.evaluation.image_text import Encoded, Scored, scored
from facetwise.metrics import distinct_images
from facetwise.similarity import smooth_chamfer


def drawn(images: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores of images and five captions each, and the owners."""
    g = torch.Generator().manual_seed(seed)
    owner = torch.arange(5 * images) // 5
    scores = torch.randn(images, 5 * images, generator=g)
    scores[owner, torch.arange(5 * images)] += 2
    return scores, owner


def rankings(scores: torch.Tensor) -> Rankings:
    return Rankings(
        scores.argsort(dim=1, descending=True), scores.T.argsort(dim=1, descending=True)
    )


@pytest.mark.parametrize("answers", [Matrix, rankings])
def test_1k_is_the_mean_of_five_hand_made_folds(answers) -> None:
    scores, owner = drawn(50)
    found = coco_1k(Scored(answers(scores)), owner, fold=10)
    by_hand = [
        coco_5k(Scored(Matrix(scores[a : a + 10, 5 * a : 5 * a + 50])), owner[:50])
        for a in range(0, 50, 10)
    ]
    for way in ("i2t", "t2i"):
        for figure in ("r1", "r5", "r10", "medr"):
            assert getattr(getattr(found, way), figure) == pytest.approx(
                np.mean([getattr(getattr(fold, way), figure) for fold in by_hand])
            )
    assert found.folds == pytest.approx([fold.rsum for fold in by_hand])
    assert found.rsum == pytest.approx(np.mean(found.folds))
    assert (found.images, found.texts) == (50, 250)
    assert found.to_dict()["folds"] == pytest.approx(found.folds, abs=0.005)


def test_folds_keep_the_control_and_the_order_of_sets() -> None:
    g = torch.Generator().manual_seed(2)
    x, y = torch.randn(20, 3, 8, generator=g), torch.randn(100, 3, 8, generator=g)
    owner = torch.arange(100) // 5
    what = scored([Encoded(x, y, smooth_chamfer)])
    found = coco_1k(what, owner, fold=10)
    by_hand = [
        coco_5k(scored([Encoded(x[a : a + 10], y[5 * a : 5 * a + 50], smooth_chamfer)]), owner[:50])
        for a in (0, 10)
    ]
    assert found.control == pytest.approx(np.mean([fold.control for fold in by_hand]))
    assert found.variance == pytest.approx(
        tuple(np.mean([fold.variance[side] for fold in by_hand]) for side in (0, 1))
    )


def test_the_last_fold_may_be_short_where_photos_are_missing() -> None:
    scores, owner = drawn(25)
    found = coco_1k(Scored(Matrix(scores)), owner, fold=10)
    assert len(found.folds) == 3


def test_n_images_and_the_repeated_array_give_the_same_figures() -> None:
    scores, owner = drawn(30)
    repeated = scores.repeat_interleave(5, 0)
    once = distinct_images(repeated, captions=150)
    assert coco_5k(Scored(Matrix(once)), owner) == coco_5k(Scored(Matrix(scores)), owner)


def test_a_constant_model_finds_nothing() -> None:
    _, owner = drawn(20)
    found = coco_1k(Scored(Matrix(torch.zeros(20, 100))), owner, fold=10)
    assert (found.i2t.r1, found.t2i.r1, found.ties) == (0, 0, 120)


def test_folds_need_captions_in_their_images_order() -> None:
    scores, owner = drawn(20)
    with pytest.raises(InputError, match="in the order of their images"):
        coco_1k(Scored(Matrix(scores)), owner.flip(0), fold=10)


def test_folds_need_whole_rankings() -> None:
    scores, owner = drawn(20)
    whole = rankings(scores)
    short = Rankings(whole.i2t[:, :50], whole.t2i)
    assert coco_5k(Scored(short), owner).i2t.r10 == coco_5k(Scored(whole), owner).i2t.r10
    with pytest.raises(InputError, match="COCO 1K asks within folds"):
        coco_1k(Scored(short), owner, fold=10)


@pytest.mark.parametrize(
    ("owner", "said"),
    [
        (torch.zeros(9, dtype=torch.long), "10 captions are scored, 9 have an owner"),
        (torch.arange(10), "belongs to image 9 of 2"),
    ],
)
def test_owners_must_fit(owner: torch.Tensor, said: str) -> None:
    with pytest.raises(InputError, match=said):
        coco_5k(Scored(Matrix(torch.zeros(2, 10))), owner)
