import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facetwise.similarity.distances import distances, squared_distances


@given(n=st.integers(1, 6), m=st.integers(1, 6), d=st.integers(1, 6), seed=st.integers(0, 999))
def test_agree_with_the_differences(n, m, d, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, d, generator=generator, dtype=torch.float64)
    y = torch.randn(m, d, generator=generator, dtype=torch.float64)
    exact = (x[:, None] - y[None]).norm(dim=-1)
    torch.testing.assert_close(distances(x, y), exact, atol=1e-7, rtol=1e-7)
    torch.testing.assert_close(squared_distances(x, y), exact**2)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_identical_vectors_are_at_zero_with_zero_gradient(dtype):
    x = torch.randn(5, 64, generator=torch.Generator().manual_seed(0)).to(dtype).requires_grad_()
    d = distances(x, x)
    assert (d.diagonal() == 0).all()
    d.diagonal().sum().backward()
    assert (x.grad == 0).all()


def test_gradient_is_the_unit_difference():
    x = torch.tensor([[3.0, 4.0]], requires_grad=True)
    distances(x, torch.zeros(1, 2)).sum().backward()
    torch.testing.assert_close(x.grad, torch.tensor([[0.6, 0.8]]))


def test_autocast_does_not_round_them():
    x = torch.tensor([[1.0, 0.01]])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        d = distances(x, torch.tensor([[1.0, 0.0]]))
    assert d.item() == pytest.approx(0.01, rel=0.01)


def test_matrices_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 3\) and \(2, 4\)"):
        distances(torch.ones(2, 3), torch.ones(2, 4))
