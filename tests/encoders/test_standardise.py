"""Statistics of frozen features against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facetwise.encoders import Components, DimensionNorm, PartNorm


def rows(n, width, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, width, generator=g) * torch.arange(1, width + 1) + 3


def test_part_norm_is_centred_scaled_and_of_length_one_part_by_part():
    widths = [4, 2, 3]
    x = rows(20, 9)
    norm = PartNorm(widths)
    norm.fit(x)
    given = x.numpy()
    centred = given - given.mean(0)
    centred[:, 4:] /= given[:, 4:].std(0) + 1e-6  # the first part is only centred
    parts = np.split(centred, [4, 6], axis=1)
    expected = np.concatenate(
        [part / np.linalg.norm(part, axis=1, keepdims=True) for part in parts], 1
    ) / np.sqrt(3)
    np.testing.assert_allclose(norm(x).numpy(), expected, rtol=1e-4, atol=1e-6)


def test_part_norm_survives_features_that_never_change():
    norm = PartNorm([2, 2])
    x = torch.ones(5, 4)
    norm.fit(x)
    assert torch.equal(norm(x), torch.zeros(5, 4))  # nothing is known, and it is no NaN


def test_statistics_belong_to_the_weights():
    norm, other = PartNorm([3, 3]), PartNorm([3, 3])
    norm.fit(rows(9, 6))
    other.load_state_dict(norm.state_dict())
    assert torch.equal(norm(rows(4, 6, 1)), other(rows(4, 6, 1)))


def grid(n=10, seed=0):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 12, 3, 2, generator=g) * torch.linspace(3, 0.1, 12)[:, None, None]
    mixed = torch.linalg.qr(torch.randn(12, 12, generator=g))[0]
    return torch.einsum("nchw,cd->ndhw", x, mixed) + 1


def test_components_are_numpys():
    x = grid()
    components = Components(12, 5)
    components.fit(x)
    out = components(x.half())
    assert out.shape == (10, 6, 5)
    flat = x.numpy().transpose(0, 2, 3, 1).reshape(-1, 12).astype(np.float64)
    centred = flat - flat.mean(0)
    _, singular, directions = np.linalg.svd(centred, full_matrices=False)
    variance = singular[:5] ** 2 / len(flat)
    expected = centred @ directions[:5].T / np.sqrt(variance.mean())
    # each component up to its sign, and from the smallest to the largest
    found = out.double().numpy().reshape(-1, 5)[:, ::-1]
    signs = np.sign((found * expected).sum(0))
    np.testing.assert_allclose(found, expected * signs, atol=0.02)
    assert found.var() == pytest.approx(1, rel=0.01)


def test_components_are_fitted_on_every_so_many_pictures():
    x = grid(20)
    some, every_fourth = Components(12, 5), Components(12, 5)
    some.fit(x, cells=30)  # 120 cells
    every_fourth.fit(x[::4])
    assert torch.equal(some.basis, every_fourth.basis)


def test_more_components_than_cells_are_no_numbers_out_of_nowhere():
    x = grid(1)
    components = Components(12, 12)
    components.fit(x)
    assert torch.isfinite(components(x)).all()
    assert components(x).abs().max() < 100


def test_no_pictures_have_no_components():
    assert Components(12, 5)(torch.empty(0, 12, 3, 2)).shape == (0, 6, 5)


def test_dimension_norm_is_standardisation_of_every_dimension():
    x = rows(20, 9)
    norm = DimensionNorm([4, 5])
    norm.fit(x)
    given = x.numpy()
    expected = (given - given.mean(0)) / (given.std(0) + 1e-6)
    np.testing.assert_allclose(norm(x).numpy(), expected, rtol=1e-4, atol=1e-5)


def test_a_dimension_that_never_changes_becomes_zero():
    norm = DimensionNorm([2])
    norm.fit(torch.tensor([[1.0, 2.0], [1.0, 3.0]]))
    assert (norm(torch.tensor([[1.0, 2.0]]))[:, 0] == 0).all()
