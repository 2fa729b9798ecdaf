import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facetwise.losses import diversity


def test_golden_values(golden_v, golden_t):
    assert diversity(golden_v).item() == pytest.approx(0.135335, abs=5e-7)
    assert diversity(golden_t).item() == pytest.approx(0.018316, abs=5e-7)
    both = torch.cat([golden_v, golden_t])
    assert diversity(both).item() == pytest.approx((0.135335 + 0.018316) / 2, abs=5e-7)


@given(b=st.integers(1, 4), k=st.integers(2, 5), seed=st.integers(0, 999))
def test_agrees_with_a_slow_reference(b, k, seed):
    e = torch.randn(b, k, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    u = e.numpy() / np.linalg.norm(e.numpy(), axis=2, keepdims=True)
    slow = [
        np.exp(-2 * ((s[i] - s[j]) ** 2).sum())
        for s in u
        for i, j in itertools.combinations(range(k), 2)
    ]
    assert diversity(e).item() == pytest.approx(np.mean(slow))


def test_identical_elements_cost_most_and_have_a_finite_gradient():
    e = torch.ones(2, 4, 8, requires_grad=True)
    loss = diversity(e)
    loss.backward()
    assert loss.item() == pytest.approx(1)
    assert e.grad.isfinite().all()


def test_a_single_element_has_nothing_to_differ_from():
    e = torch.ones(2, 1, 8, requires_grad=True)
    loss = diversity(e)
    loss.backward()
    assert loss.item() == 0
    assert (e.grad == 0).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    e = torch.randn(3, 4, 8, generator=torch.Generator().manual_seed(0))
    assert diversity(e.to(dtype)).dtype == torch.float32
    torch.testing.assert_close(diversity(e.to(dtype)), diversity(e), atol=1e-2, rtol=0)


def test_what_is_no_batch_of_sets_is_refused():
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        diversity(torch.ones(2, 3))
