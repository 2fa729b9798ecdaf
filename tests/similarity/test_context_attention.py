"""CAAN against plain loops written from its equations."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facetwise.similarity import ContextAttention, ContextSimilarity, score_matrix, score_pairs
from facetwise.similarity import context_attention as file


def sets(n, k, seed, d=6):
    return torch.randn(n, k, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def module():
    g = torch.Generator().manual_seed(0)
    made = ContextAttention(6, hidden=4, generator=g).double()
    with torch.no_grad():
        made.K += 0.3 * torch.randn(6, 6, generator=g, dtype=torch.float64)
    return made


def slow(module, V, U):
    """One image and one caption; V (K, D) and U (L, D)."""
    K, W_v, W_u = (w.detach().numpy() for w in (module.K, module.W_v, module.W_u))
    Q1, Q2, Q3, Q4 = module.Q.detach().numpy()
    V = V / np.linalg.norm(V, axis=1, keepdims=True)
    U = U / np.linalg.norm(U, axis=1, keepdims=True)
    H = np.maximum(np.tanh(V @ K @ U.T), 0)
    H_uv, H_vu = H.copy(), H.copy()
    for j in range(H.shape[1]):
        H_uv[:, j] /= max(np.sqrt(sum(h * h for h in H[:, j])), 1e-12)
    for i in range(H.shape[0]):
        H_vu[i] /= max(np.sqrt(sum(h * h for h in H[i])), 1e-12)
    H_v = [[sum(H_vu[a] * H_vu[b]) for b in range(len(V))] for a in range(len(V))]
    H_u = [[sum(H_uv[:, a] * H_uv[:, b]) for b in range(len(U))] for a in range(len(U))]
    f = np.exp(np.tanh(np.array(H_v) @ V @ Q1 + H_uv @ U @ Q2) @ W_v)
    g = np.exp(np.tanh(np.array(H_u) @ U @ Q3 + H_vu.T @ V @ Q4) @ W_u)
    return (((f / f.sum()).T @ V) @ ((g / g.sum()).T @ U).T).item()


@torch.no_grad()
def test_agrees_with_loops_over_the_equations(module):
    x, y = sets(3, 4, 0), sets(2, 5, 1)
    expected = [[slow(module, v.numpy(), u.numpy()) for u in y] for v in x]
    np.testing.assert_allclose(module(x, y).numpy(), expected, atol=1e-12)


@torch.no_grad()
def test_order_padding_and_blocks_change_nothing(module, monkeypatch):
    x, y = sets(5, 4, 0), sets(7, 5, 1)
    expected = module(x, y)
    torch.testing.assert_close(module(x.flip(1), y.flip(1)), expected)
    wide = torch.cat([x, torch.zeros(5, 2, 6)], 1), torch.cat([y, torch.zeros(7, 3, 6)], 1)
    similarity = ContextSimilarity(module=module)
    torch.testing.assert_close(similarity(*wide), expected)
    monkeypatch.setattr(file, "_FLOATS", 300)
    torch.testing.assert_close(module(x, y), expected)
    torch.testing.assert_close(score_matrix(*wide, similarity, tile=3), expected)
    r, c = torch.tensor([0, 4, 2]), torch.tensor([6, 0, 3])
    torch.testing.assert_close(score_pairs(*wide, r, c, similarity, tile=2), expected[r, c])
    assert module(x[:0], y).shape == (0, 7)
    assert module(x, y[:0]).shape == (5, 0)


def test_gradients_through_blocks_are_those_of_the_whole(module, monkeypatch):
    x, y = sets(3, 4, 0).requires_grad_(), sets(2, 5, 1)
    mask = torch.tensor([[True] * 4, [True, True, False, False], [True] * 4])
    module(x, y, x_mask=mask).square().sum().backward()
    whole = [p.grad.clone() for p in module.parameters()]
    grad = x.grad.clone()
    assert all((g != 0).any() for g in whole)
    assert (grad[1, 2:] == 0).all()
    module.zero_grad()
    x.grad = None
    monkeypatch.setattr(file, "_FLOATS", 100)
    module(x, y, x_mask=mask).square().sum().backward()
    torch.testing.assert_close(x.grad, grad)
    for parameter, expected in zip(module.parameters(), whole, strict=True):
        torch.testing.assert_close(parameter.grad, expected)


@torch.no_grad()
def test_the_score_is_the_weighed_mean_of_the_cosines(module):
    x, y = sets(2, 4, 0), sets(3, 5, 1)
    f, g, c = module.weigh(x, y)
    torch.testing.assert_close(f.sum(-1), torch.ones(2, 3, dtype=torch.float64))
    torch.testing.assert_close(torch.einsum("nmk,nmkl,nml->nm", f, c, g), module(x, y))


@torch.no_grad()
def test_one_region_and_one_word_have_their_cosine(module):
    x, y = sets(3, 1, 0), sets(2, 1, 1)
    cosines = torch.nn.functional.cosine_similarity(x[:, None, 0], y[None, :, 0], dim=-1)
    torch.testing.assert_close(module(x, y), cosines)


@torch.no_grad()
def test_half_precision_sets_get_float32_scores(module):
    x = sets(2, 3, 0)
    found = module.float()(x.half(), x.half())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, module(x.float(), x.float()), atol=1e-2, rtol=0)


def test_shapes_that_do_not_fit_are_refused(module):
    with pytest.raises(ValueError, match="sets must be"):
        module(torch.ones(1, 2, 6), torch.ones(1, 2, 5))


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast_gives_float32_scores_near_the_truth(module, dtype):
    module = module.float()
    x, y = sets(3, 4, 0).float(), sets(4, 5, 1).float()
    x[0, 2:] = 0  # aligned with nothing
    with torch.autocast("cpu", dtype=dtype):
        found = module(x, y)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, module(x, y), atol=3e-2, rtol=0)


def test_two_are_equal_that_have_the_same_weights(module):
    other = ContextAttention(6, hidden=4)
    one = ContextSimilarity(module=module)
    assert one == ContextSimilarity(module=module)
    assert hash(one) == hash(ContextSimilarity(module=module))
    assert one != ContextSimilarity(module=other)
    assert one.to_dict() == {"name": "context_attention"}
