"""The set prediction module against a slow reference and METHODS section 8, check 6."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from facetwise.heads import SetPrediction, sine_positions

B, N, K, D, C = 3, 6, 4, 16, 10


def module(seed=0, **options):
    options = {"K": K, "T": 3, "heads": 2, "head_dim": 8, **options}
    g = torch.Generator().manual_seed(seed)
    made = SetPrediction(D, C, generator=g, **options).eval()
    with torch.no_grad():  # norms and biases start at ones and zeros, which would hide mistakes
        for parameter in made.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=g)
    return made


def features(seed=1):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(B, N, C, generator=g), torch.randn(B, D, generator=g)


def layer_norm(x, norm):
    x = x - x.mean(-1, keepdims=True)
    x = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5)
    return x * norm.weight.detach().numpy() + norm.bias.detach().numpy()


def linear(x, layer):
    y = x @ layer.weight.detach().numpy().T
    return y if layer.bias is None else y + layer.bias.detach().numpy()


def gelu(x):
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def reference(made, psi, phi, real):
    """METHODS 2.2 and 2.3, one picture and one location at a time; `real` locations only."""
    block, H = made.block, made.block.heads
    psi, phi = psi.double().numpy()[:real], phi.double().numpy()
    x = layer_norm(psi, block.norm_local)
    position = np.zeros_like(x)
    if made.positions == "words":
        for n in range(real):
            for c in range(C):
                angle = 2 * math.pi * (n + 1) / real / 10_000 ** (2 * (c // 2) / C)
                position[n, c] = math.sin(angle) if c % 2 == 0 else math.cos(angle)
    k, v = linear(x + position, block.W_k), linear(x, block.W_v)
    E = made.E_0.detach().double().numpy()
    for _ in range(made.T):
        q = linear(layer_norm(E, block.norm_slots), block.W_q)
        gathered, looks = [], []
        for head in np.split(np.arange(q.shape[1]), H):
            A = np.zeros((real, K))
            for n in range(real):
                e = np.exp(q[:, head] @ k[n, head] / math.sqrt(len(head)))
                A[n] = e / e.sum()
                assert A[n].sum() == pytest.approx(1)  # slots share out each location
            A_hat = A / A.sum(0)
            gathered.append(A_hat.T @ v[:, head])
            looks.append(A_hat.T)
        E = E + linear(np.concatenate(gathered, 1), block.W_o)
        norm, first, _, _, second = block.mlp
        E = E + linear(gelu(linear(layer_norm(E, norm), first)), second)
    slots = layer_norm(E, made.norm_slots)
    S = slots + made.global_weight * layer_norm(phi, made.norm_global)
    return S / np.linalg.norm(S, axis=1, keepdims=True), slots, np.mean(looks, 0)


@pytest.mark.parametrize("positions", [False, True])
@pytest.mark.parametrize("options", [{}, {"T": 1, "K": 4, "heads": 1}, {"global_weight": 0.25}])
def test_it_is_the_papers_module(positions, options):
    made = module(positions=positions, **options)
    psi, phi = features()
    lengths = [N, 4, 1]
    mask = torch.arange(N) < torch.tensor(lengths)[:, None]
    out = made(psi, phi, mask)
    for b, real in enumerate(lengths):
        elements, slots, looks = reference(made, psi[b], phi[b], real)
        np.testing.assert_allclose(out.elements[b].detach().numpy(), elements, atol=1e-5)
        np.testing.assert_allclose(out.slots[b].detach().numpy(), slots, atol=1e-4)
        np.testing.assert_allclose(out.attention[b, :, :real].detach().numpy(), looks, atol=1e-5)


@pytest.mark.parametrize("positions", [False, True])
def test_elements_have_length_one_and_each_slot_spreads_one_look(positions):
    out = module(positions=positions)(*features())
    assert out.elements.shape == out.slots.shape == (B, K, D)
    torch.testing.assert_close(out.elements.norm(dim=-1), torch.ones(B, K))
    torch.testing.assert_close(out.attention.sum(-1), torch.ones(B, K))


@pytest.mark.parametrize("positions", [False, True])
def test_padding_never_changes_a_set(positions):
    made = module(positions=positions)
    psi, phi = features()
    alone = made(psi[:, :4], phi)
    padded = made(psi, phi, torch.arange(N).expand(B, N) < 4)  # what is padded may hold anything
    torch.testing.assert_close(padded.elements, alone.elements)
    torch.testing.assert_close(padded.attention[..., :4], alone.attention)
    assert (padded.attention[..., 4:] == 0).all()


def test_padding_without_a_mask_would_change_it():
    """What the released code does (METHODS T-15); kept as the reason for the mask."""
    made = module()
    psi, phi = features()
    padded = torch.cat([psi, torch.zeros(B, 3, C)], 1)
    assert (made(padded, phi).elements - made(psi, phi).elements).abs().max() > 1e-3


def test_the_order_of_regions_does_not_matter_the_order_of_words_does():
    psi, phi = features()
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    regions, words = module(), module(positions=True)
    one, other = regions(psi, phi), regions(psi[:, order], phi)
    torch.testing.assert_close(other.elements, one.elements)
    torch.testing.assert_close(other.attention, one.attention[..., order])
    assert (words(psi[:, order], phi).elements - words(psi, phi).elements).abs().max() > 1e-3


def test_permuting_the_first_slots_permutes_the_set():
    made = module()
    psi, phi = features()
    before = made(psi, phi)
    order = torch.tensor([2, 0, 3, 1])
    with torch.no_grad():
        made.E_0.copy_(made.E_0[order].clone())
    after = made(psi, phi)
    for now, then in zip(after, before, strict=True):
        torch.testing.assert_close(now, then[:, order])


def test_without_the_global_feature_it_does_not_matter():
    made = module(global_weight=0.0)
    psi, phi = features()
    torch.testing.assert_close(made(psi, phi).elements, made(psi, -phi).elements)


def test_a_set_of_one_reads_everything_evenly():
    made = module(K=1, T=1)
    out = made(*features())
    torch.testing.assert_close(out.attention, torch.full((B, 1, N), 1 / N))


def test_no_pictures_give_no_sets():
    out = module()(torch.empty(0, N, C), torch.empty(0, D))
    assert out.elements.shape == (0, K, D)


def test_the_start_comes_from_the_generator_alone():
    one, other, third = (
        SetPrediction(D, C, generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    same = [torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True)]
    assert all(same)
    assert not torch.equal(one.E_0, third.E_0)


def test_every_parameter_learns():
    made = module(positions=True)
    out = made(*features())
    (out.elements * torch.randn(out.elements.shape)).sum().backward()
    assert [name for name, p in made.named_parameters() if not p.grad.abs().sum() > 0] == []


@pytest.mark.parametrize("width", [8, 7, 2])
def test_sine_positions_depend_on_the_true_length(width):
    psi = torch.zeros(2, 5, width)
    mask = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], dtype=torch.bool)
    code = sine_positions(psi, mask)
    assert code.shape == (2, 5, width)
    torch.testing.assert_close(code[0, :3], sine_positions(psi[:1, :3])[0])
    torch.testing.assert_close(code[1], sine_positions(psi[:1])[0])
    # the last real place is a whole turn for the first pair of channels
    torch.testing.assert_close(code[0, 2, :2], torch.tensor([0.0, 1.0]), atol=1e-5, rtol=0)
