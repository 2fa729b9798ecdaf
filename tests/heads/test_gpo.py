"""GPO against a slow reference written from METHODS 3.2."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facetwise.heads import GPO

from .slow import gru_step, shaken, softmax, values


def module(seed=0, **options):
    return shaken(GPO(generator=torch.Generator().manual_seed(seed), **options), seed)


def slow_coefficients(made, n):
    """Two GRUs by hand over the codes of ranks 0 ... n - 1."""
    width, gru = made.code_dim, made.gru
    codes = np.zeros((n, width))
    for k in range(n):
        for j in range(width // 2):
            angle = k * 10_000 ** (-2 * j / width)
            codes[k, 2 * j], codes[k, 2 * j + 1] = np.sin(angle), np.cos(angle)
    ways = []
    for way, order in (("", range(n)), ("_reverse", reversed(range(n)))):
        weights = [
            getattr(gru, f"{kind}_l0{way}")
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        ]
        h, states = np.zeros(gru.hidden_size), np.zeros((n, gru.hidden_size))
        for k in order:
            h = states[k] = gru_step(codes[k], h, *weights)
        ways.append(states)
    score = (ways[0] + ways[1]) / 2 @ values(made.score.weight)[0]
    return softmax(score / made.temperature)


@given(
    lengths=st.lists(st.integers(1, 7), min_size=1, max_size=4),
    seed=st.integers(0, 99),
    scattered=st.booleans(),
)
def test_agrees_with_a_slow_reference(lengths, seed, scattered):
    made = module(seed)
    g = torch.Generator().manual_seed(seed)
    psi = torch.randn(len(lengths), 7, 5, generator=g)
    mask = torch.arange(7) < torch.tensor(lengths)[:, None]
    if scattered:  # dropped regions leave holes anywhere
        mask = mask[:, torch.randperm(7, generator=g)]
    pooled, theta = made(psi, mask)
    for b, n in enumerate(lengths):
        slow = slow_coefficients(made, n)
        np.testing.assert_allclose(values(theta[b, :n]), slow, atol=1e-5)
        assert (theta[b, n:] == 0).all()
        ranked = np.sort(psi[b][mask[b]].double().numpy(), axis=0)[::-1]
        np.testing.assert_allclose(values(pooled[b]), slow @ ranked, atol=1e-5)


def test_the_weights_know_only_rank_and_size():
    made = module()
    g = torch.Generator().manual_seed(0)
    _, one = made(torch.randn(2, 6, 3, generator=g))
    _, other = made(100 * torch.rand(4, 6, 9, generator=g))
    torch.testing.assert_close(one[0], other[3])
    _, smaller = made(torch.randn(1, 5, 3, generator=g))
    assert (smaller[0] - one[0, :5]).abs().max() > 1e-4


@given(seed=st.integers(0, 99))
def test_order_and_padding_do_not_matter(seed):
    made = module()
    g = torch.Generator().manual_seed(seed)
    psi = torch.randn(2, 5, 4, generator=g)
    pooled, _ = made(psi)
    order = torch.randperm(5, generator=g)
    torch.testing.assert_close(made(psi[:, order])[0], pooled)
    padded = torch.cat([psi, 50 + torch.randn(2, 3, 4, generator=g)], 1)
    torch.testing.assert_close(made(padded, (torch.arange(8) < 5).expand(2, 8))[0], pooled)


def with_scores(made, weight):
    with torch.no_grad():
        made.score.weight.copy_(weight * made.score.weight)
    return made


def test_equal_scores_are_mean_pooling_and_one_is_the_largest():
    psi = torch.randn(3, 6, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(with_scores(module(), 0)(psi)[0], psi.mean(1))
    sharp = with_scores(module(), 1e4)
    k = sharp(psi)[1][0].argmax()
    torch.testing.assert_close(sharp(psi)[0], psi.sort(1, descending=True).values[:, k])


def test_one_location_is_itself_and_none_is_zero():
    made = module()
    psi = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[False, True, False], [False, False, False]])
    pooled, theta = made(psi, mask)
    torch.testing.assert_close(pooled[0], psi[0, 1])
    assert (pooled[1] == 0).all()
    assert theta[0].tolist() == [1, 0, 0]
    assert made(psi[:0])[0].shape == (0, 4)


@given(seed=st.integers(0, 99))
def test_shares_say_which_locations_counted(seed):
    made = module()
    g = torch.Generator().manual_seed(seed)
    psi = torch.randn(2, 6, 4, generator=g)
    mask = torch.tensor([[1, 1, 0, 1, 1, 0], [1, 1, 1, 1, 1, 1]], dtype=torch.bool)
    shares = made.shares(psi, mask)
    _, theta = made(psi, mask)
    for b in range(2):
        slow = np.zeros(6)
        for c in range(4):
            real = [n for n in range(6) if mask[b, n]]
            for rank, n in enumerate(sorted(real, key=lambda n: -psi[b, n, c].item())):
                slow[n] += theta[b, rank].item() / 4
        np.testing.assert_allclose(shares[b].numpy(), slow, atol=1e-6)
    torch.testing.assert_close(shares.sum(1), torch.ones(2))


def test_every_parameter_and_every_real_value_learns():
    made = module().train()
    psi = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], dtype=torch.bool)
    pooled, _ = made(psi, mask)
    (pooled**2).sum().backward()
    assert [n for n, p in made.named_parameters() if not p.grad.abs().sum() > 0] == []
    assert psi.grad.isfinite().all()
    assert (psi.grad[mask] != 0).all()
    assert (psi.grad[~mask] == 0).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    made = module()
    psi = torch.randn(3, 6, 8, generator=torch.Generator().manual_seed(0))
    mask = torch.arange(6) < torch.tensor([[6], [3], [1]])
    pooled, _ = made(psi.to(dtype), mask)
    assert pooled.dtype == dtype
    torch.testing.assert_close(pooled.float(), made(psi, mask)[0], atol=0.05, rtol=0.05)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(made(psi, mask)[1], made(psi, mask)[1].float())


def test_a_mask_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"\(2, 3\), not \(3, 2\)"):
        module()(torch.zeros(2, 3, 4), torch.ones(3, 2, dtype=torch.bool))
