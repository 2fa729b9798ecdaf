import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Normal, kl_divergence

from facetwise.losses import vib


@given(seed=st.integers(0, 999))
def test_it_is_the_kl_divergence_to_the_standard_normal(seed):
    g = torch.Generator().manual_seed(seed)
    mu, log_sigma = (torch.randn(2, 5, generator=g, dtype=torch.float64) for _ in range(2))
    standard = Normal(torch.zeros_like(mu), torch.ones_like(mu))
    expected = kl_divergence(Normal(mu, log_sigma.exp()), standard)
    torch.testing.assert_close(vib(mu, log_sigma), expected.sum())
    torch.testing.assert_close(vib(mu, log_sigma, reduction="mean"), expected.mean())


def test_the_legacy_reading_takes_log_sigma_for_log_variance():
    """METHODS T-41."""
    g = torch.Generator().manual_seed(0)
    mu, log_sigma = torch.randn(2, 5, generator=g), torch.randn(2, 5, generator=g)
    torch.testing.assert_close(vib(mu, log_sigma, legacy=True), vib(mu, log_sigma / 2))
    assert (vib(mu, log_sigma, legacy=True) - vib(mu, log_sigma)).abs() > 0.1


def test_the_standard_normal_costs_nothing():
    for legacy in (False, True):
        assert vib(torch.zeros(1, 4), torch.zeros(1, 4), legacy=legacy).item() == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    mu, log_sigma = torch.zeros(1, 2, dtype=dtype), torch.full((1, 2), 6.0, dtype=dtype)
    loss = vib(mu, log_sigma)  # e^12 is more than float16 has
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(162754.79 - 13, rel=1e-3)


def test_input_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"\(1, 2\) and \(2, 1\)"):
        vib(torch.zeros(1, 2), torch.zeros(2, 1))
    with pytest.raises(ValueError, match="'odd'"):
        vib(torch.zeros(1, 2), torch.zeros(1, 2), reduction="odd")
