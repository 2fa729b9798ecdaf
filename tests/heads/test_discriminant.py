"""Starts in closed form: what they find, and that they do not depend on what they should not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from facetwise.heads.discriminant import attribute_start, whitening, within_class_start


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def classes(n=240, dim=12, count=12, seed=0):
    """Classes that differ in the first four dimensions, and vary widely in the last four."""
    g = seeded(seed)
    labels = torch.arange(n) % count
    z = 0.1 * torch.randn(n, dim, generator=g)
    z[:, :4] += torch.randn(count, 4, generator=g)[labels]
    z[:, -4:] += 2 * torch.randn(n, 4, generator=g)
    return z, labels


def test_whitening_is_the_inverse_square_root():
    x = torch.randn(50, 5, generator=seeded())
    S = x.T @ x / 50
    T = whitening(S, 0.7)
    expected = np.linalg.inv((S / S.diagonal().mean()).numpy() + 0.7 * np.eye(5))
    np.testing.assert_allclose((T @ T).numpy(), expected, rtol=1e-4, atol=1e-5)


def right(z, labels):
    z = F.normalize(z - z.mean(0), dim=1)
    scores = (z @ z.T).fill_diagonal_(-2)
    return (labels[scores.argmax(1)] == labels).float().mean().item()


def test_what_varies_within_classes_counts_less():
    z, labels = classes()
    W = within_class_start(z, labels, 6, generator=seeded(), shrinkage=0.1)
    assert right(z, labels) < 0.6
    assert right(z @ W.T, labels) > 0.9


def test_a_head_wider_than_the_features_is_no_problem():
    z, labels = classes(dim=12)
    W = within_class_start(z, labels, 20, generator=seeded())
    assert W.shape == (20, 12)
    assert torch.linalg.matrix_rank(W) == 12


def test_unknown_classes_are_left_out_of_the_scatter():
    z, labels = classes()
    half = labels.clone()
    half[120:] = -1
    other = z.clone()
    other[120:] = other[120:].flip(0)  # the same features, in another order
    one = within_class_start(z, half, 4, generator=seeded())
    two = within_class_start(other, half, 4, generator=seeded())
    torch.testing.assert_close(one, two, atol=1e-4, rtol=1e-3)


def test_the_generator_turns_it_and_nothing_else():
    z, labels = classes()
    one, two = (within_class_start(z, labels, 12, generator=seeded(s)) for s in (0, 1))
    assert not torch.allclose(one, two)
    torch.testing.assert_close(one.T @ one, two.T @ two, atol=1e-2, rtol=1e-2)


def test_an_attributes_rows_tell_its_values():
    g = seeded()
    value = torch.arange(200) % 3
    z = torch.randn(200, 10, generator=g)
    z[:, 0] += 3 * (value == 1)
    z[:, 1] += 3 * (value == 2)
    rows = attribute_start(z, F.one_hot(value, 3).float(), 2, torch.eye(10))
    assert rows.shape == (2, 10)
    assert (rows[:, :2].norm() / rows.norm()) > 0.9
    assert right(z @ rows.T, value) > right(z, value) + 0.05


def test_unknown_values_tell_nothing():
    g = seeded()
    z = torch.randn(60, 5, generator=g)
    values = (z[:, :1] > 0).float()
    unknown = torch.cat([values, torch.full_like(values, torch.nan)])
    twice = torch.cat([z, z])
    torch.testing.assert_close(
        attribute_start(twice, unknown, 1, torch.eye(5)).abs(),
        attribute_start(z, values, 1, torch.eye(5)).abs(),
        atol=1e-3,
        rtol=1e-2,
    )


def test_few_values_leave_rows_to_the_padding_which_are_shorter():
    z = torch.randn(80, 6, generator=seeded())
    values = (z[:, :1] > 0).float()
    rows = attribute_start(z, values, 4, torch.eye(6)[3:])
    assert rows[0].norm().item() == pytest.approx(1, abs=1e-4)
    torch.testing.assert_close(rows[1:], 0.3 * torch.eye(6)[3:])


def test_a_group_of_which_nothing_is_known_gets_the_padding():
    z = torch.randn(20, 6, generator=seeded())
    rows = attribute_start(z, torch.full((20, 2), torch.nan), 3, torch.eye(6))
    torch.testing.assert_close(rows, torch.eye(6)[:3])
