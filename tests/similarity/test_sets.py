import math
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facetwise.similarity import (
    average,
    chamfer,
    match_probability,
    max_pair,
    mean_vectors,
    smooth_chamfer,
    unit,
)

ALL = {
    "smooth_chamfer": smooth_chamfer,
    "sharp": partial(smooth_chamfer, alpha=200.0),  # past what the fast path may exponentiate
    "blunt": partial(smooth_chamfer, alpha=1.0),
    "chamfer": chamfer,
    "max_pair": max_pair,
    "average": average,
    "match_probability": partial(match_probability, scale=4.0, shift=-1.0),
    "pcme": partial(match_probability, scale=2.0, shift=1.0, distance="euclidean"),
}
every_similarity = pytest.mark.parametrize("name", ALL)


def reference(name, x, y):
    """One pair of sets, (K, D) and (L, D), in plain NumPy loops."""
    if name == "pcme":
        u = [1 - 2 * np.sqrt(((a - b) ** 2).sum() + 1e-6) for a in x for b in y]
        return np.mean([np.exp(v) / (np.exp(v) + np.exp(-v)) for v in u])
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    y = y / np.linalg.norm(y, axis=1, keepdims=True)
    c = np.array([[a @ b for b in y] for a in x])
    if name in ("smooth_chamfer", "sharp", "blunt"):
        alpha = {"smooth_chamfer": 16.0, "sharp": 200.0, "blunt": 1.0}[name]
        rows = [np.logaddexp.reduce(alpha * r) for r in c]
        columns = [np.logaddexp.reduce(alpha * r) for r in c.T]
        return np.mean(rows) / (2 * alpha) + np.mean(columns) / (2 * alpha)
    if name == "chamfer":
        return (c.max(1).mean() + c.max(0).mean()) / 2
    if name == "max_pair":
        return c.max()
    if name == "average":
        return c.mean()
    return np.mean(1 / (1 + np.exp(-(4 * c - 1))))


@st.composite
def two_batches(draw, dtype=torch.float64):
    n, m, k, l_, d = (draw(st.integers(1, 5)) for _ in range(5))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    return (
        torch.randn(n, k, d, generator=generator, dtype=dtype),
        torch.randn(m, l_, d, generator=generator, dtype=dtype),
    )


def test_golden_values_of_methods_2_5(golden_v, golden_t):
    expected = {
        smooth_chamfer: 0.785394,
        partial(smooth_chamfer, alpha=1.0): 1.214626,
        chamfer: 0.774519,
        max_pair: 0.866025,
        average: 0.433013,
        partial(match_probability, scale=1.0, shift=0.0): 0.601959,
    }
    for similarity, value in expected.items():
        assert similarity(golden_v, golden_t).item() == pytest.approx(value, abs=5e-7)
        assert similarity(golden_v.float(), golden_t.float()).item() == pytest.approx(
            value, abs=1e-6
        )


def test_identical_elements_score_one_plus_log_k_over_alpha():
    four = torch.ones(1, 4, 8) / math.sqrt(8)
    assert smooth_chamfer(four, four).item() == pytest.approx(1.08664, abs=5e-6)


@every_similarity
@given(batches=two_batches())
def test_agrees_with_a_slow_reference(name, batches):
    x, y = batches
    slow = [[reference(name, a.numpy(), b.numpy()) for b in y] for a in x]
    np.testing.assert_allclose(ALL[name](x, y).numpy(), slow, atol=1e-9)


@every_similarity
@given(batches=two_batches(torch.float32))
def test_is_the_same_with_and_without_gradients(name, batches):
    """Without gradients, smooth-Chamfer takes one logarithm of a product of sums."""
    x, y = batches
    with_gradient = ALL[name](x.clone().requires_grad_(), y)
    assert with_gradient.requires_grad
    torch.testing.assert_close(with_gradient.detach(), ALL[name](x, y), atol=2e-6, rtol=1e-5)


@every_similarity
@given(batches=two_batches(), seed=st.integers(0, 99))
def test_order_of_slots_does_not_matter(name, batches, seed):
    x, y = batches
    generator = torch.Generator().manual_seed(seed)
    x_mixed = x[:, torch.randperm(x.shape[1], generator=generator)]
    y_mixed = y[:, torch.randperm(y.shape[1], generator=generator)]
    torch.testing.assert_close(ALL[name](x_mixed, y_mixed), ALL[name](x, y))


@every_similarity
@given(batches=two_batches())
def test_is_symmetric_in_its_arguments(name, batches):
    x, y = batches
    torch.testing.assert_close(ALL[name](y, x), ALL[name](x, y).T)


@pytest.mark.parametrize("name", ["smooth_chamfer", "chamfer", "max_pair", "average"])
@given(batches=two_batches())
def test_one_slot_is_the_cosine(name, batches):
    x, y = (z[:, :1] for z in batches)
    cosine = torch.nn.functional.cosine_similarity(x, y.transpose(0, 1), dim=-1)
    torch.testing.assert_close(ALL[name](x, y), cosine)


@given(batches=two_batches(), alpha=st.floats(0.5, 5000))
def test_smooth_chamfer_tends_to_chamfer(batches, alpha):
    x, y = batches
    gap = smooth_chamfer(x, y, alpha=alpha) - chamfer(x, y)
    bound = math.log(max(x.shape[1], y.shape[1])) / alpha
    assert gap.min() >= -1e-9
    assert gap.max() <= bound + 1e-9


@every_similarity
@given(batches=two_batches(), data=st.data())
def test_masked_slots_are_as_good_as_not_there(name, batches, data):
    x, y = batches

    def a_mask(z):
        slots = st.lists(st.booleans(), min_size=z.shape[1], max_size=z.shape[1]).filter(any)
        return torch.tensor([data.draw(slots) for _ in z])

    x_mask, y_mask = a_mask(x), a_mask(y)
    dropped = [
        [ALL[name](a[None, i], b[None, j]).item() for b, j in zip(y, y_mask, strict=True)]
        for a, i in zip(x, x_mask, strict=True)
    ]
    x = x.masked_fill(~x_mask.unsqueeze(-1), torch.nan).requires_grad_()  # whatever they hold
    y = y.masked_fill(~y_mask.unsqueeze(-1), torch.inf).requires_grad_()
    for scores in (
        ALL[name](x, y, x_mask=x_mask, y_mask=y_mask),
        ALL[name](x.detach(), y.detach(), x_mask=x_mask, y_mask=y_mask),
    ):
        np.testing.assert_allclose(scores.detach().numpy(), dropped, atol=1e-9)
    ALL[name](x, y, x_mask=x_mask, y_mask=y_mask).sum().backward()
    for z, mask in ((x, x_mask), (y, y_mask)):
        assert z.grad.isfinite().all()
        assert (z.grad[~mask] == 0).all()


@every_similarity
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_safe_when_cosines_are_near_one(name, dtype):
    """exp(16 cos) overflows float16 for cosines above .69 (METHODS T-23)."""
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(1, 1, 64, generator=generator)
    x = unit(base + 0.05 * torch.randn(6, 4, 64, generator=generator))
    exact = ALL[name](x, x)
    half = x.to(dtype).requires_grad_()
    for scores in (ALL[name](half, half), ALL[name](half.detach(), half.detach())):
        assert scores.dtype == torch.float32
        tolerance = 3e-3 if dtype == torch.float16 else 3e-2
        torch.testing.assert_close(scores.detach(), exact, atol=tolerance, rtol=0)
    ALL[name](half, half).sum().backward()
    assert half.grad.dtype == dtype
    assert half.grad.isfinite().all()


@every_similarity
def test_gradients_are_finite_for_identical_and_zero_vectors(name):
    x = torch.ones(2, 3, 4)
    x[1] = 0
    x.requires_grad_()
    ALL[name](x, x).sum().backward()
    assert x.grad.isfinite().all()


@every_similarity
def test_gradient_is_the_derivative(name):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, 3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    y = torch.randn(3, 2, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(ALL[name], (x, y))


@pytest.mark.parametrize("name", ["smooth_chamfer", "chamfer", "max_pair", "average"])
def test_length_of_vectors_does_not_matter_unless_it_is_promised(name):
    x = torch.tensor([[[3.0, 4.0], [0.0, 2.0]]])
    torch.testing.assert_close(ALL[name](x, 10 * x), ALL[name](unit(x), unit(x), normalized=True))
    assert not torch.allclose(ALL[name](x, x), ALL[name](x, x, normalized=True))


def test_runs_under_autocast():
    x = torch.ones(2, 3, 4, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores = smooth_chamfer(x, x)
    assert scores.dtype == torch.float32
    scores.sum().backward()
    assert x.grad.isfinite().all()


def test_mean_vector_of_equal_elements_is_the_element():
    x = unit(torch.tensor([[[1.0, 2.0, 2.0]]])).expand(2, 3, 3)
    assert mean_vectors(x).shape == (2, 1, 3)
    torch.testing.assert_close(mean_vectors(x), x[:, :1])


def test_mean_vector_leaves_masked_slots_out():
    x = torch.tensor([[[2.0, 0.0], [0.0, 1.0]]])
    only_first = mean_vectors(x, torch.tensor([[True, False]]))
    torch.testing.assert_close(only_first, torch.tensor([[[1.0, 0.0]]]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": torch.ones(2, 3)}, r"not \(2, 3, 4\) and \(2, 3\)"),
        ({"y": torch.ones(2, 3, 5)}, r"not \(2, 3, 4\) and \(2, 3, 5\)"),
        ({"y": torch.ones(2, 0, 4)}, r"\(2, 0, 4\)"),
        ({"x_mask": torch.ones(2, 4, dtype=torch.bool)}, r"bool of shape \(2, 3\)"),
        ({"x_mask": torch.ones(2, 3)}, r"not torch.float32"),
        ({"y_mask": torch.zeros(2, 3, dtype=torch.bool)}, "without any slot"),
        ({"alpha": 0.0}, "alpha must be positive"),
    ],
)
def test_input_that_does_not_fit_is_refused_with_its_shape(arguments, message):
    x = torch.ones(2, 3, 4)
    with pytest.raises(ValueError, match=message):
        smooth_chamfer(**{"x": x, "y": x, **arguments})
