import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from facetwise.losses import info_nce


@given(
    n=st.integers(1, 8), temperature=st.sampled_from([0.01, 0.07, 1.0]), seed=st.integers(0, 999)
)
def test_with_one_caption_each_it_is_clips_loss(n, temperature, seed):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(n, n, generator=generator, dtype=torch.float64).tanh()
    owner = torch.randperm(n, generator=generator)
    logits = scores / temperature
    clip = (F.cross_entropy(logits.T, owner) + F.cross_entropy(logits, owner.argsort())) / 2
    torch.testing.assert_close(info_nce(scores, owner, temperature=temperature), clip)


@given(
    owner=st.lists(st.integers(0, 3), min_size=1, max_size=9),
    seed=st.integers(0, 999),
)
def test_agrees_with_a_slow_reference(owner, seed):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(4, len(owner), generator=generator, dtype=torch.float64)
    e = np.exp(scores.numpy() / 0.5)
    costs = []
    for c, i in enumerate(owner):
        captions = sum(e[i, k] for k in range(len(owner)) if owner[k] != i)
        images = sum(e[k, c] for k in range(4) if k != i)
        costs += [-np.log(e[i, c] / (e[i, c] + captions)), -np.log(e[i, c] / (e[i, c] + images))]
    loss = info_nce(scores, torch.tensor(owner), temperature=0.5)
    assert loss.item() == pytest.approx(np.mean(costs))


def test_temperature_can_be_learned():
    temperature = torch.tensor(0.07, requires_grad=True)
    info_nce(torch.eye(3) + 0.1, torch.arange(3), temperature=temperature).backward()
    assert temperature.grad.isfinite()
    assert temperature.grad != 0


def test_images_without_negatives_have_a_finite_gradient():
    scores = torch.zeros(1, 3, requires_grad=True)
    loss = info_nce(scores, torch.zeros(3, dtype=torch.long))
    loss.backward()
    assert loss.item() == 0
    assert (scores.grad == 0).all()


def test_half_precision_scores_at_a_low_temperature():
    scores = (2 * torch.eye(4) - 1).half().requires_grad_()
    loss = info_nce(scores, torch.arange(4), temperature=0.001)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.isfinite()
    assert scores.grad.isfinite().all()


def test_owners_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 3\) and \(2,\)"):
        info_nce(torch.zeros(2, 3), torch.arange(2))
