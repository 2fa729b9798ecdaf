from __future__ import annotations

import pytest
import torch

from facetwise.encoders.sequences import apart, pad_ids, pool, together


def test_numbers_are_padded_to_the_longest():
    ids, mask = pad_ids([[5, 6], [], [7, 8, 9]])
    assert ids.tolist() == [[5, 6, 0], [0, 0, 0], [7, 8, 9]]
    assert mask.tolist() == [[True, True, False], [False] * 3, [True] * 3]
    assert ids.dtype == torch.int64
    assert [part.shape for part in pad_ids([])] == [(0, 0), (0, 0)]


def slow(x, mask, how):
    rows = []
    for states, there in zip(x, mask, strict=True):
        real = [state for state, is_real in zip(states, there, strict=True) if is_real]
        if how == "mean":
            rows.append(sum(real) / len(real))
        elif how == "max":
            rows.append(torch.stack(real).max(0).values)
        else:
            rows.append(real[0 if how == "first" else -1])
    return torch.stack(rows)


@pytest.mark.parametrize("how", ["mean", "max", "first", "last"])
def test_pooling_sees_real_tokens_alone(how):
    g = torch.Generator().manual_seed(0)
    x = torch.randn(4, 5, 3, generator=g)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 0, 0, 0, 0], [0, 1, 0, 1, 0], [1, 1, 0, 0, 0]]).bool()
    torch.testing.assert_close(pool(x, mask, how), slow(x, mask, how))
    longer = torch.cat([x, torch.full((4, 2, 3), 99.0)], 1)
    assert torch.equal(
        pool(longer, torch.cat([mask, torch.zeros(4, 2).bool()], 1), how), pool(x, mask, how)
    )
    assert pool(x.half(), mask, how).dtype == torch.float32
    nothing = torch.zeros(4, 5, dtype=torch.bool)
    assert pool(x, nothing, how).isfinite().all()


def test_what_is_moved_together_comes_back():
    ids = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8]])
    mask = torch.tensor([[True, False, True, True], [True, True, False, False]])
    moved, there, order = together(ids, mask)
    assert moved[0, :3].tolist() == [1, 3, 4]
    assert there.tolist() == [[True, True, True, False], [True, True, False, False]]
    assert torch.equal(apart(moved[..., None], order)[..., 0], ids)
    assert together(ids, there)[2] is None
