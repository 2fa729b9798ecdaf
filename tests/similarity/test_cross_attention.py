"""SCAN against plain loops written from the equations of the paper."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facetwise.similarity import NamedSimilarity, cross_attention, score_matrix

T2I = {"direction": "t-i", "lambda_1": 9.0, "lambda_2": 6.0}
I2T = {"direction": "i-t", "lambda_1": 4.0, "lambda_2": 5.0}


def slow(regions, words, direction, pooling, lambda_1, lambda_2, leak=0.0):
    """One image (K, D) and one caption (L, D), in NumPy, with the attended vectors themselves."""
    asking, asked = (words, regions) if direction == "t-i" else (regions, words)
    asking = asking / np.linalg.norm(asking, axis=1, keepdims=True)
    asked = asked / np.linalg.norm(asked, axis=1, keepdims=True)
    s = np.zeros((len(asked), len(asking)))
    for i, region in enumerate(asked):
        clipped = [max(region @ word, leak * (region @ word)) for word in asking]
        length = math.sqrt(sum(c * c for c in clipped))
        s[i] = [c / length if length else 0.0 for c in clipped]
    relevance = []
    for j, word in enumerate(asking):
        w = np.exp(lambda_1 * s[:, j])
        mixture = (w / w.sum()) @ asked
        relevance.append(word @ mixture / np.linalg.norm(mixture))
    if pooling == "avg":
        return sum(relevance) / len(relevance)
    return math.log(sum(math.exp(lambda_2 * r) for r in relevance)) / lambda_2


def sets(n, k, seed, d=6):
    return torch.randn(n, k, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("pooling", ["lse", "avg"])
@pytest.mark.parametrize("options", [T2I, I2T])
@pytest.mark.parametrize("leak", [0.0, 0.1])
def test_agrees_with_loops_over_the_equations(options, pooling, leak):
    x, y = sets(4, 5, 0), sets(3, 7, 1)
    expected = [
        [slow(v.numpy(), t.numpy(), pooling=pooling, leak=leak, **options) for t in y] for v in x
    ]
    found = cross_attention(x, y, pooling=pooling, leak=leak, **options)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-9)


@pytest.mark.parametrize("options", [T2I, I2T])
@given(seed=st.integers(0, 500))
@settings(deadline=None, max_examples=15)
def test_order_of_regions_and_words_and_padding_change_nothing(options, seed):
    x, y = sets(2, 4, seed), sets(2, 5, seed + 1)
    g = torch.Generator().manual_seed(seed)
    expected = cross_attention(x, y, **options)
    shuffled = cross_attention(
        x[:, torch.randperm(4, generator=g)], y[:, torch.randperm(5, generator=g)], **options
    )
    torch.testing.assert_close(shuffled, expected)
    similarity = NamedSimilarity("cross_attention", options)
    wide = torch.cat([x, torch.zeros(2, 3, 6)], 1), torch.cat([y, torch.zeros(2, 2, 6)], 1)
    torch.testing.assert_close(similarity(*wide), expected)
    torch.testing.assert_close(score_matrix(*wide, similarity, tile=2), expected)


def test_masked_elements_may_hold_anything():
    x, y = sets(2, 4, 0), sets(2, 5, 1)
    x_mask, y_mask = torch.ones(2, 4, dtype=torch.bool), torch.ones(2, 5, dtype=torch.bool)
    x_mask[:, 3] = y_mask[:, 4] = False
    expected = cross_attention(x[:, :3], y[:, :4])
    x[:, 3] = y[:, 4] = float("nan")
    x.requires_grad_(), y.requires_grad_()
    found = cross_attention(x, y, x_mask=x_mask, y_mask=y_mask)
    torch.testing.assert_close(found, expected)
    found.sum().backward()
    assert x.grad.isfinite().all() and y.grad.isfinite().all()


def test_one_region_and_one_word_have_their_cosine():
    x, y = sets(3, 1, 0), sets(2, 1, 1)
    cosines = torch.nn.functional.cosine_similarity(x[:, None, 0], y[None, :, 0], dim=-1)
    for options in (T2I, I2T):
        for pooling in ("lse", "avg"):
            torch.testing.assert_close(cross_attention(x, y, pooling=pooling, **options), cosines)


def test_sharp_attention_finds_each_words_best_region():
    x, y = sets(3, 4, 0).abs(), sets(2, 1, 1).abs()  # one word: its clipped cosines are all 1
    y = torch.cat([y, sets(2, 2, 2).abs()], 1)
    sharp = cross_attention(x, y, pooling="avg", lambda_1=1e6)
    unit = torch.nn.functional.normalize
    c = torch.einsum("nkd,mld->nmkl", unit(x, dim=-1), unit(y, dim=-1))
    best = unit(c.clamp_min(0), dim=3).argmax(2)  # by the normalised affinity, as in the paper
    torch.testing.assert_close(sharp, c.gather(2, best[:, :, None]).squeeze(2).mean(2))


def test_words_like_no_region_keep_finite_gradients():
    x = torch.tensor([[[1.0, 0.0], [-1.0, 0.0]]], requires_grad=True)  # mixtures cancel
    y = torch.tensor([[[0.0, 1.0], [0.0, 0.0]]], requires_grad=True)
    found = cross_attention(x, y)
    found.sum().backward()
    assert found.isfinite().all()
    assert x.grad.isfinite().all() and y.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_gives_float32_near_the_truth(dtype):
    x, y = sets(3, 6, 0, d=32).float(), sets(4, 5, 1, d=32).float()
    found = cross_attention(x.to(dtype), y.to(dtype))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, cross_attention(x, y), atol=3e-2, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast_gives_float32_near_the_truth(dtype):
    x, y = sets(3, 6, 0, d=32).float(), sets(4, 5, 1, d=32).float()
    with torch.autocast("cpu", dtype=dtype):
        found = cross_attention(x, y)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, cross_attention(x, y), atol=3e-2, rtol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"direction": "i2t"}, "t-i"),
        ({"pooling": "max"}, "lse"),
        ({"lambda_1": 0.0}, "lambda_1"),
        ({"lambda_2": -1.0}, "lambda_2"),
        ({"leak": 2.0}, "leak"),
    ],
)
def test_arguments_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        cross_attention(torch.ones(1, 1, 2), torch.ones(1, 1, 2), **options)
