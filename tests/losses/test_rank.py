import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facetwise.losses import rank_loss


def reference(scores, owner, margin, negatives):
    each = []
    for c, image in enumerate(owner):
        hinges = [
            margin - scores[image, c] + scores[image, j]
            for j in range(len(owner))
            if owner[j] != image
        ]
        violating = [h for h in hinges if h > 0]
        each.append(sum(violating) if negatives == "sum" else sum(violating[:1]))
    return np.mean(each)


@pytest.mark.parametrize("negatives", ["sum", "first"])
@given(
    owner=st.lists(st.integers(0, 3), min_size=1, max_size=8),
    margin=st.sampled_from([0.0, 0.1, 0.5]),
    seed=st.integers(0, 999),
)
def test_agrees_with_a_slow_reference(negatives, owner, margin, seed):
    g = torch.Generator().manual_seed(seed)
    scores = torch.randn(4, len(owner), generator=g, dtype=torch.float64)
    loss = rank_loss(scores, torch.tensor(owner), margin=margin, negatives=negatives)
    expected = reference(scores.numpy(), owner, margin, negatives)
    assert loss.item() == pytest.approx(expected)


def test_images_are_no_negatives():
    """Text 0 is nearer to image 1 than to its own: that is another loss's business."""
    scores = torch.tensor([[0.5, 0.0], [0.9, 1.5]])
    assert rank_loss(scores, torch.arange(2)).item() == 0


def test_one_image_has_no_wrong_texts():
    scores = torch.randn(1, 3, requires_grad=True)
    loss = rank_loss(scores, torch.zeros(3, dtype=torch.long))
    loss.backward()
    assert loss.item() == 0
    assert (scores.grad == 0).all()


@pytest.mark.parametrize("negatives", ["sum", "first"])
def test_half_precision_and_gradients(negatives):
    scores = torch.zeros(3, 6, dtype=torch.float16, requires_grad=True)
    loss = rank_loss(scores, torch.arange(6) // 2, negatives=negatives)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(0.4 if negatives == "sum" else 0.1)
    loss.backward()
    assert scores.grad.isfinite().all()
    assert scores.grad.abs().sum() > 0


def test_input_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="'odd'"):
        rank_loss(torch.zeros(2, 2), torch.arange(2), negatives="odd")
    with pytest.raises(ValueError, match="int64"):
        rank_loss(torch.zeros(2, 2), torch.zeros(2))
