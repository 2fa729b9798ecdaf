from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facetwise.similarity import (
    SIMILARITIES,
    NamedSimilarity,
    score_matrix,
    score_pairs,
    smooth_chamfer,
)


def rows_of(name):
    """K and L; a Gaussian has two rows, whatever it is of."""
    return (2, 2) if NamedSimilarity(name).gaussian else (4, 3)


@pytest.mark.parametrize("name", SIMILARITIES)
@given(
    n=st.integers(1, 9),
    m=st.integers(1, 9),
    tile=st.integers(1, 12),
    masked=st.booleans(),
    seed=st.integers(0, 999),
)
def test_tiles_give_what_the_whole_gives(name, n, m, tile, masked, seed):
    generator = torch.Generator().manual_seed(seed)
    k, k_y = rows_of(name)
    x = torch.randn(n, k, 5, generator=generator, dtype=torch.float64)
    y = torch.randn(m, k_y, 5, generator=generator, dtype=torch.float64)
    masks = {}
    if masked:
        masks["x_mask"] = torch.rand(n, k, generator=generator) < 0.5
        masks["y_mask"] = torch.rand(m, k_y, generator=generator) < 0.5
        for mask in masks.values():
            mask[:, 0] = True
    scores = score_matrix(x, y, name, tile=tile, **masks)
    torch.testing.assert_close(scores, SIMILARITIES[name](x, y, **masks))


def test_takes_a_similarity_with_its_parameters():
    x = torch.randn(3, 2, 4, generator=torch.Generator().manual_seed(0))
    blunt = partial(smooth_chamfer, alpha=2.0)
    torch.testing.assert_close(score_matrix(x, x, blunt), blunt(x, x))


@pytest.mark.parametrize("alpha", [1.0, 16.0, 70.0, 300.0])
@pytest.mark.parametrize("k", [1, 4, 12])
def test_extreme_cosines_neither_overflow_nor_vanish(alpha, k):
    """The product of sums stays inside float32 whatever alpha and the number of slots."""
    one = torch.zeros(1, k, 8)
    one[..., 0] = 1
    sets = torch.cat([one, -one])
    scores = score_matrix(sets, sets, partial(smooth_chamfer, alpha=alpha))
    exact = smooth_chamfer(sets.double(), sets.double(), alpha=alpha)
    assert scores.isfinite().all()
    torch.testing.assert_close(scores.double(), exact, atol=1e-5, rtol=1e-5)


def test_does_not_change_its_input_and_has_no_gradient():
    x = torch.randn(3, 2, 4, requires_grad=True)
    before = x.detach().clone()
    assert not score_matrix(x, x, tile=2).requires_grad
    assert not score_matrix(x, x, tile=2, normalized=True).requires_grad
    torch.testing.assert_close(x.detach(), before, atol=0, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_sets_get_float32_scores(dtype):
    x = torch.randn(5, 2, 16, generator=torch.Generator().manual_seed(0))
    scores = score_matrix(x.to(dtype), x.to(dtype))
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores, score_matrix(x, x), atol=2e-2, rtol=0)


def test_no_sets_give_no_scores():
    assert score_matrix(torch.ones(0, 2, 4), torch.ones(3, 2, 4)).shape == (0, 3)
    assert score_matrix(torch.ones(3, 2, 4), torch.ones(0, 2, 4)).shape == (3, 0)


def test_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"hausdorff.*smooth_chamfer, chamfer, max_pair"):
        score_matrix(torch.ones(1, 1, 2), torch.ones(1, 1, 2), "hausdorff")


def test_tile_must_hold_something():
    with pytest.raises(ValueError, match="tile"):
        score_matrix(torch.ones(1, 1, 2), torch.ones(1, 1, 2), tile=0)


@pytest.mark.parametrize("name", SIMILARITIES)
def test_listed_pairs_have_the_scores_of_the_matrix(name):
    g = torch.Generator().manual_seed(0)
    k, k_y = rows_of(name)
    x, y = torch.randn(7, k, 5, generator=g), torch.randn(9, k_y, 5, generator=g)
    r, c = torch.randint(7, (30,), generator=g), torch.randint(9, (30,), generator=g)
    listed = score_pairs(x, y, r, c, name, tile=8)
    assert torch.allclose(listed, score_matrix(x, y, name)[r, c], atol=2e-6)
    assert score_pairs(x, y, r[:0], c[:0], name).shape == (0,)


def test_sets_of_many_elements_are_scored_in_smaller_tiles():
    asked = []

    def spy(x, y, **masks):
        asked.append(x.shape[0] * x.shape[1] * y.shape[0] * y.shape[1])
        return smooth_chamfer(x, y, **masks)

    x, y = torch.ones(64, 36, 2), torch.ones(64, 20, 2)
    assert score_matrix(x, y, spy, tile=64).shape == (64, 64)
    assert max(asked) <= 64 * 32 * 16
