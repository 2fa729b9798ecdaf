"""What a pair's conditions say in words: these two agree in this, differ in that.

A taught condition's s_m is the model's own guess that its target holds (it is trained by binary
cross-entropy), so half is where it thinks one as likely as the other. What the target means
depends on what was taught (METHODS 1.3): of an attribute group that both have the same value; of a
single attribute, what f_a says: that both have it, either, neither, both or neither, or one alone.
"""

from __future__ import annotations

import torch
from torch import Tensor

from facetwise.data import AttributeTable
from facetwise.models.pair_model import PairModel
from facetwise.similarity import PairScore

__all__ = ["AGREES", "agreeing", "attribute_of", "true_agreement"]

AGREES = 0.5
"""From here on s_m says that two pictures agree."""

_BOTH, _ONE = " (both)", " (one)"


def attribute_of(name: str) -> str:
    """The attribute that a condition is named by, without what ``and_xor`` adds.

    >>> attribute_of("wing=blue (both)")
    'wing=blue'
    """
    return name.removesuffix(_BOTH).removesuffix(_ONE)


def agreeing(pan: PairModel, pair: PairScore) -> Tensor:
    """(P, M) bool: which conditions say that the two agree. A free one says so, too, but of what,
    nobody knows; one that is taught a difference (xor) never does.
    """
    said = pair.conditions > AGREES
    differences = [
        index
        for index, condition in enumerate(pan.conditions)
        if condition.supervised and _rule(pan, condition.name) == "xor"
    ]
    said[:, differences] = False
    return said


def true_agreement(
    pan: PairModel, attributes: AttributeTable, i: Tensor, j: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """In which conditions pairs agree by their attributes.

    Of a single attribute, two agree when both have it; where the condition was taught "both or
    neither" (xnor) or "neither" (nor), when that holds.

    Args:
        pan: whose conditions.
        attributes: of the N items.
        i: (P,) rows.
        j: (P,) rows.

    Returns:
        numbers (C,) of the conditions that stand for agreement in something that the table knows,
        truth (P, C) bool, and known (P, C) bool.
    """
    group_place = {name: place for place, name in enumerate(attributes.groups)}
    name_place = {name: place for place, name in enumerate(attributes.names)}
    same, certain = (part.bool() for part in attributes.same_value(i, j))
    columns: list[int] = []
    truth: list[Tensor] = []
    known: list[Tensor] = []
    for index, condition in enumerate(pan.conditions):
        if not condition.supervised:
            continue
        rule = _rule(pan, condition.name)
        if rule == "groups":
            place = group_place.get(condition.name)
            if place is None:
                continue
            right, sure = same[:, place], certain[:, place]
        else:
            column = name_place.get(attribute_of(condition.name))
            if rule == "xor" or column is None:
                continue
            a, b = attributes.states[i, column], attributes.states[j, column]
            sure = (a >= 0) & (b >= 0)
            if rule == "xnor":
                right = a == b
            elif rule == "nor":
                right = (a == 0) & (b == 0)
            else:
                right = (a == 1) & (b == 1)
        columns.append(index)
        truth.append(right & sure)
        known.append(sure)
    if not columns:
        none = torch.zeros(len(i), 0, dtype=torch.bool)
        return torch.zeros(0, dtype=torch.long), none, none
    return torch.tensor(columns), torch.stack(truth, 1), torch.stack(known, 1)


def _rule(pan: PairModel, name: str) -> str:
    """What the target of a taught condition is: ``groups``, or f_a."""
    if getattr(pan.config, "taught", "groups") != "attributes":
        return "groups"
    if name.endswith(_ONE):
        return "xor"
    return str(getattr(pan.config, "combine", "or"))
