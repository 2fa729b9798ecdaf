"""Slot Attention against a slow reference written from Algorithm 1 (METHODS 2.3)."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from facetwise.heads import SlotAttention

from .slow import gru_step, layer_norm, linear, shaken, softmax, unit, values

B, N, K, D, C = 3, 6, 4, 8, 10


def module(seed=0, **options):
    options = {"K": K, **options}
    made = SlotAttention(D, C, generator=torch.Generator().manual_seed(seed), **options)
    return shaken(made, seed)


def features(seed=1):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(B, N, C, generator=g), torch.randn(B, D, generator=g)


@pytest.mark.parametrize("options", [{}, {"T": 1}, {"K": 1}, {"global_weight": 0.0}])
def test_agrees_with_a_slow_reference(options):
    made = module(**options)
    psi, phi = features()
    lengths = [N, 4, 1]
    out = made(psi, phi, torch.arange(N) < torch.tensor(lengths)[:, None])
    first = made.slots
    for b, n in enumerate(lengths):
        x = layer_norm(values(psi[b, :n]), made.norm_local)
        k, v = linear(x, made.W_k), linear(x, made.W_v)
        E = values(first.mu) + np.exp(values(first.log_sigma)) * values(first.fixed)
        for _ in range(made.T):
            q = linear(layer_norm(E, made.norm_state), made.W_q)
            A = softmax(k @ q.T / np.sqrt(D), axis=1) + 1e-8  # over the slots
            A_hat = A / A.sum(0)
            E = gru_step(A_hat.T @ v, E, *made.gru.parameters())
            norm, wide, _, back = made.mlp
            E = E + linear(np.maximum(linear(layer_norm(E, norm), wide), 0), back)
        slots = layer_norm(E, made.norm_slots)
        S = unit(slots + made.global_weight * layer_norm(values(phi[b]), made.norm_global))
        np.testing.assert_allclose(values(out.attention[b, :, :n]), A_hat.T, atol=1e-5)
        np.testing.assert_allclose(values(out.slots[b]), slots, atol=1e-4)
        np.testing.assert_allclose(values(out.elements[b]), S, atol=1e-5)


@pytest.mark.parametrize("positions", ["none", "words"])
def test_padding_never_changes_a_set(positions):
    made = module(positions=positions)
    psi, phi = features()
    alone = made(psi[:, :4], phi)
    padded = made(psi, phi, torch.arange(N).expand(B, N) < 4)
    torch.testing.assert_close(padded.elements, alone.elements)
    torch.testing.assert_close(padded.attention[..., :4], alone.attention)
    assert (padded.attention[..., 4:] == 0).all()


def test_order_matters_for_words_only():
    psi, phi = features()
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    regions, words = module(), module(positions="words")
    torch.testing.assert_close(regions(psi[:, order], phi).elements, regions(psi, phi).elements)
    assert (words(psi[:, order], phi).elements - words(psi, phi).elements).abs().max() > 1e-3


def test_permuting_the_draw_permutes_the_set():
    made = module()
    before, order = made(*features()), torch.tensor([2, 0, 3, 1])
    made.slots.fixed.copy_(made.slots.fixed[order].clone())
    for now, then in zip(made(*features()), before, strict=True):
        torch.testing.assert_close(now, then[:, order])


def test_slots_are_drawn_while_training_and_fixed_after():
    made = module()
    psi, phi = features()
    one = made(psi, phi).elements
    torch.testing.assert_close(made(psi[:1], phi[:1]).elements, one[:1])
    made.train()
    drawn = [made(psi, phi, generator=torch.Generator().manual_seed(s)) for s in (0, 0, 1)]
    torch.testing.assert_close(drawn[0].elements, drawn[1].elements)
    assert (drawn[0].elements - drawn[2].elements).abs().max() > 1e-3
    torch.testing.assert_close(made.eval()(psi, phi).elements, one)


def test_every_parameter_learns():
    made = module().train()
    out = made(*features())
    (out.elements * torch.randn(out.elements.shape)).sum().backward()
    assert [name for name, p in made.named_parameters() if not p.grad.abs().sum() > 0] == []


def test_half_precision_keeps_slots_that_nobody_attends_to():
    made = module(T=1)
    with torch.no_grad():  # every location goes to one slot: of the others only 1e-8 is left
        made.W_q.weight.mul_(20)
        made.W_k.weight.mul_(20)
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        out = made.to(dtype)(*(f.to(dtype) for f in features()))
        assert out.elements.isfinite().all()
        torch.testing.assert_close(
            out.attention.float().sum(-1), torch.ones(B, K), atol=2e-2, rtol=0
        )


def test_autocast_gives_nearly_the_same_sets():
    made = module()
    exact = made(*features()).elements
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(made(*features()).elements.float(), exact, atol=0.05, rtol=0)


def test_the_gain_of_the_slots_may_start_small():
    made = SlotAttention(D, C, K=K, slot_gain=0.0).eval()
    psi, phi = features()
    expected = F.normalize(made.norm_global(phi), dim=-1)[:, None].expand(-1, K, -1)
    torch.testing.assert_close(made(psi, phi).elements, expected)
