"""InfoNCE with many positives, against plain loops and against the loss with one."""

from __future__ import annotations

import math

import pytest
import torch

from facetwise.losses import info_nce, many_positives


def world(seed=0, b=5, c=7):
    g = torch.Generator().manual_seed(seed)
    scores = torch.randn(b, c, generator=g, dtype=torch.float64)
    matches = torch.rand(b, c, generator=g) < 0.4
    return scores, matches, torch.rand(c, generator=g, dtype=torch.float64) + 0.1


def slowly(scores, matches, temperature, weights):
    s, m, w = (scores / temperature).tolist(), matches.tolist(), weights.tolist()
    b, c = len(s), len(s[0])
    images = []
    for i in range(b):
        own = [t for t in range(c) if m[i][t]]
        if own:
            z = math.log(sum(math.exp(v) for v in s[i]))
            images.append(sum(w[t] * (z - s[i][t]) for t in own) / sum(w[t] for t in own))
    texts, total = 0.0, 0.0
    for t in range(c):
        own = [i for i in range(b) if m[i][t]]
        if own:
            z = math.log(sum(math.exp(s[i][t]) for i in range(b)))
            texts += w[t] * sum(z - s[i][t] for i in own) / len(own)
            total += w[t]
    return (sum(images) / len(images) + texts / total) / 2


@pytest.mark.parametrize("seed", range(4))
def test_it_is_what_the_equation_says(seed):
    scores, matches, weights = world(seed)
    got = many_positives(scores, matches, temperature=0.3, weights=weights)
    assert got.item() == pytest.approx(slowly(scores, matches, 0.3, weights), abs=1e-10)
    even = many_positives(scores, matches, temperature=0.3)
    expected = slowly(scores, matches, 0.3, torch.ones(7, dtype=torch.float64))
    assert even.item() == pytest.approx(expected, abs=1e-10)


def test_with_one_match_each_it_is_info_nce():
    scores = world()[0][:, :5]
    one = many_positives(scores, torch.eye(5, dtype=torch.bool), temperature=0.2)
    torch.testing.assert_close(one, info_nce(scores, torch.arange(5), temperature=0.2))


def test_the_order_of_pictures_and_of_texts_does_not_matter():
    scores, matches, weights = world()
    rows, columns = torch.tensor([3, 1, 0, 4, 2]), torch.tensor([6, 0, 5, 1, 4, 2, 3])
    one = many_positives(scores, matches, weights=weights)
    other = many_positives(
        scores[rows][:, columns], matches[rows][:, columns], weights=weights[columns]
    )
    torch.testing.assert_close(one, other)


def test_what_matches_nothing_is_a_negative_and_nothing_at_all_costs_nothing():
    scores, matches, _ = world()
    matches[2], matches[:, 4] = False, False
    assert many_positives(scores, matches).isfinite()
    assert many_positives(scores, torch.zeros_like(matches)) == 0


def test_every_positive_is_pulled_and_negatives_are_pushed():
    scores, matches, _ = world()
    scores = scores.requires_grad_()
    many_positives(scores, matches, temperature=1.0).backward()
    assert (scores.grad[~matches] > 0).all()


def test_half_precision_does_not_overflow():
    scores, matches, _ = world()
    assert many_positives(scores.half() * 100, matches, temperature=0.01).isfinite()


def test_shapes_must_fit():
    with pytest.raises(ValueError, match=r"expected matches like scores \(5, 7\)"):
        many_positives(torch.zeros(5, 7), torch.zeros(7, 5, dtype=torch.bool))
