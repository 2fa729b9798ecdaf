"""The Gaussian heads of PCME and PCME++ (METHODS 3.5, 3.6)."""

import pytest
import torch

from facetwise import InputError
from facetwise.heads import GPO, Gaussian, GaussianGPO, gaussian_samples

from .slow import shaken

B, N, D, C = 3, 6, 8, 10


def features(seed=1):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(B, N, C, generator=g), torch.randn(B, D, generator=g)


def make(kind, **options):
    return shaken(kind(D, C, generator=torch.Generator().manual_seed(0), **options))


MASK = torch.arange(N) < torch.tensor([[N], [4], [1]])


@pytest.mark.parametrize("pooled", ["linear", "identity"])
def test_mu_is_a_pie_net_of_one_head_and_log_sigma_two_terms(pooled):
    made = make(Gaussian, pooled=pooled)
    psi, phi = features()
    out = made(psi, phi, MASK)
    one = made.mean(psi, phi, MASK)
    torch.testing.assert_close(out.mu, one.elements[:, 0])
    torch.testing.assert_close(out.attention, one.attention)
    attended, A = made.attention(psi, MASK)
    assert (A - out.attention).abs().max() > 1e-3  # an attention of its own
    for b in range(B):
        second = made.fc2(phi[b]) if pooled == "linear" else phi[b]
        expected = made.fc.weight @ attended[b, 0] + made.fc.bias + second
        torch.testing.assert_close(out.log_sigma[b], expected)


def test_mu_and_log_variance_of_pcmepp_are_two_poolings():
    made = make(GaussianGPO)
    psi, phi = features()
    out = made(psi, phi, MASK)
    mu, _ = made.pool_mu(psi @ made.W_mu.weight.T + made.W_mu.bias, MASK)
    torch.testing.assert_close(out.mu, mu / mu.norm(dim=1, keepdim=True))
    log_variance, _ = made.pool_sigma(psi @ made.W_sigma.weight.T + made.W_sigma.bias, MASK)
    torch.testing.assert_close(out.log_sigma, log_variance)
    assert isinstance(made.pool_mu, GPO)
    torch.testing.assert_close(made(psi, -phi, MASK).mu, out.mu)


@pytest.mark.parametrize("kind", [Gaussian, GaussianGPO])
def test_shapes_lengths_and_padding(kind):
    made = make(kind)
    psi, phi = features()
    out = made(psi, phi, MASK)
    assert out.mu.shape == out.log_sigma.shape == (B, D)
    assert out.attention.shape == (B, 1, N)
    torch.testing.assert_close(out.mu.norm(dim=1), torch.ones(B))
    torch.testing.assert_close(out.attention.sum(-1), torch.ones(B, 1))
    assert (out.attention[~MASK.unsqueeze(1)] == 0).all()
    alone = made(psi[1:2, :4], phi[1:2])
    torch.testing.assert_close(out.mu[1:2], alone.mu)
    torch.testing.assert_close(out.log_sigma[1:2], alone.log_sigma)


@pytest.mark.parametrize("kind", [Gaussian, GaussianGPO])
def test_every_parameter_learns(kind):
    made = make(kind)
    out = made(*features())
    loss = (out.mu * torch.randn(B, D)).sum() + (out.log_sigma * torch.randn(B, D)).sum()
    loss.backward()
    assert [name for name, p in made.named_parameters() if not p.grad.abs().sum() > 0] == []


@pytest.mark.parametrize(
    ("kind", "option"), [(Gaussian, "log_sigma_start"), (GaussianGPO, "log_variance_start")]
)
def test_the_spread_may_start_small(kind, option):
    wide, narrow = make(kind), make(kind, **{option: -5.0})
    difference = narrow(*features()).log_sigma - wide(*features()).log_sigma
    torch.testing.assert_close(difference, torch.full((B, D), -5.0))


def test_samples_have_the_mean_and_the_spread():
    mu, log_sigma = torch.tensor([[0.0, 3.0]]), torch.tensor([[0.0, -1.0]])
    g = torch.Generator().manual_seed(0)
    z = gaussian_samples(mu, log_sigma, draws=20_000, generator=g)
    assert z.shape == (1, 20_000, 2)
    torch.testing.assert_close(z.mean(1), mu, atol=0.03, rtol=0)
    torch.testing.assert_close(z.std(1).log(), log_sigma, atol=0.02, rtol=0)


def test_samples_come_from_the_generator_and_differentiate():
    mu, log_sigma = torch.randn(2, 3, dtype=torch.bfloat16), torch.zeros(2, 3, requires_grad=True)
    one, other = (
        gaussian_samples(mu, log_sigma, generator=torch.Generator().manual_seed(4))
        for _ in range(2)
    )
    assert one.shape == (2, 7, 3)
    assert one.dtype == torch.float32
    assert torch.equal(one, other)
    one.sum().backward()
    torch.testing.assert_close(log_sigma.grad, (one - mu.float()[:, None]).sum(1).detach())


def test_an_unknown_option_is_refused():
    with pytest.raises(InputError, match=r"pooled must be .*, not 'odd'"):
        make(Gaussian, pooled="odd")
