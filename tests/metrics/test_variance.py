import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facetwise.metrics import circular_variance


def test_golden_value_of_methods_2_8(golden_v):
    variance = circular_variance(golden_v).item()
    assert variance == pytest.approx(0.133975, abs=5e-7)
    assert math.log(variance) == pytest.approx(-2.010105, abs=5e-6)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 7])
def test_collapsed_sets_have_none(k):
    one = torch.randn(5, 1, 16, generator=torch.Generator().manual_seed(0))
    variance = circular_variance(one.expand(5, k, 16))
    assert (variance >= 0).all()
    assert variance.max() < 1e-12


@given(n=st.integers(1, 4), k=st.integers(1, 6), d=st.integers(1, 6), seed=st.integers(0, 999))
def test_is_one_minus_the_length_of_the_mean(n, k, d, seed):
    x = torch.randn(n, k, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    u = x / x.norm(dim=-1, keepdim=True)
    expected = 1 - u.mean(1).norm(dim=-1)
    torch.testing.assert_close(circular_variance(x), expected, atol=1e-12, rtol=1e-9)


def test_opposite_vectors_have_the_most():
    x = torch.tensor([[[1.0, 0.0], [-1.0, 0.0]]])
    assert circular_variance(x).item() == 1


def test_nearly_equal_elements_are_not_lost_to_rounding():
    x = torch.tensor([[[1.0, 0.0], [1.0, 1e-5]]])
    exact = circular_variance(x.double()).item()
    assert circular_variance(x).item() == pytest.approx(exact, rel=1e-4)


def test_what_is_no_batch_of_sets_is_refused():
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        circular_variance(torch.ones(2, 3))


def test_padding_does_not_count():
    g = torch.Generator().manual_seed(0)
    x = torch.randn(3, 4, 6, generator=g)
    mask = torch.tensor([[True, True, False, False]] * 3)
    padded = x.masked_fill(~mask.unsqueeze(-1), 0)
    torch.testing.assert_close(circular_variance(padded, mask), circular_variance(x[:, :2]))
