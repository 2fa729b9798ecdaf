"""f_a on packed bits: the targets of thousands of pairs and hundreds of attributes at a time.

The same as `combine_attributes` and `attribute_mask`, which say what each f_a means, for rows of a
table that is packed once.
"""

from __future__ import annotations

from typing import get_args

from torch import Tensor

from facetwise.data.attribute_bits import BitPlanes, Bits
from facetwise.similarity.attributes import Combination, MaskRule

__all__ = ["pair_targets"]


def pair_targets(
    planes: BitPlanes,
    r: Tensor,
    c: Tensor,
    how: Combination = "or",
    *,
    rule: MaskRule = "both",
) -> tuple[Tensor, Tensor]:
    """Targets and mask of pairs of items (METHODS 1.3, 1.4).

    Args:
        planes: of N items and A attributes.
        r: (P,) items.
        c: (P,) items.
        how: f_a.
        rule: which targets count.

    Returns:
        targets and mask, float32 (P, A), or (P, 2A) for "and_xor".

    Raises:
        ValueError: `how` or `rule` is unknown.

    >>> import torch
    >>> red, round_ = [1, 0, 0], [1, 1, -1]
    >>> planes = BitPlanes.of(torch.tensor([red, round_], dtype=torch.int8))
    >>> pair_targets(planes, torch.tensor([0]), torch.tensor([1]), "xor")
    (tensor([[0., 1., 0.]]), tensor([[1., 1., 0.]]))
    """
    a, b = planes.pairs(r, c)
    if rule not in get_args(MaskRule):
        raise ValueError(f'rule must be "both" or "logic", not {rule!r}')
    true = _true(a, b, how)
    certain = _settled(a, b, how) if rule == "logic" else [a.known & b.known] * len(true)
    targets, mask = planes.unpacked(true, certain)
    return targets, mask


def _true(a: BitPlanes, b: BitPlanes, how: Combination) -> list[Bits]:
    """Of each node of an attribute, where it is true for certain."""
    match how:
        case "or":
            return [a.present | b.present]
        case "and":
            return [a.present & b.present]
        case "xor":
            return [(a.present | b.present) & (a.absent | b.absent)]
        case "xnor":
            return [(a.present & b.present) | (a.absent & b.absent)]
        case "nor":
            return [a.absent & b.absent]
        case "and_xor":
            return [*_true(a, b, "and"), *_true(a, b, "xor")]
    raise ValueError(f"how must be one of {', '.join(get_args(Combination))}, not {how!r}")


def _settled(a: BitPlanes, b: BitPlanes, how: Combination) -> list[Bits]:
    """Of each node of an attribute, where the known values settle it, true or not."""
    match how:
        case "or" | "nor":
            return [a.present | b.present | (a.absent & b.absent)]
        case "and":
            return [(a.present & b.present) | a.absent | b.absent]
        case "xor" | "xnor":
            return [a.known & b.known]
        case "and_xor":
            return [*_settled(a, b, "and"), *_settled(a, b, "xor")]
