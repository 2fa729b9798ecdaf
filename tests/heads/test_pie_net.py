"""PIE-Net against a slow reference written from METHODS 3.4."""

import numpy as np
import pytest
import torch

from facetwise.heads import PIENet

from .slow import layer_norm, linear, shaken, sigmoid, softmax, unit, values

B, N, K, D, C = 3, 6, 4, 8, 10


def module(seed=0, **options):
    options = {"K": K, **options}
    return shaken(PIENet(D, C, generator=torch.Generator().manual_seed(seed), **options), seed)


def features(seed=1):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(B, N, C, generator=g), torch.randn(B, D, generator=g)


@pytest.mark.parametrize("K", [1, 2, 4])
def test_agrees_with_a_slow_reference(K):
    made = module(K=K)
    assert made.attention.W_1.out_features == C // 2
    psi, phi = features()
    lengths = [N, 4, 1]
    out = made(psi, phi, torch.arange(N) < torch.tensor(lengths)[:, None])
    assert out.elements.shape == out.slots.shape == (B, K, D)
    for b, n in enumerate(lengths):
        x = values(psi[b, :n])
        A = softmax(
            np.tanh(x @ values(made.attention.W_1.weight).T) @ values(made.attention.W_2.weight).T,
            0,
        )
        for k in range(K):
            r = sigmoid(linear(A[:, k] @ x, made.W))
            element = unit(layer_norm(values(phi[b]) + r, made.norm))
            np.testing.assert_allclose(values(out.attention[b, k, :n]), A[:, k], atol=1e-6)
            np.testing.assert_allclose(values(out.slots[b, k]), r, atol=1e-6)
            np.testing.assert_allclose(values(out.elements[b, k]), element, atol=1e-5)


def test_padding_never_changes_a_set():
    made = module()
    psi, phi = features()
    alone = made(psi[:, :4], phi)
    psi[:, 4:] = float("nan")
    padded = made(psi, phi, torch.arange(N).expand(B, N) < 4)
    torch.testing.assert_close(padded.elements, alone.elements)
    torch.testing.assert_close(padded.attention[..., :4], alone.attention)
    assert (padded.attention[..., 4:] == 0).all()


def test_nothing_to_look_at_leaves_the_global_feature():
    made = module()
    psi, phi = features()
    out = made(psi, phi, torch.zeros(B, N, dtype=torch.bool))
    assert out.elements.isfinite().all()
    assert (out.attention == 0).all()
    torch.testing.assert_close(out.elements[:, 0], out.elements[:, 1])


def test_the_order_of_locations_does_not_matter():
    made = module()
    psi, phi = features()
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    one, other = made(psi, phi), made(psi[:, order], phi)
    torch.testing.assert_close(other.elements, one.elements)
    torch.testing.assert_close(other.attention, one.attention[..., order])


def test_every_parameter_learns():
    made = module()
    out = made(*features())
    (out.elements * torch.randn(out.elements.shape)).sum().backward()
    assert [name for name, p in made.named_parameters() if not p.grad.abs().sum() > 0] == []


def test_the_start_comes_from_the_generator_alone():
    one, other, third = (
        PIENet(D, C, generator=torch.Generator().manual_seed(s)) for s in (0, 0, 1)
    )
    same = [torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True)]
    assert all(same)
    assert not torch.equal(one.W.weight, third.W.weight)


def test_autocast_gives_nearly_the_same_sets():
    made = module()
    psi, phi = features()
    mask = torch.arange(N) < torch.tensor([[N], [4], [1]])
    exact = made(psi, phi, mask).elements
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(made(psi, phi, mask).elements.float(), exact, atol=0.05, rtol=0)
