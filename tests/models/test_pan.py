"""PAN as METHODS section 8, check 2, wants it; and the blocks, which are ours."""

from __future__ import annotations

import pytest
import torch

from facetwise.encoders.lite import PARTS
from facetwise.errors import InputError
from facetwise.losses import attribute_loss
from facetwise.models import PAN, Known, PANConfig, Taught

GROUPS = ("colour", "shape")


def pooled(n=30, seed=0):
    return torch.randn(n, sum(PARTS), generator=torch.Generator().manual_seed(seed)).abs()


def made(groups=GROUPS, free=2, width=8, dropout=0.2, seed=0):
    config = PANConfig(free=free, width=width, shared=2 * width, feature_dropout=dropout)
    pan = PAN(config, Taught.groups(groups), torch.Generator().manual_seed(seed))
    pan.fit_statistics(pooled(), Known(), torch.Generator().manual_seed(seed))
    return pan


def test_a_condition_for_each_group_then_the_free_ones():
    conditions = made().conditions
    assert [c.name for c in conditions] == ["colour", "shape", "free 1", "free 2"]
    assert [c.supervised for c in conditions] == [True, True, False, False]


def test_no_two_conditions_have_one_name():
    names = [c.name for c in made(groups=("free 1", "colour")).conditions]
    assert names == ["free 1", "colour", "free 2", "free 3"]


def test_a_unit_vector_for_each_condition():
    pan = made().eval()
    h = pan.embed(pooled())
    assert h.shape == (30, pan.dim) == (30, 32)
    torch.testing.assert_close(h.norm(dim=1), torch.ones(30))
    for block in h.split(pan.block_widths, dim=1):
        torch.testing.assert_close(block.norm(dim=1), torch.full((30,), 3**-0.5))


def test_swapping_a_pair_changes_nothing_and_relevance_sums_to_one():
    pan = made().eval()
    h = pan.embed(pooled())
    one, other = pan(h[:15], h[15:]), pan(h[15:], h[:15])
    for a, b in zip(one, other, strict=True):
        assert torch.equal(a, b)
    torch.testing.assert_close(one.relevance.sum(1), torch.ones(15))
    assert ((one.score >= 0) & (one.score <= 1)).all()


def test_it_starts_as_a_metric_on_each_block():
    pan = made(free=1).eval()
    h = pan.embed(pooled())
    same, others = pan(h, h), pan(h, h.roll(1, 0))
    assert (same.conditions > others.conditions).all()
    moved = h.clone()
    moved[:, :8] = h.roll(1, 0)[:, :8]  # only the first block differs
    apart = pan(h, moved).conditions
    assert (apart[:, 0] < same.conditions[:, 0]).all()
    torch.testing.assert_close(apart[:, 1:], same.conditions[:, 1:])


def test_all_pairs_at_once_are_the_pairs_one_by_one():
    pan = made().eval()
    h = pan.embed(pooled())
    scores = pan.against(h[:4], h)
    expected = torch.stack([pan(h[i : i + 1].expand(30, -1), h).score for i in range(4)])
    torch.testing.assert_close(scores, expected)


def gradients(pan, mask):
    """Of the attribute loss alone, with all targets 1."""
    h = pan.embed(pooled())
    pairs = pan(h[:15], h[15:])
    attribute_loss(pairs.conditions, torch.ones(15, 2), mask).backward()
    return pan.conditional


def test_free_conditions_and_relevance_learn_nothing_from_attributes():
    pan = made(dropout=0)
    found = gradients(pan, torch.ones(15, 2))
    assert (found.W1.grad[:2] != 0).any(1).all()
    assert (found.b1.grad[:2] != 0).all()
    assert (found.W1.grad[2:] == 0).all()
    assert (found.b1.grad[2:] == 0).all()
    assert found.W2.grad is None and found.b2.grad is None
    # nor do the free conditions' own blocks, where W1 starts
    head = pan.head.weight.grad.view(4, 8, -1)
    assert (head[:2] != 0).any()
    assert (head[2:] == 0).all()


def test_an_unknown_attribute_teaches_nothing():
    mask = torch.ones(15, 2)
    mask[:, 1] = 0
    found = gradients(made(dropout=0), mask)
    assert (found.W1.grad[0] != 0).any()
    assert (found.W1.grad[1] == 0).all()


def test_the_start_is_of_the_generator_alone():
    """Not of the global generator, through dropout, while the scale of W1 is found."""
    torch.rand(3)
    one = made()
    torch.rand(5)
    other = made()
    for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert one.training  # as it was


def test_one_condition_is_enough():
    pan = made(groups=(), free=1).eval()
    pairs = pan(pan.embed(pooled())[:2], pan.embed(pooled())[2:4])
    assert (pairs.relevance == 1).all()
    assert torch.equal(pairs.score, pairs.conditions[:, 0])


@pytest.mark.parametrize("n", [1, 5])
def test_pictures_that_are_all_alike_are_refused(n):
    with pytest.raises(InputError, match="training pictures that differ"):
        made().fit_statistics(pooled(1).expand(n, -1))
