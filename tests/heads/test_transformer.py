"""The plain transformer head: against PyTorch's own encoder layers, and its properties."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from facetwise.heads import TransformerHead

from .slow import shaken

B, N, K, D, C = 3, 6, 4, 8, 10


def module(seed=0, **options):
    options = {"K": K, "heads": 2, **options}
    made = TransformerHead(D, C, generator=torch.Generator().manual_seed(seed), **options)
    return shaken(made, seed)


def features(seed=1):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(B, N, C, generator=g), torch.randn(B, D, generator=g)


MASK = torch.arange(N) < torch.tensor([[N], [4], [1]])


def official(layer):
    """The same weights in PyTorch's layer."""
    made = nn.TransformerEncoderLayer(
        D, layer.heads, 4 * D, activation="gelu", batch_first=True, norm_first=True
    ).eval()
    maps = (layer.W_q, layer.W_k, layer.W_v)
    made.self_attn.in_proj_weight.data = torch.cat([W.weight.data for W in maps])
    made.self_attn.in_proj_bias.data = torch.cat([W.bias.data for W in maps])
    made.self_attn.out_proj.load_state_dict(layer.W_o.state_dict())
    made.norm1.load_state_dict(layer.norm.state_dict())
    made.norm2.load_state_dict(layer.mlp[0].state_dict())
    made.linear1.load_state_dict(layer.mlp[1].state_dict())
    made.linear2.load_state_dict(layer.mlp[4].state_dict())
    return made


@pytest.mark.parametrize("options", [{}, {"T": 1}, {"K": 1, "T": 3}, {"global_weight": 0.25}])
def test_it_is_pytorchs_encoder_over_locations_and_queries(options):
    made = module(**options)
    psi, phi = features()
    out = made(psi, phi, MASK)
    k = len(made.queries)
    x = torch.cat([made.W_local(made.norm_local(psi)), made.queries.expand(B, -1, -1)], 1)
    padding = torch.cat([~MASK, torch.zeros(B, k, dtype=torch.bool)], 1)
    for layer in made.layers:
        theirs = official(layer)
        y = theirs.norm1(x)
        _, A = theirs.self_attn(y, y, y, key_padding_mask=padding)
        x = theirs(x, src_key_padding_mask=padding)
    slots = made.norm_slots(x[:, N:])
    torch.testing.assert_close(out.slots, slots, atol=1e-5, rtol=1e-5)
    S = slots + made.global_weight * made.norm_global(phi)[:, None]
    torch.testing.assert_close(out.elements, F.normalize(S, dim=-1), atol=1e-5, rtol=1e-5)
    looks = A[:, N:, :N]
    torch.testing.assert_close(out.attention, looks / looks.sum(-1, keepdim=True))


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


def test_permuting_the_queries_permutes_the_set():
    made, order = module(), torch.tensor([2, 0, 3, 1])
    before = made(*features())
    with torch.no_grad():
        made.queries.copy_(made.queries[order].clone())
    for now, then in zip(made(*features()), before, strict=True):
        torch.testing.assert_close(now, then[:, order])


def test_lengths_are_one_and_an_item_without_locations_has_a_set():
    out = module()(*features(), torch.tensor([[False] * N] * B))
    torch.testing.assert_close(out.elements.norm(dim=-1), torch.ones(B, K))
    assert (out.attention == 0).all()


def test_every_parameter_learns():
    made = module(positions="words").train()
    out = made(*features())
    (out.elements * torch.randn(out.elements.shape)).sum().backward()
    # The bias of the keys moves all logits of a row alike, which a softmax does not see.
    still = [name for name, p in made.named_parameters() if not p.grad.abs().sum() > 1e-4]
    assert still == ["layers.0.W_k.bias", "layers.1.W_k.bias"]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    made = module()
    psi, phi = features()
    exact = made(psi, phi, MASK).elements
    rough = made.to(dtype)(psi.to(dtype), phi.to(dtype), MASK).elements
    torch.testing.assert_close(rough.float(), exact, atol=0.1, rtol=0)


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ValueError, match="multiple of heads, not 8 with 3"):
        module(heads=3)


def test_the_gain_of_the_slots_may_start_small():
    made = TransformerHead(D, C, K=K, slot_gain=0.0, heads=2).eval()
    psi, phi = features()
    expected = F.normalize(made.norm_global(phi), dim=-1)[:, None].expand(-1, K, -1)
    torch.testing.assert_close(made(psi, phi).elements, expected)
