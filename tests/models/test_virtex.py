"""VirTex's two decoders against plain loops, and what each of them may and may not see."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from facetwise.encoders import FrozenGrid, ImageFeatures
from facetwise.encoders.adapter import AdaptedGrid
from facetwise.encoders.words import END, MARKERS, PAD, START, UNKNOWN
from facetwise.errors import InputError
from facetwise.models.virtex import VirTex, VirTexConfig, backwards

TINY = VirTexConfig(width=8, heads=2, max_tokens=9)
V = len(MARKERS) + 6


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def tower(C=6):
    return AdaptedGrid(FrozenGrid(C, [C], C), 5, generator())


def model(config=TINY, seed=0):
    """In evaluation mode, its weights larger than at the start, so that everything matters."""
    made = VirTex(config, tower(), V, generator(seed))
    g = generator(seed + 1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=g)
    return made.eval()


def pictures(n=3):
    """What a tower's `prepare` gives of n pictures."""
    g = generator(5)
    return torch.randn(n, 4, 6, generator=g), torch.randn(n, 6, generator=g)


CAPTIONS = torch.tensor(
    [
        [START, 5, 6, 7, END, PAD, PAD],
        [START, 8, 5, 9, 10, 6, END],
        [START, END, PAD, PAD, PAD, PAD, PAD],
    ]
)
LENGTHS = torch.tensor([5, 7, 2])


# -- an independent slow reference, written from the equations -------------------------------------


def normed(x, norm):
    x = x - x.mean()
    return x / math.sqrt((x * x).mean() + 1e-5) * norm.weight.numpy() + norm.bias.numpy()


def attended(x, others, attention, heads):
    """One place x (H,) looks at others (a list of (H,))."""
    H = len(x)
    W, bias = attention.in_proj_weight.numpy(), attention.in_proj_bias.numpy()
    q = W[:H] @ x + bias[:H]
    k = [W[H : 2 * H] @ y + bias[H : 2 * H] for y in others]
    v = [W[2 * H :] @ y + bias[2 * H :] for y in others]
    out, d = [], H // heads
    for head in range(heads):
        part = slice(head * d, (head + 1) * d)
        weights = np.exp([q[part] @ key[part] / math.sqrt(d) for key in k])
        weights /= weights.sum()
        out.append(sum(w * value[part] for w, value in zip(weights, v, strict=True)))
    return attention.out_proj.weight.numpy() @ np.concatenate(out) + attention.out_proj.bias.numpy()


def fed_forward(x, layer):
    inner = layer.linear1.weight.numpy() @ x + layer.linear1.bias.numpy()
    inner = np.array([h * 0.5 * (1 + math.erf(h / math.sqrt(2))) for h in inner])
    return layer.linear2.weight.numpy() @ inner + layer.linear2.bias.numpy()


def slow_logits(model, decoder, memory, words):
    """Of the word after each of `words`, a list of numbers in the order read: one row for each."""
    pre = model.config.norm == "pre"
    E, P = model.words.weight.numpy(), model.places.weight.numpy()
    x = [normed(E[word] + P[place], model.norm) for place, word in enumerate(words)]
    for layer in decoder.layers:
        heads, after = model.config.heads, []
        if pre:
            seen = [normed(y, layer.norm1) for y in x]
            for t, y in enumerate(x):
                y = y + attended(seen[t], seen[: t + 1], layer.self_attn, heads)
                y = y + attended(normed(y, layer.norm2), memory, layer.multihead_attn, heads)
                after.append(y + fed_forward(normed(y, layer.norm3), layer))
        else:
            for t, y in enumerate(x):
                y = normed(y + attended(y, x[: t + 1], layer.self_attn, heads), layer.norm1)
                y = normed(y + attended(y, memory, layer.multihead_attn, heads), layer.norm2)
                after.append(normed(y + fed_forward(y, layer), layer.norm3))
        x = after
    if pre:
        x = [normed(y, decoder.norm) for y in x]
    return [E @ y + model.bias.numpy() for y in x]


def slow_loss(model, decoder, memories, captions):
    """Mean of -log p over all words to be said; each caption a list in the order read."""
    losses = []
    for memory, words in zip(memories, captions, strict=True):
        rows = slow_logits(model, decoder, memory, words[:-1])
        for logits, word in zip(rows, words[1:], strict=True):
            if word != UNKNOWN:
                losses.append(np.log(np.exp(logits).sum()) - logits[word])
    return sum(losses) / len(losses)


@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize("layers", [1, 2])
def test_both_losses_are_the_slow_reference(norm, layers):
    m = model(replace(TINY, norm=norm, layers=layers)).requires_grad_(False)
    ids = CAPTIONS.clone()
    ids[1, 2] = UNKNOWN
    a, b = pictures()
    forward, backward = m(a, b, ids, LENGTHS)
    memories = [list(memory) for memory in m.memory(a, b).numpy()]
    captions = [row[:n] for row, n in zip(ids.tolist(), LENGTHS.tolist(), strict=True)]
    assert forward.item() == pytest.approx(
        slow_loss(m, m.forward_decoder, memories, captions), rel=1e-5
    )
    turned = [words[::-1] for words in captions]
    assert turned[0] == [END, 7, 6, 5, START]
    assert backward.item() == pytest.approx(
        slow_loss(m, m.backward_decoder, memories, turned), rel=1e-5
    )


# -- what a decoder sees ---------------------------------------------------------------------------


@pytest.mark.parametrize("reverse", [False, True])
def test_a_later_word_never_changes_an_earlier_logit(reverse):
    m = model()
    memory = m.memory(*pictures())
    ids = torch.randint(5, V, (3, 7), generator=generator(1))
    changed = ids.clone()
    changed[:, 4:] = torch.randint(5, V, (3, 3), generator=generator(2))
    before, after = (m.logits(memory, x, reverse=reverse) for x in (ids, changed))
    torch.testing.assert_close(before[:, :4], after[:, :4])
    assert not torch.allclose(before[:, 4:], after[:, 4:])


def test_the_backward_decoder_sees_later_words_alone():
    # In reading order: changing the first words changes none of the losses of the later ones.
    m = model()
    ids, changed = CAPTIONS[1:2], CAPTIONS[1:2].clone()
    changed[0, 1:3] = torch.tensor([6, 8])
    memory = m.memory(*pictures(1))
    n = LENGTHS[1:2]
    before, after = (m.logits(memory, backwards(x, n), reverse=True) for x in (ids, changed))
    torch.testing.assert_close(before[:, :4], after[:, :4])  # read: end 6 10 9
    assert not torch.allclose(before[:, 4:], after[:, 4:])


def test_padding_changes_nothing():
    m, (a, b) = model(), pictures()
    short = m(a, b, CAPTIONS, LENGTHS)
    longer = nn.functional.pad(CAPTIONS, (0, 2), value=PAD)
    torch.testing.assert_close(m(a, b, longer, LENGTHS), short)
    alone = m(a[:1], b[:1], CAPTIONS[:1, :5], LENGTHS[:1])
    padded = m(a[:1], b[:1], CAPTIONS[:1], LENGTHS[:1])
    torch.testing.assert_close(alone, padded)


def test_captions_look_at_the_picture_that_they_belong_to():
    m, (a, b) = model(), pictures()
    owner = torch.tensor([2, 0, 2])
    together = m(a, b, CAPTIONS, LENGTHS, owner)
    torch.testing.assert_close(m(a[owner], b[owner], CAPTIONS, LENGTHS), together)
    assert not torch.allclose(m(a, b, CAPTIONS, LENGTHS)[0], together[0])


def test_the_order_of_cells_does_not_matter():
    m, (a, b) = model(), pictures()
    torch.testing.assert_close(
        m(a.flip(1), b, CAPTIONS, LENGTHS), m(a, b, CAPTIONS, LENGTHS), rtol=1e-4, atol=1e-5
    )


def test_a_word_that_is_not_known_is_read_but_not_said():
    m, (a, b) = model(), pictures(1)
    ids = torch.tensor([[START, UNKNOWN, END]])
    other = torch.tensor([[START, 7, END]])
    n = torch.tensor([3])
    memory = m.memory(a, b)
    end = m.logits(memory, ids[:, :-1]).log_softmax(-1)[0, 1, END]
    torch.testing.assert_close(m(a, b, ids, n)[0], -end)
    assert not torch.allclose(m.logits(memory, ids)[:, 1], m.logits(memory, other)[:, 1])


def test_a_batch_of_unknown_words_alone_is_no_division_by_zero():
    m, (a, b) = model(), pictures(1)
    ids = torch.tensor([[START, UNKNOWN, UNKNOWN]])
    assert m(a, b, ids, torch.tensor([3]))[0] == 0


# -- parts -----------------------------------------------------------------------------------------


def test_directions_share_words_output_and_view_but_no_decoder():
    m = model()
    names = {name.split(".")[0] for name, _ in m.named_parameters()}
    assert names == {
        *("see", "words", "places", "norm", "bias", "image"),
        *("forward_decoder", "backward_decoder"),
    }
    one, other = m.forward_decoder.state_dict(), m.backward_decoder.state_dict()
    assert not any(torch.equal(one[name], other[name]) for name in one if "weight" in name)


def test_forward_alone_has_one_decoder_and_one_loss():
    m, (a, b) = model(replace(TINY, directions="forward")), pictures()
    assert m(a, b, CAPTIONS, LENGTHS)[1] == 0
    assert len(m.caption(a, b)) == 3
    with pytest.raises(InputError, match="forward only"):
        m.caption(a, b, reverse=True)


def test_everything_learns_the_image_tower_included():
    m, (a, b) = model(), pictures()
    sum(m(a, b, CAPTIONS, LENGTHS)).backward()
    still = {name for name, p in m.named_parameters() if p.grad is None or not p.grad.any()}
    assert still == set()


def test_the_start_is_the_generators_and_nobody_elses():
    torch.rand(3)
    one, same, other = (VirTex(TINY, tower(), V, generator(seed)) for seed in (1, 1, 2))
    states = [x.state_dict() for x in (one, same, other)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["words.weight"], states[2]["words.weight"])
    assert not states[0]["words.weight"][PAD].any()
    assert one.forward_decoder.layers[0].norm1.weight.eq(1).all()


def test_width_and_heads_must_fit():
    with pytest.raises(InputError, match="width must be a multiple of heads, not 8 with 3 heads"):
        VirTex(replace(TINY, heads=3), tower(), V)


def test_turning_twice_is_not_turning():
    once = backwards(CAPTIONS, LENGTHS)
    assert once[0].tolist() == [END, 7, 6, 5, START, PAD, PAD]
    assert torch.equal(backwards(once, LENGTHS), CAPTIONS)


# -- what it says ----------------------------------------------------------------------------------


def slow_caption(m, a, b, reverse, most):
    """One picture, word by word, from scratch each time."""
    first, last = (END, START) if reverse else (START, END)
    said = [first]
    for _ in range(most):
        logits = m.logits(m.memory(a, b), torch.tensor([said]), reverse=reverse)[0, -1].tolist()
        allowed = [w for w in range(V) if w == last or w >= len(MARKERS)]
        word = max(allowed, key=lambda w: logits[w])
        if word == last:
            break
        said.append(word)
    return said[:0:-1] if reverse else said[1:]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("most", [1, 4, 20])
def test_captions_are_greedy_and_end(reverse, most):
    a, b = pictures(3)
    lengths = set()
    for seed in range(8):
        m = model(seed=seed)
        m.bias.data[[START, END]] += 0.3 * seed  # the likelier to come to an end
        said = m.caption(a, b, most=most, reverse=reverse)
        for row in range(3):
            expected = slow_caption(m, a[row : row + 1], b[row : row + 1], reverse, min(most, 8))
            assert [w for w in said[row].tolist() if w != PAD] == expected
            lengths.add(len(expected))
        assert said.shape[1] == max((said != PAD).sum(1))
    assert max(lengths) <= 8  # max_tokens, less the marker that it starts from
    assert most == 1 or len(lengths) > 1


def test_it_learns_eight_captions_by_heart_in_both_directions():
    g = generator(3)
    config = VirTexConfig(width=32, heads=4, dropout=0.0, max_tokens=8)
    features = ImageFeatures(torch.randn(8, 6, 2, 2, generator=g), torch.randn(8, 6, generator=g))
    m = VirTex(config, tower(), 20, g)
    m.image.fit(features)
    a, b = m.image.prepare(features)
    lengths = torch.randint(4, 8, (8,), generator=g)
    ids = torch.zeros(8, 7, dtype=torch.long)
    for row, n in enumerate(lengths.tolist()):
        words = torch.randint(len(MARKERS), 20, (n - 2,), generator=g)
        ids[row, :n] = torch.cat([torch.tensor([START]), words, torch.tensor([END])])
    optimizer = torch.optim.AdamW(m.parameters(), lr=5e-3)
    for _ in range(150):
        loss = sum(m(a, b, ids, lengths))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.2
    said, turned = m.eval().caption(a, b), m.caption(a, b, reverse=True)
    for row, n in enumerate(lengths.tolist()):
        words = ids[row, 1 : n - 1].tolist()
        assert [w for w in said[row].tolist() if w] == words
        assert [w for w in turned[row].tolist() if w] == words
