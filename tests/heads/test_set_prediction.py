"""The set prediction module against a slow reference and METHODS section 8, check 6."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from facetwise import InputError
from facetwise.heads import SetPrediction

from .slow import gelu, gru_step, layer_norm, linear, shaken, softmax, values

B, N, K, D, C = 3, 6, 4, 16, 10


def module(seed=0, **options):
    options = {"K": K, "T": 3, "heads": 2, "head_dim": 8, **options}
    g = torch.Generator().manual_seed(seed)
    return shaken(SetPrediction(D, C, generator=g, **options), seed)


def features(seed=1):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(B, N, C, generator=g), torch.randn(B, D, generator=g)


def first_slots(made):
    if made.sampled is None:
        return values(made.E_0)
    first = made.sampled
    return values(first.mu) + np.exp(values(first.log_sigma)) * values(first.fixed)


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
    E = first_slots(made)
    for _ in range(made.T):
        q = linear(layer_norm(E, block.norm_slots), block.W_q)
        gathered, looks = [], []
        for head in np.split(np.arange(q.shape[1]), H):
            A = np.zeros((real, K))
            for n in range(real):  # slots share out each location
                A[n] = softmax(q[:, head] @ k[n, head] / math.sqrt(len(head)))
            A_hat = A / A.sum(0)
            gathered.append(A_hat.T @ v[:, head])
            looks.append(A_hat.T)
        taken = linear(np.concatenate(gathered, 1), block.W_o)
        E = E + taken if block.gru is None else gru_step(taken, E, *block.gru.parameters())
        norm, first, _, _, second = block.mlp
        E = E + linear(gelu(linear(layer_norm(E, norm), first)), second)
    slots = layer_norm(E, made.norm_slots)
    S = slots + made.global_weight * layer_norm(phi, made.norm_global)
    return S / np.linalg.norm(S, axis=1, keepdims=True), slots, np.mean(looks, 0)


@pytest.mark.parametrize("positions", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"T": 1, "K": 4, "heads": 1},
        {"global_weight": 0.25},
        {"slots": "sampled"},
        {"update": "gru"},
        {"slots": "sampled", "update": "gru", "heads": 1},
    ],
)
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


def test_legacy_padding_is_that_of_the_release():
    """METHODS T-15, T-17: 1/K of each padded location for every slot, counted among the keys."""
    made, sane = module(legacy_padding=True, T=1, heads=1), module(T=1, heads=1)
    psi, phi = features()
    padded = torch.cat([psi, torch.zeros(B, 3, C)], 1)
    mask = torch.arange(N + 3).expand(B, -1) < N
    A = torch.full((B, N + 3, K), 1 / K)
    A[:, :N] = slot_softmax(made, psi)
    A_hat = A / A.sum(1, keepdim=True)
    out = made(padded, phi, mask)
    torch.testing.assert_close(out.attention, A_hat.transpose(1, 2))
    assert (out.elements - made(psi, phi).elements).abs().max() > 1e-3  # the set has changed
    torch.testing.assert_close(made(psi, phi, mask[:, :N]).elements, sane(psi, phi).elements)


def slot_softmax(made, psi):
    """A of the first block, one head: (B, N, K)."""
    block = made.block
    k, _ = block.read(psi, None)
    q = block.W_q(block.norm_slots(made.E_0))
    return (k.squeeze(1) @ q.T / math.sqrt(block.head_dim)).softmax(-1)


def test_legacy_positions_depend_on_the_longest_text_of_the_batch():
    """METHODS T-16: the code is scaled by the padded length."""
    legacy, sane = (module(positions="words", legacy_positions=on) for on in (True, False))
    psi, phi = features()
    mask = torch.arange(N).expand(B, N) < 4
    alone = sane(psi[:, :4], phi).elements
    torch.testing.assert_close(sane(psi, phi, mask).elements, alone)
    torch.testing.assert_close(legacy(psi[:, :4], phi).elements, alone)
    assert (legacy(psi, phi, mask).elements - alone).abs().max() > 1e-3


def test_the_order_of_regions_does_not_matter_the_order_of_words_does():
    psi, phi = features()
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    regions, words = module(), module(positions=True)
    one, other = regions(psi, phi), regions(psi[:, order], phi)
    torch.testing.assert_close(other.elements, one.elements)
    torch.testing.assert_close(other.attention, one.attention[..., order])
    assert (words(psi[:, order], phi).elements - words(psi, phi).elements).abs().max() > 1e-3


def test_on_a_grid_the_place_of_a_cell_matters():
    cells = torch.cat([features()[0], features(2)[0]], 1)[:, :9]
    phi = features()[1]
    grid = module(positions="grid")
    order = torch.randperm(9, generator=torch.Generator().manual_seed(0))
    assert (grid(cells[:, order], phi).elements - grid(cells, phi).elements).abs().max() > 1e-3


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


@pytest.mark.parametrize(
    "options", [{}, {"slots": "sampled", "update": "gru"}, {"legacy_padding": True}]
)
def test_every_parameter_learns(options):
    made = module(positions="words", **options)
    out = made(*features())
    (out.elements * torch.randn(out.elements.shape)).sum().backward()
    assert [name for name, p in made.named_parameters() if not p.grad.abs().sum() > 0] == []


def test_sampled_slots_differ_while_training_and_never_after():
    made = module(slots="sampled", dropout=0.0)
    psi, phi = features()
    one = made(psi, phi).elements
    torch.testing.assert_close(made(psi[:1], phi[:1]).elements, one[:1])  # whatever the batch
    made.train()
    drawn = [made(psi, phi, generator=torch.Generator().manual_seed(s)) for s in (0, 0, 1)]
    torch.testing.assert_close(drawn[0].elements, drawn[1].elements)
    assert (drawn[0].elements - drawn[2].elements).abs().max() > 1e-3
    torch.testing.assert_close(made.eval()(psi, phi).elements, one)


def test_the_draw_used_after_training_is_stored_with_the_weights():
    made, other = module(slots="sampled"), module(1, slots="sampled")
    other.load_state_dict(made.state_dict())
    torch.testing.assert_close(other(*features()).elements, made(*features()).elements)


@pytest.mark.parametrize("options", [{}, {"slots": "sampled", "update": "gru"}])
def test_autocast_gives_nearly_the_same_sets(options):
    made = module(**options)
    exact = made(*features()).elements
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = made(*features()).elements
    torch.testing.assert_close(rough.float(), exact, atol=0.05, rtol=0)


@pytest.mark.parametrize("option", ["positions", "slots", "update"])
def test_an_unknown_option_is_refused_by_name(option):
    with pytest.raises(InputError, match=f"{option} must be .*, not 'odd'"):
        module(**{option: "odd"})
