"""f_a on packed bits: the targets of thousands of pairs and hundreds of attributes at a time.

The same as `combine_attributes` and `attribute_mask`, which say what each f_a means, for rows of a
table that is packed once.
"""

from __future__ import annotations

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
    outcome = _outcome(a, b, how)
    true = [one for one, _ in outcome]
    if rule == "both":
        certain = [a.known & b.known] * len(outcome)
    elif rule == "logic":
        certain = [settled for _, settled in outcome]
    else:
        raise ValueError(f'rule must be "both" or "logic", not {rule!r}')
    return planes.unpacked(*true), planes.unpacked(*certain)


def _outcome(a: BitPlanes, b: BitPlanes, how: Combination) -> list[tuple[Bits, Bits]]:
    """(true for certain, certain) of each node of an attribute, in three-valued logic."""
    every = a.present & b.present
    some = a.present | b.present
    lacking_a, lacking_b = a.absent, b.absent
    none, lacking = lacking_a & lacking_b, lacking_a | lacking_b
    both_known = a.known & b.known
    differ = some & lacking
    match how:
        case "or":
            return [(some, some | none)]
        case "and":
            return [(every, every | lacking)]
        case "xor":
            return [(differ, both_known)]
        case "xnor":
            return [(every | none, both_known)]
        case "nor":
            return [(none, some | none)]
        case "and_xor":
            return [(every, every | lacking), (differ, both_known)]
    raise ValueError(f"how must be one of the values of Combination, not {how!r}")
