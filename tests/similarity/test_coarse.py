from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facetwise.similarity import coarse_score_matrix, has_coarse_scores, score_matrix
from facetwise.similarity.sets import unit

pytestmark = pytest.mark.skipif(not has_coarse_scores(), reason="PyTorch without FBGEMM")

NAMES = ["smooth_chamfer", "chamfer", "max_pair", "average"]


def sets(n: int, k: int, d: int, seed: int, spikes: float = 0.0) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, k, d, generator=g)
    return unit(x + spikes * (torch.rand(x.shape, generator=g) < 0.02))


@pytest.mark.parametrize("name", NAMES)
def test_exact_scores_lie_within_the_bound(name):
    x, y = sets(70, 3, 32, 0, spikes=20), sets(90, 4, 32, 1, spikes=20)
    coarse = coarse_score_matrix(x, y, name, tile=64)
    exact = score_matrix(x.double(), y.double(), name)
    error = (coarse.scores - exact).abs()
    assert bool((error <= coarse.x_error[:, None] + coarse.y_error).all())
    assert float(error.max()) > 1e-5  # it is rounded, or nothing was shown


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(1, 9),
    k=st.integers(1, 3),
    d=st.sampled_from([1, 2, 7, 33]),
    seed=st.integers(0, 99),
    spikes=st.sampled_from([0.0, 100.0]),
)
def test_the_bound_holds_whatever_the_shape(n, k, d, seed, spikes):
    x, y = sets(n, k, d, seed, spikes), sets(5, 2, d, seed + 1)
    coarse = coarse_score_matrix(x, y)
    error = (coarse.scores - score_matrix(x.double(), y.double())).abs()
    assert bool((error <= coarse.x_error[:, None] + coarse.y_error).all())


def test_the_bound_is_small_enough_to_be_of_use():
    x = sets(50, 4, 256, 0)
    coarse = coarse_score_matrix(x, x)
    assert float(coarse.x_error.max() + coarse.y_error.max()) < 0.05


def test_vectors_of_any_length_are_scaled_unless_they_are_said_to_be_unit():
    x = sets(6, 2, 16, 0)
    long = coarse_score_matrix(7 * x, 0.1 * x)
    short = coarse_score_matrix(x, x, normalized=True)
    assert torch.allclose(long.scores, short.scores, atol=0.02)


@pytest.mark.parametrize("alpha", [1.0, 16.0, 200.0])
def test_any_sharpness_is_bounded(alpha):
    from functools import partial

    from facetwise.similarity import smooth_chamfer

    x, y = sets(20, 3, 24, 0), sets(30, 3, 24, 1)
    coarse = coarse_score_matrix(x, y, alpha=alpha)
    exact = score_matrix(x.double(), y.double(), partial(smooth_chamfer, alpha=alpha))
    error = (coarse.scores - exact).abs()
    assert bool((error <= coarse.x_error[:, None] + coarse.y_error).all())


def test_a_similarity_without_a_bound_is_refused():
    with pytest.raises(ValueError, match="no bound is known for 'match_probability'"):
        coarse_score_matrix(sets(2, 1, 4, 0), sets(2, 1, 4, 0), "match_probability")
