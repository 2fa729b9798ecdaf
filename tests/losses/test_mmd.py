import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facetwise.losses import mmd


def test_golden_value_has_an_unsquared_kernel(golden_v, golden_t):
    assert mmd(golden_v, golden_t).item() == pytest.approx(0.264262, abs=5e-7)
    assert mmd(golden_v.float(), golden_t.float()).item() == pytest.approx(0.264262, abs=2e-6)


@given(n=st.integers(1, 6), m=st.integers(1, 6), gamma=st.floats(0.1, 3), seed=st.integers(0, 999))
def test_agrees_with_a_slow_reference(n, m, gamma, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 3, generator=generator, dtype=torch.float64)
    y = torch.randn(m, 3, generator=generator, dtype=torch.float64)

    def kernel(a, b):
        return np.mean([np.exp(-gamma * np.linalg.norm(p - q)) for p in a for q in b])

    slow = kernel(x.numpy(), x.numpy()) - 2 * kernel(x.numpy(), y.numpy())
    slow += kernel(y.numpy(), y.numpy())
    assert mmd(x, y, gamma=gamma).item() == pytest.approx(slow, abs=1e-9)


def test_sets_count_as_their_elements():
    x = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(mmd(x, x + 1), mmd(x.view(12, 5), x.view(12, 5) + 1))


def test_equal_clouds_are_at_zero():
    x = torch.randn(20, 8, generator=torch.Generator().manual_seed(0))
    assert mmd(x, x.flip(0)).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_gradients_are_finite_at_identical_vectors(dtype):
    """The unsquared distance has no slope at zero; the self-pairs are always there."""
    x = torch.ones(4, 8, dtype=dtype, requires_grad=True)
    y = torch.ones(3, 8, dtype=dtype, requires_grad=True)
    mmd(x, y).backward()
    assert x.grad.isfinite().all()
    assert y.grad.isfinite().all()


def test_gradient_is_the_derivative():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    y = torch.randn(2, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(mmd, (x, y))


def test_clouds_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 3\) and \(2, 4\)"):
        mmd(torch.ones(2, 3), torch.ones(2, 4))
    with pytest.raises(ValueError, match=r"\(0, 3\)"):
        mmd(torch.ones(0, 3), torch.ones(2, 3))
