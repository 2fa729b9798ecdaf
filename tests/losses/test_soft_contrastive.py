import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facetwise.losses import match_logits, soft_contrastive
from facetwise.similarity import match_probability


def reference(x, y, owner, scale, shift):
    """METHODS 3.5 in plain loops: m by its own sigmoid, and the two logs."""
    total = 0.0
    for b in range(len(x)):
        for c in range(len(y)):
            chances = []
            for z in x[b]:
                for w in y[c]:
                    u = -scale * math.sqrt(((z - w) ** 2).sum() + 1e-6) + shift
                    chances.append(math.exp(u) / (math.exp(u) + math.exp(-u)))
            m = np.mean(chances)
            total -= math.log(m if owner[c] == b else 1 - m)
    return total


@given(
    owner=st.lists(st.integers(0, 2), min_size=1, max_size=5),
    scale=st.sampled_from([0.5, 2.0]),
    shift=st.sampled_from([0.0, 1.5]),
    seed=st.integers(0, 999),
)
def test_agrees_with_a_slow_reference(owner, scale, shift, seed):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(3, 2, 4, generator=g, dtype=torch.float64)
    y = torch.randn(len(owner), 3, 4, generator=g, dtype=torch.float64)
    logits = match_logits(x, y, scale=scale, shift=shift)
    expected = reference(x.numpy(), y.numpy(), owner, scale, shift)
    owner = torch.tensor(owner)
    assert soft_contrastive(logits, owner).item() == pytest.approx(expected)
    mean = soft_contrastive(logits, owner, reduction="mean").item()
    assert mean == pytest.approx(expected / (3 * len(owner)))


def test_the_mean_logistic_of_the_logits_is_the_match_probability(golden_v, golden_t):
    """METHODS 3.5, golden: .6250 with a = b = 15."""
    logits = match_logits(golden_v, golden_t, scale=15, shift=15)
    m = logits.sigmoid().mean(-1)
    assert m.item() == pytest.approx(0.6250, abs=5e-5)
    torch.testing.assert_close(
        m, match_probability(golden_v, golden_t, scale=15, shift=15, distance="euclidean")
    )


def test_the_expectation_is_inside_the_logarithm():
    """One pair of samples that matches is enough for m = 1/2; a mean of logs would be huge."""
    logits = torch.tensor([[[1000.0, -1000.0]]])
    loss = soft_contrastive(logits, torch.tensor([0]))
    assert loss.item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("logit", [3e4, -3e4])
def test_certain_matches_have_finite_losses_and_gradients(dtype, logit):
    logits = torch.full((2, 2, 4), logit, dtype=dtype, requires_grad=True)
    loss = soft_contrastive(logits, torch.arange(2), reduction="mean")
    assert loss.dtype == torch.float32
    loss.backward()
    assert loss.item() == pytest.approx(abs(logit) / 2, rel=0.01)  # two of four pairs are wrong
    assert logits.grad.isfinite().all()


def test_samples_that_are_the_same_have_a_finite_gradient():
    x = torch.zeros(1, 2, 3, requires_grad=True)
    soft_contrastive(match_logits(x, x, scale=15, shift=15), torch.tensor([0])).backward()
    assert x.grad.isfinite().all()


def test_scale_and_shift_are_learned():
    scale, shift = (torch.tensor(15.0, requires_grad=True) for _ in range(2))
    g = torch.Generator().manual_seed(0)
    x, y = (torch.randn(2, 7, 4, generator=g) / 4 for _ in range(2))
    soft_contrastive(match_logits(x, y, scale=scale, shift=shift), torch.arange(2)).backward()
    assert scale.grad != 0
    assert shift.grad != 0


def test_order_of_samples_does_not_matter():
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 7, 4, generator=g), torch.randn(3, 7, 4, generator=g)
    owner = torch.tensor([0, 1, 1])
    one, other = (
        soft_contrastive(match_logits(a, b, scale=1, shift=1), owner)
        for a, b in ((x, y), (x.flip(1), y.roll(2, 1)))
    )
    torch.testing.assert_close(one, other)


def test_input_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"\(2, 2\)"):
        soft_contrastive(torch.zeros(2, 2), torch.arange(2))
    with pytest.raises(ValueError, match="'odd'"):
        soft_contrastive(torch.zeros(2, 2, 1), torch.arange(2), reduction="odd")
    with pytest.raises(ValueError, match=r"0 \.\.\. 1"):
        soft_contrastive(torch.zeros(2, 2, 1), torch.tensor([0, 2]))
