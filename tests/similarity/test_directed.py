"""The texts' half of smooth-Chamfer."""

from __future__ import annotations

import math

import pytest
import torch

from facetwise.similarity import (
    directed_smooth_chamfer,
    score_matrix,
    smooth_chamfer,
)
from facetwise.similarity.named import NamedSimilarity


def sets(n=3, k=4, d=6, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, k, d, generator=g, dtype=torch.float64)


def slowly(x, y, alpha):
    def cosine(a, b):
        return float(a @ b / (a.norm() * b.norm()))

    return [
        [
            sum(math.log(sum(math.exp(alpha * cosine(a, b)) for a in image)) / alpha for b in text)
            / len(text)
            for text in y
        ]
        for image in x
    ]


@pytest.mark.parametrize("alpha", [1.0, 16.0])
def test_it_is_what_the_equation_says(alpha):
    x, y = sets(), sets(5, 2, seed=1)
    expected = torch.tensor(slowly(x, y, alpha), dtype=torch.float64)
    torch.testing.assert_close(directed_smooth_chamfer(x, y, alpha=alpha), expected)


def test_the_golden_sets(golden_v, golden_t):
    both = directed_smooth_chamfer(golden_v, golden_t) + directed_smooth_chamfer(golden_t, golden_v)
    assert both.item() / 2 == pytest.approx(0.785394, abs=1e-6)  # METHODS 2.5


def test_the_two_directions_make_smooth_chamfer():
    x, y = sets(), sets(5, 2, seed=1)
    both = directed_smooth_chamfer(x, y) + directed_smooth_chamfer(y, x).T
    torch.testing.assert_close(both / 2, smooth_chamfer(x, y))


def test_one_against_one_is_the_cosine():
    x, y = sets(k=1), sets(5, 1, seed=1)
    cosine = torch.nn.functional.cosine_similarity(x, y.transpose(0, 1), dim=-1)
    torch.testing.assert_close(directed_smooth_chamfer(x, y), cosine)


def test_the_order_of_elements_does_not_matter():
    x, y = sets(), sets(5, 2, seed=1)
    torch.testing.assert_close(
        directed_smooth_chamfer(x.flip(1), y.flip(1)), directed_smooth_chamfer(x, y)
    )


def test_more_in_the_image_never_hurts():
    x, y = sets(), sets(5, 2, seed=1)
    more = torch.cat([x, sets(k=1, seed=2)], 1)
    assert (directed_smooth_chamfer(more, y) > directed_smooth_chamfer(x, y)).all()


def test_masked_elements_are_as_good_as_not_there():
    x, y = sets(), sets(5, 3, seed=1)
    x_mask, y_mask = torch.tensor([True] * 3 + [False]), torch.tensor([True, True, False])
    got = directed_smooth_chamfer(
        x.masked_fill(~x_mask[:, None], float("nan")),
        y,
        x_mask=x_mask.expand(3, 4),
        y_mask=y_mask.expand(5, 3),
    )
    torch.testing.assert_close(got, directed_smooth_chamfer(x[:, :3], y[:, :2]))


def test_gradients_are_finite_with_masks():
    x, y = sets().requires_grad_(), sets(5, 3, seed=1)
    mask = torch.tensor([True, True, False, False]).expand(3, 4)
    directed_smooth_chamfer(x, y, x_mask=mask).sum().backward()
    assert x.grad.isfinite().all()


def test_tiles_and_the_name_give_the_same():
    x, y = sets(70).float(), sets(30, 1, seed=1).float()
    named = NamedSimilarity("directed_smooth_chamfer", {"alpha": 20.0})
    assert not named.symmetric
    torch.testing.assert_close(
        score_matrix(x, y, named, tile=16), directed_smooth_chamfer(x, y, alpha=20.0)
    )


def test_alpha_must_be_positive():
    with pytest.raises(ValueError, match="alpha must be positive"):
        directed_smooth_chamfer(sets(), sets(), alpha=0)
