"""Similarities of Gaussians against sums over samples."""

from __future__ import annotations

import math

import pytest
import torch

from facetwise.similarity import (
    NamedSimilarity,
    gaussian_match,
    match_probability,
    sampled_distance,
    score_matrix,
    score_pairs,
    unit,
)
from facetwise.similarity.gaussians import fixed_draws


def gaussians(n, seed, d=4, spread=-1.0):
    g = torch.Generator().manual_seed(seed)
    mu = unit(torch.randn(n, d, generator=g, dtype=torch.float64))
    return torch.stack([mu, spread + 0.3 * torch.randn(n, d, generator=g, dtype=mu.dtype)], 1)


def test_sampled_distance_is_the_mean_squared_distance_of_samples():
    x, y = gaussians(2, 0), gaussians(3, 1)
    g = torch.Generator().manual_seed(2)
    total = torch.zeros(2, 3, dtype=torch.float64)
    for _ in range(4000):
        z, z_y = (
            s[:, 0] + (s[:, 1] / 2).exp() * torch.randn(s[:, 0].shape, generator=g) for s in (x, y)
        )
        total += (z[:, None] - z_y[None]).square().sum(-1)
    torch.testing.assert_close(sampled_distance(x, y), -total / 4000, atol=0.1, rtol=0.03)


def test_sampled_distance_by_plain_loops():
    x, y = gaussians(2, 0), gaussians(3, 1)
    for n, (mu, log_variance) in enumerate(x):
        for m, (mu_y, log_variance_y) in enumerate(y):
            csd = sum((a - b) ** 2 for a, b in zip(mu.tolist(), mu_y.tolist(), strict=True))
            csd += sum(math.exp(v) for v in [*log_variance.tolist(), *log_variance_y.tolist()])
            assert sampled_distance(x, y)[n, m].item() == pytest.approx(-csd)


def test_match_probability_by_plain_loops():
    x, y = gaussians(2, 0), gaussians(2, 1)
    eps = fixed_draws(5, 4, 3)
    found = gaussian_match(x, y, scale=2.0, shift=1.5, samples=5, seed=3)
    for n in range(2):
        for m in range(2):
            total = 0.0
            for j in range(5):
                for other in range(5):
                    if j == other:
                        continue
                    z = x[n, 0] + x[n, 1].exp() * eps[j]
                    z_y = y[m, 0] + y[m, 1].exp() * eps[other]
                    u = -2.0 * math.sqrt(float((z - z_y).square().sum()) + 1e-6) + 1.5
                    total += math.exp(u) / (math.exp(u) + math.exp(-u))
            assert found[n, m].item() == pytest.approx(total / 20)


def test_match_probability_of_points_is_pcmes_of_their_means():
    x, y = gaussians(3, 0, spread=-30), gaussians(2, 1, spread=-30)
    expected = match_probability(x[:, :1], y[:, :1], scale=15.0, shift=15.0, distance="euclidean")
    torch.testing.assert_close(gaussian_match(x, y), expected)


def test_many_draws_agree_whatever_the_seed():
    x, y = gaussians(3, 0), gaussians(3, 1)
    one, two = (
        gaussian_match(x, y, scale=2.0, shift=2.0, samples=400, seed=seed) for seed in (1, 2)
    )
    torch.testing.assert_close(one, two, atol=0.05, rtol=0)


def test_match_is_symmetric_and_the_same_in_every_call_and_tile():
    x, y = gaussians(5, 0), gaussians(3, 1)
    found = gaussian_match(x, y)
    torch.testing.assert_close(gaussian_match(y, x), found.T)
    assert torch.equal(gaussian_match(x, y), found)
    similarity = NamedSimilarity("gaussian_match")
    torch.testing.assert_close(score_matrix(x, y, similarity, tile=2), found)
    r, c = torch.tensor([0, 4, 2]), torch.tensor([1, 0, 2])
    torch.testing.assert_close(score_pairs(x, y, r, c, similarity), found[r, c])


def test_inner_is_the_product_of_the_means():
    x, y = gaussians(3, 0), gaussians(2, 1)
    torch.testing.assert_close(gaussian_match(x, y, how="inner"), x[:, 0] @ y[:, 0].T)


@pytest.mark.parametrize("name", ["sampled_distance", "gaussian_match"])
def test_unsure_gaussians_match_less_and_gradients_reach_both_rows(name):
    similarity = NamedSimilarity(name)
    x = gaussians(1, 0, spread=-3)
    vague = x.clone()
    vague[:, 1] += 3
    assert similarity(x, x).item() > similarity(x, vague).item()
    x.requires_grad_()
    similarity(x, vague).sum().backward()
    assert x.grad.isfinite().all()
    assert (x.grad[:, 1] != 0).all()


@pytest.mark.parametrize("name", ["sampled_distance", "gaussian_match"])
def test_extreme_spreads_and_half_precision_stay_finite(name):
    x = torch.tensor([[[1.0, 0.0], [200.0, -200.0]], [[0.6, 0.8], [0.0, 0.0]]])
    similarity = NamedSimilarity(name)
    assert similarity(x, x).isfinite().all()
    half = similarity(x[1:].half(), x[1:].half())
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, similarity(x[1:], x[1:]), atol=1e-2, rtol=0)


def test_a_gaussian_is_never_padding_and_its_control_is_its_mean():
    similarity = NamedSimilarity("sampled_distance")
    x = torch.tensor([[[3.0, 4.0], [0.0, 0.0]]])  # variance 1
    assert similarity.real(x) is None
    torch.testing.assert_close(similarity.mean_vectors(x), torch.tensor([[0.6, 0.8]]))
    assert similarity(x, x).item() == pytest.approx(-4)


def test_other_shapes_and_too_few_samples_are_refused():
    x = torch.zeros(1, 3, 2)
    for similarity in (sampled_distance, gaussian_match):
        with pytest.raises(ValueError, match="mean and log spread"):
            similarity(x, x)
    with pytest.raises(ValueError, match="at least 2"):
        gaussian_match(x[:, :2], x[:, :2], samples=1)
