from __future__ import annotations

import pytest
import torch

from facetwise.encoders import masked_mean
from facetwise.heads import Projection


def projection(dropout=0.0, seed=0):
    g = torch.Generator().manual_seed(seed)
    return Projection(6, 4, hidden=8, dropout=dropout, generator=g)


def test_a_projection_is_a_linear_map_and_what_an_mlp_adds():
    made = projection().eval()
    x = torch.randn(3, 5, 6, generator=torch.Generator().manual_seed(1))
    f = made.fc(x)
    torch.testing.assert_close(made(x), f + made.mlp(f))
    with torch.no_grad():
        made.mlp[-1].weight.zero_()
    torch.testing.assert_close(made(x), f)


def test_dropout_is_for_training_only():
    made = projection(dropout=0.5)
    x = torch.ones(64, 6)
    assert not torch.equal(made(x), made(x))
    made.eval()
    assert torch.equal(made(x), made(x))


def test_the_start_comes_from_the_generator_alone():
    assert torch.equal(projection().fc.weight, projection().fc.weight)
    assert not torch.equal(projection().fc.weight, projection(seed=1).fc.weight)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_masked_mean_sees_real_rows_only(dtype):
    x = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [9.0, 9.0]], [[5.0, 6.0], [9.0, 9.0], [9.0, 9.0]]])
    mask = torch.tensor([[True, True, False], [True, False, False]])
    mean = masked_mean(x.to(dtype), mask)
    assert mean.tolist() == [[2.0, 3.0], [5.0, 6.0]]
    assert mean.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)


def test_the_mean_of_nothing_is_zero():
    assert masked_mean(torch.ones(1, 2, 3), torch.zeros(1, 2, dtype=torch.bool)).tolist() == [
        [0.0, 0.0, 0.0]
    ]


def test_more_rows_than_a_piece_are_the_same():
    x = torch.randn(2500, 3, 2, generator=torch.Generator().manual_seed(0)).half()
    mask = torch.ones(2500, 3, dtype=torch.bool)
    torch.testing.assert_close(masked_mean(x, mask), x.float().mean(1))
    assert masked_mean(x[:0], mask[:0]).shape == (0, 2)
