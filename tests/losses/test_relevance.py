import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from facetwise.losses import relevance_kl


@given(p=st.integers(1, 6), m=st.integers(1, 6), seed=st.integers(0, 999))
def test_is_the_kl_divergence_to_uniform(p, m, seed):
    generator = torch.Generator().manual_seed(seed)
    w = torch.randn(p, m, generator=generator, dtype=torch.float64).softmax(1)
    uniform = torch.full_like(w, 1 / m)
    expected = F.kl_div(uniform.log(), w, reduction="batchmean")
    torch.testing.assert_close(relevance_kl(w), expected, atol=1e-9, rtol=1e-6)


def test_all_on_one_condition_costs_log_m_with_a_finite_gradient():
    w = torch.eye(4, requires_grad=True)
    loss = relevance_kl(w)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(4))
    assert w.grad.isfinite().all()


def test_what_is_no_relevance_is_refused():
    with pytest.raises(ValueError, match=r"\(0, 3\)"):
        relevance_kl(torch.ones(0, 3))
