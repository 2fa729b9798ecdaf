import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facetwise.losses import conditional
from facetwise.similarity import (
    ConditionalSimilarity,
    PairScore,
    attribute_mask,
    combine_attributes,
)


def bce(p, t):
    return -(t * math.log(p) + (1 - t) * math.log(1 - p))


def random_pairs(p, m, seed=0):
    generator = torch.Generator().manual_seed(seed)
    s = torch.rand(p, m, generator=generator, dtype=torch.float64).clamp(0.01, 0.99)
    w = torch.rand(p, m, generator=generator, dtype=torch.float64).softmax(1)
    s, w = s.requires_grad_(), w.requires_grad_()
    return PairScore((s * w).sum(1), s, w)


def random_labels(p, a, seed=0):
    generator = torch.Generator().manual_seed(seed)
    y, targets, mask = (
        torch.randint(2, shape, generator=generator).double() for shape in ((p,), (p, a), (p, a))
    )
    return y, targets, mask


@given(
    p=st.integers(1, 5),
    a=st.integers(1, 4),
    free=st.integers(0, 3),
    weight=st.sampled_from([0.0, 1e-5, 1.0, 10.0]),
    seed=st.integers(0, 999),
)
def test_agrees_with_a_slow_reference(p, a, free, weight, seed):
    pairs, (y, targets, mask) = random_pairs(p, a + free, seed), random_labels(p, a, seed)
    edge = np.mean([bce(pairs.score[k].item(), y[k].item()) for k in range(p)])
    attributes = []
    for k in range(p):
        costs = [
            mask[k, m].item() * bce(pairs.conditions[k, m].item(), targets[k, m].item())
            for m in range(a)
        ]
        attributes.append(sum(costs) / (mask[k].sum().item() + 1e-6))
    loss = conditional(pairs, y, targets, mask, weight=weight)
    assert loss.item() == pytest.approx(edge + weight * np.mean(attributes))


def attribute_gradient(pairs, y, targets, mask):
    """Gradient of the attribute loss alone, for conditions and relevance."""
    both = conditional(pairs, y, targets, mask, weight=1.0)
    loss = both - conditional(pairs, y)
    return torch.autograd.grad(loss, [pairs.conditions, pairs.relevance], allow_unused=True)


def test_free_conditions_and_relevance_get_no_gradient_from_the_attributes():
    pairs, (y, targets, mask) = random_pairs(6, 5), random_labels(6, 3)
    s, w = attribute_gradient(pairs, y, targets, torch.ones_like(mask))
    torch.testing.assert_close(s[:, 3:], torch.zeros(6, 2, dtype=torch.float64), atol=1e-12, rtol=0)
    torch.testing.assert_close(w, torch.zeros_like(w), atol=1e-12, rtol=0)
    assert (s[:, :3] != 0).all()


def test_masked_attributes_get_no_gradient_whatever_their_targets_say():
    pairs, (y, targets, mask) = random_pairs(6, 4), random_labels(6, 4)
    targets = targets.masked_fill(mask == 0, torch.nan)
    s, _ = attribute_gradient(pairs, y, targets, mask)
    assert s.isfinite().all()
    assert s[mask == 0].abs().max() < 1e-12
    assert (s[mask == 1].abs() > 1e-12).all()


def test_hybrid_gradients_reach_only_the_supervised_rows_of_w1():
    module = ConditionalSimilarity(4, 5, generator=torch.Generator().manual_seed(0)).double()
    h = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    y, targets, mask = random_labels(6, 2)
    pairs = module(h[0], h[1])
    loss = conditional(pairs, y, targets, mask) - conditional(pairs, y)
    w1, b1, w2, b2 = torch.autograd.grad(loss, [module.W1, module.b1, module.W2, module.b2])
    assert (w1[:2] != 0).any()
    for silent in (w1[2:], b1[2:], w2, b2):
        assert silent.abs().max() < 1e-12


def test_lambda_zero_is_unsupervised_for_any_labels():
    pairs = random_pairs(6, 4)
    y, targets, mask = random_labels(6, 4)
    plain = conditional(pairs, y)
    torch.testing.assert_close(conditional(pairs, y, targets, mask, weight=0.0), plain)
    torch.testing.assert_close(conditional(pairs, y, 1 - targets, mask, weight=0.0), plain)
    torch.testing.assert_close(conditional(pairs, y, targets, mask, supervised=0), plain)


def test_hybrid_without_free_conditions_is_supervised():
    """And a target table padded with masked columns, as in the paper's code, is the same again."""
    pairs, (y, targets, mask) = random_pairs(6, 4), random_labels(6, 4)
    supervised = conditional(pairs, y, targets, mask)
    torch.testing.assert_close(conditional(pairs, y, targets, mask, supervised=4), supervised)
    padded = mask.clone()
    padded[:, 2:] = 0
    torch.testing.assert_close(
        conditional(pairs, y, targets, padded),
        conditional(pairs, y, targets[:, :2], mask[:, :2]),
    )


def test_without_a_mask_all_attributes_are_certain():
    pairs, (y, targets, mask) = random_pairs(6, 4), random_labels(6, 4)
    torch.testing.assert_close(
        conditional(pairs, y, targets), conditional(pairs, y, targets, torch.ones_like(mask))
    )


def test_pairs_without_any_certain_attribute_cost_nothing():
    pairs, (y, targets, mask) = random_pairs(6, 4), random_labels(6, 4)
    loss = conditional(pairs, y, targets, torch.zeros_like(mask))
    torch.testing.assert_close(loss, conditional(pairs, y))


def test_and_xor_targets_supervise_twice_the_conditions():
    a, b = torch.tensor([[1, 0, -1]]), torch.tensor([[1, 1, 0]])
    targets, mask = combine_attributes(a, b, "and_xor"), attribute_mask(a, b, "and_xor")
    s = torch.full((1, 6), 0.5)
    loss = conditional(PairScore(s[:, 0], s, s), torch.ones(1), targets, mask)
    assert loss.item() == pytest.approx(2 * math.log(2), rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
def test_scores_of_exactly_zero_and_one_have_a_finite_loss_and_gradient(dtype):
    s = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=dtype, requires_grad=True)
    pairs = PairScore(s[:, 0], s, torch.ones_like(s))
    loss = conditional(pairs, torch.tensor([1.0, 0.0]), torch.tensor([[1, 0], [0, 1]]))
    loss.backward()
    assert loss.isfinite()
    assert s.grad.isfinite().all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": torch.ones(3)}, r"\(2,\)"),
        ({"targets": torch.ones(3, 2)}, r"\(3, 2\)"),
        ({"targets": torch.ones(2, 4), "mask": None}, r"\(2, 4\) and condition scores \(2, 3\)"),
        ({"mask": torch.ones(2, 3)}, r"\(2, 2\)"),
        ({"supervised": 3}, "3 supervised"),
    ],
)
def test_input_that_does_not_fit_is_refused(change, message):
    fits = {"y": torch.ones(2), "targets": torch.ones(2, 2), "mask": torch.ones(2, 2)}
    with pytest.raises(ValueError, match=message):
        conditional(random_pairs(2, 3), **{**fits, **change})
