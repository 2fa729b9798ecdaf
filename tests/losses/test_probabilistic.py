import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facetwise.losses import mixed_targets, pair_bce


def cross_entropy(logit, label, smoothing):
    t = label * (1 - 2 * smoothing) + smoothing
    p = 1 / (1 + math.exp(-logit))
    return -(t * math.log(p) + (1 - t) * math.log(1 - p))


def reference(logits, labels, image, pseudo, smoothing):
    b, c = logits.shape
    every = [
        cross_entropy(logits[i, j], labels[i, j], smoothing) for i in range(b) for j in range(c)
    ]
    to_texts, to_images = [], []
    for j, i in enumerate(image):  # the pair (i, j) is a match
        for k in range(c):
            label = labels[i, k]
            if logits[i, k] >= logits[i, j]:
                label = max(label, labels[i, j])
            to_texts.append(cross_entropy(logits[i, k], label, smoothing))
        for k in range(b):
            label = labels[k, j]
            if logits[k, j] >= logits[i, j]:
                label = max(label, labels[i, j])
            to_images.append(cross_entropy(logits[k, j], label, smoothing))
    return 2 * np.mean(every) + pseudo * (np.mean(to_texts) + np.mean(to_images))


@given(
    owner=st.lists(st.integers(0, 3), min_size=1, max_size=6),
    pseudo=st.sampled_from([0.0, 0.1, 1.0]),
    smoothing=st.sampled_from([0.0, 1e-4, 0.1]),
    mixed=st.booleans(),
    seed=st.integers(0, 999),
)
def test_agrees_with_a_slow_reference(owner, pseudo, smoothing, mixed, seed):
    g = torch.Generator().manual_seed(seed)
    logits = torch.randn(4, len(owner), generator=g, dtype=torch.float64)
    labels = torch.arange(4)[:, None] == torch.tensor(owner)
    targets = mixed_targets(labels, torch.randperm(4, generator=g), 0.7) if mixed else None
    loss = pair_bce(
        logits, torch.tensor(owner), targets=targets, pseudo=pseudo, smoothing=smoothing
    )
    if mixed:
        labels = targets
    image = labels.double().argmax(0).tolist()
    expected = reference(logits.numpy(), labels.double().numpy(), image, pseudo, smoothing)
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_with_one_text_each_the_two_directions_are_rows_and_columns():
    """A hand-made case: text 1 beats image 0's own, and so does image 2 for text 1."""
    logits = torch.tensor([[1.0, 2.0, -1.0], [-2.0, 0.5, -3.0], [-1.0, 0.7, 3.0]])
    owner, e = torch.arange(3), 0.0
    rows, columns = torch.eye(3), torch.eye(3)
    rows[0, 1] = 1  # 2.0 >= 1.0
    columns[0, 1] = columns[2, 1] = 1  # 2.0 and 0.7 >= 0.5
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    expected = 2 * bce(logits, torch.eye(3)) + 0.1 * (bce(logits, rows) + bce(logits, columns))
    torch.testing.assert_close(pair_bce(logits, owner, smoothing=e), expected)


def test_pseudo_positives_pull_where_negatives_push():
    logits = torch.tensor([[1.0, 1.5], [-5.0, 1.2]], requires_grad=True)
    slopes = []
    for pseudo in (0.0, 100.0):
        (slope,) = torch.autograd.grad(pair_bce(logits, torch.arange(2), pseudo=pseudo), logits)
        slopes.append(slope[0, 1].item())
    assert slopes[0] > 0 > slopes[1]  # text 1 is pushed from image 0, or pulled to it


@given(seed=st.integers(0, 99))
def test_order_of_the_batch_does_not_matter(seed):
    g = torch.Generator().manual_seed(seed)
    logits, owner = torch.randn(3, 5, generator=g), torch.tensor([0, 1, 1, 2, 0])
    texts, images = torch.randperm(5, generator=g), torch.randperm(3, generator=g)
    mixed = pair_bce(logits[images][:, texts], images.argsort()[owner[texts]])
    torch.testing.assert_close(mixed, pair_bce(logits, owner))


def test_mixing_nothing_changes_nothing():
    g = torch.Generator().manual_seed(0)
    logits, owner = torch.randn(3, 4, generator=g), torch.tensor([0, 1, 2, 2])
    mine = torch.arange(3)[:, None] == owner
    targets = mixed_targets(mine, torch.tensor([1, 2, 0]), torch.tensor([1.0, 1.0, 1.0]))
    torch.testing.assert_close(targets, mine.float())
    torch.testing.assert_close(pair_bce(logits, owner, targets=targets), pair_bce(logits, owner))


def test_every_image_has_its_own_share_of_the_mix():
    mine = torch.eye(3, dtype=torch.bool)
    targets = mixed_targets(mine, torch.tensor([1, 2, 2]), torch.tensor([1.0, 0.5, 0.2]))
    torch.testing.assert_close(
        targets, torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.0, 0.0, 1.0]])
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    logits = torch.full((2, 3), -3e4, dtype=dtype, requires_grad=True)  # a = 5 and a CSD of 6000
    loss = pair_bce(logits, torch.tensor([0, 1, 1]))
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.isfinite()
    assert logits.grad.isfinite().all()


def test_input_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"targets must be \(2, 2\), not \(2, 3\)"):
        pair_bce(torch.zeros(2, 2), torch.arange(2), targets=torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r"partner \(B,\), not \(2, 2\) and \(3,\)"):
        mixed_targets(torch.eye(2, dtype=torch.bool), torch.arange(3), 0.5)
