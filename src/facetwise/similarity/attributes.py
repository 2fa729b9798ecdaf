"""f_a: what a pair's condition should be, given the attributes of its two items (PAN, METHODS 1.3).

An attribute of an item is present (1), absent (0) or unknown (-1; never taken for absent).
"""

from typing import Literal, get_args

import torch
from torch import Tensor

__all__ = ["Combination", "MaskRule", "attribute_mask", "combine_attributes"]

Combination = Literal["or", "and", "xor", "xnor", "nor", "and_xor"]
MaskRule = Literal["both", "logic"]


def combine_attributes(a: Tensor, b: Tensor, how: Combination = "or") -> Tensor:
    """Targets of the conditions: a and b of shape (P, A) -> float (P, A), or (P, 2A) for "and_xor".

    | how     | target is 1 iff                                    |
    |---------|----------------------------------------------------|
    | or      | either item has it (both code bases' default)      |
    | and     | both have it                                       |
    | xor     | exactly one has it                                 |
    | xnor    | both have it or neither has                        |
    | nor     | neither has it                                     |
    | and_xor | two nodes each: `and` for all A, then `xor` for all A |

    Where an unknown leaves the outcome open the target is 0 and `attribute_mask` is 0 too.

    Raises:
        ValueError: shapes differ, a value is none of 1, 0, -1, or `how` is not in the table.

    >>> red, round_ = [1, 0, 0], [1, 1, 0]
    >>> combine_attributes(torch.tensor([red]), torch.tensor([round_]), "and_xor")
    tensor([[1., 0., 0., 0., 1., 0.]])
    """
    present, _ = _outcome(a, b, how)
    return present.to(torch.get_default_dtype())


def attribute_mask(
    a: Tensor, b: Tensor, how: Combination = "or", *, rule: MaskRule = "both"
) -> Tensor:
    """Which targets of `combine_attributes` count: float, 1 where certain and 0 where not.

    - `"both"`: certain iff the attribute is known for both items; CUB's rule and the paper's
      (METHODS 1.4), and the default because it keeps the share of positive targets unbiased when
      values are missing at random.
    - `"logic"`: certain iff the known values settle it, whatever the unknown one is (Kleene's
      three-valued logic). `or` is settled (true) as soon as one item has the attribute, `and`
      (false) as soon as one has not; xor and xnor need both. Uses more of a sparsely labelled
      catalogue, but `or` then sees too many positives and `and` too many negatives.

    >>> a, b = torch.tensor([[1, 0, -1]]), torch.tensor([[-1, -1, -1]])
    >>> attribute_mask(a, b, "or"), attribute_mask(a, b, "or", rule="logic")
    (tensor([[0., 0., 0.]]), tensor([[1., 0., 0.]]))
    """
    if rule == "both":
        known = _both(a, b, how)
        known = torch.cat([known, known], 1) if how == "and_xor" else known
    elif rule == "logic":
        _, known = _outcome(a, b, how)
    else:
        raise ValueError(f'rule must be "both" or "logic", not {rule!r}')
    return known.to(torch.get_default_dtype())


def _outcome(a: Tensor, b: Tensor, how: Combination) -> tuple[Tensor, Tensor]:
    """(true for certain, certain), both bool, in three-valued logic."""
    both_known = _both(a, b, how)
    some, every = (a == 1) | (b == 1), (a == 1) & (b == 1)
    lacking, none = (a == 0) | (b == 0), (a == 0) & (b == 0)
    differ = some & lacking
    match how:
        case "or":
            return some, some | none
        case "and":
            return every, every | lacking
        case "xor":
            return differ, both_known
        case "xnor":
            return every | none, both_known
        case "nor":
            return none, some | none
        case "and_xor":
            return torch.cat([every, differ], 1), torch.cat([every | lacking, both_known], 1)


def _both(a: Tensor, b: Tensor, how: str) -> Tensor:
    """Known for both items; with the checks that every function here needs."""
    if a.dim() != 2 or a.shape != b.shape:
        raise ValueError(
            f"attributes must both be (P, A), not {tuple(a.shape)} and {tuple(b.shape)}"
        )
    if how not in get_args(Combination):
        raise ValueError(f"how must be one of {', '.join(get_args(Combination))}, not {how!r}")
    for states in (a, b):
        if not bool(((states == 1) | (states == 0) | (states == -1)).all()):
            raise ValueError("attributes must be 1 (present), 0 (absent) or -1 (unknown)")
    return (a != -1) & (b != -1)
