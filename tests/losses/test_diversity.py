import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facetwise.losses import diversity, gram_diversity, uniformity


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


@given(b=st.integers(1, 4), k=st.integers(2, 5), seed=st.integers(0, 999))
def test_pvses_diversity_agrees_with_a_slow_reference(b, k, seed):
    r = torch.randn(b, k, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    u = r.numpy() / np.linalg.norm(r.numpy(), axis=2, keepdims=True)
    slow = [np.linalg.norm(s @ s.T - np.eye(k)) / k**2 for s in u]
    assert gram_diversity(r).item() == pytest.approx(np.mean(slow))


def test_pvses_diversity_has_a_finite_gradient_everywhere():
    for r in (torch.ones(2, 4, 8), torch.eye(4).expand(2, 4, 4), torch.ones(2, 1, 8)):
        r = r.clone().requires_grad_()
        loss = gram_diversity(r)
        loss.backward()
        assert r.grad.isfinite().all()
    assert loss.item() == 0  # a single element
    assert gram_diversity(torch.eye(4).unsqueeze(0)).item() == 0  # and orthogonal ones


@given(n=st.integers(2, 6), seed=st.integers(0, 999))
def test_uniformity_agrees_with_a_slow_reference(n, seed):
    z = torch.randn(n, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    slow = [
        np.exp(-2 * ((z[i] - z[j]).numpy() ** 2).sum())
        for i, j in itertools.combinations(range(n), 2)
    ]
    assert uniformity(z).item() == pytest.approx(np.log(np.mean(slow)))
    assert uniformity(z.view(n, 1, 3)).item() == pytest.approx(uniformity(z).item())


def test_uniformity_of_vectors_far_apart_is_finite_and_one_vector_is_refused():
    z = torch.tensor([[0.0], [100.0]], requires_grad=True)
    loss = uniformity(z)
    loss.backward()
    assert loss.item() == pytest.approx(-20_000)
    assert z.grad.isfinite().all()
    with pytest.raises(ValueError, match="not 1"):
        uniformity(torch.ones(1, 3))
