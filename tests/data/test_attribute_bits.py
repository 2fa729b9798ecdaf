from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facetwise.data.attribute_bits import BitPlanes, GroupBits


def states_of(n, a, seed):
    g = torch.Generator().manual_seed(seed)
    return torch.randint(-1, 2, (n, a), generator=g).to(torch.int8)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(0, 40), st.integers(0, 99))
def test_planes_hold_what_is_present_and_what_is_absent(n, a, seed):
    states = states_of(n, a, seed)
    planes = BitPlanes.of(states)
    assert planes.unpacked([planes.absent])[0].tolist() == (states == 0).float().tolist()
    both = planes.unpacked([planes.known, planes.present], [planes.present, planes.known])
    known, present = (states >= 0).float(), (states == 1).float()
    assert both[0].tolist() == torch.cat([known, present], 1).tolist()
    assert both[1].tolist() == torch.cat([present, known], 1).tolist()


def slowly(states, index, flags, i, j):
    """Whether items i and j share a value of each group, and whether that is known."""
    found = []
    for group, flag in enumerate(flags):
        pairs = [
            (int(states[i, a]), int(states[j, a])) for a in range(len(index)) if index[a] == group
        ]
        shared = any(u == v == 1 or (flag and u == v == 0) for u, v in pairs)
        # an unknown value stands for either: is there a way to fill them in so that one is shared?
        possible = any(
            (u != 0 and v != 0) or (flag and u != 1 and v != 1 and -1 in (u, v)) for u, v in pairs
        )
        if flag:
            possible = any(-1 in pair for pair in pairs) or shared
        found.append((float(shared), float(shared or not possible)))
    return found


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 19), st.booleans()), min_size=1, max_size=5),
    st.integers(0, 99),
)
def test_groups_agree_as_a_loop_over_their_values_says(sizes, seed):
    sizes = [(1 if flag else size, flag) for size, flag in sizes]
    index = torch.tensor([g for g, (size, _) in enumerate(sizes) for _ in range(size)]).long()
    flags = torch.tensor([flag for _, flag in sizes])
    states = states_of(4, len(index), seed)
    r, c = torch.triu_indices(4, 4)
    targets, mask = GroupBits(states, index, flags).same_value(r, c)
    assert targets.dtype == mask.dtype == torch.float32
    for pair, (i, j) in enumerate(zip(r.tolist(), c.tolist(), strict=True)):
        expected = slowly(states, index, flags.tolist(), i, j)
        assert list(zip(targets[pair].tolist(), mask[pair].tolist(), strict=True)) == expected


def test_no_pairs_and_no_attributes_are_no_error():
    planes = BitPlanes.of(states_of(3, 9, 0))
    none = torch.empty(0, dtype=torch.long)
    assert planes.unpacked([planes.pairs(none, none)[0].present]).shape == (1, 0, 9)
    empty = GroupBits(torch.empty(2, 0), torch.empty(0, dtype=torch.long), torch.tensor([False]))
    targets, mask = empty.same_value(torch.tensor([0]), torch.tensor([1]))
    assert (targets.tolist(), mask.tolist()) == ([[0.0]], [[1.0]])


def test_bits_are_an_eighth_of_the_bytes():
    planes = BitPlanes.of(states_of(10, 312, 0))
    assert planes.present.dtype == np.uint8 and planes.present.shape == (10, 39)
