"""What a pair model is to know by name: its conditions, and the types of items."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from facetwise.data import AttributeTable
from facetwise.errors import InputError
from facetwise.models import PairConfig, SiameseConfig, Taught
from facetwise.models.conditions import ConditionConfig, attribute_conditions
from facetwise.models.known import item_types
from facetwise.models.pair_model import Condition
from facetwise.training.material import Material

__all__ = ["some_attributes", "taught_by", "taught_table", "taught_values"]


def taught_by(config: PairConfig, material: Material) -> Taught:
    """The conditions and types that the training items' attributes offer a system.

    Raises:
        InputError: the system wants types or attributes, and there are none.
    """
    types: tuple[str, ...] = ()
    if config.types:
        found = item_types(material.collection, material.rows, config.types)
        types = tuple(sorted({name for name in found if name is not None}))
        if not types:
            there = ", ".join(material.collection.attributes.groups) or "none"
            raise InputError(
                f"[pairs] types: {material.collection.path} has no attribute group "
                f"{config.types!r} with one value an item; there are {there}"
            )
    conditions: tuple[Condition, ...] = ()
    if isinstance(config, ConditionConfig):
        table = taught_table(config, material)
        if config.taught == "groups":
            conditions = Taught.groups(table.groups).conditions
        elif config.taught == "attributes":
            groups = [table.groups[index] for index in table.group_index.tolist()]
            conditions = attribute_conditions(table.names, groups, config.combine)
    return Taught(conditions, types)


def taught_table(config: PairConfig, material: Material) -> AttributeTable:
    """Of the training items, the attributes that the conditions of a system are taught.

    Raises:
        InputError: single attributes are to be taught, and there are too few.
    """
    table = material.attributes
    if isinstance(config, SiameseConfig) and config.attribute_head:
        return material.single
    if not isinstance(config, ConditionConfig) or config.taught == "none":
        return table.columns(torch.empty(0, dtype=torch.long))
    if config.taught == "groups":
        return table
    there = len(material.single.names)
    if not there or config.attributes > there:
        raise InputError(
            f"[pairs] attributes: {config.attributes or 'some'} single attributes are to be "
            f"taught, and {material.collection.path} has {there} that some training items have "
            'and others lack; lower it, or write taught = "groups" or "none"'
        )
    return some_attributes(material.single, config.attributes, config.attribute_seed)


def taught_values(taught: Taught, table: AttributeTable) -> tuple[Tensor, ...]:
    """For each taught condition the values of what it stands for, as in `Known.values`.

    Args:
        taught: conditions of groups, or of single attributes (two each with ``and_xor``).
        table: as `taught_table` gives it.
    """
    states = table.states.float()
    states[states < 0] = torch.nan
    if tuple(c.name for c in taught.conditions) == table.groups:
        return tuple(states[:, table.slices[group]] for group in table.groups)
    return tuple(states[:, [k % states.shape[1]]] for k in range(len(taught.conditions)))


def some_attributes(table: AttributeTable, count: int, seed: int) -> AttributeTable:
    """The first `count` attributes of a fixed random order (METHODS 1.3); all for 0.

    A larger subset contains a smaller one of the same seed.
    """
    if not count:
        return table
    order = np.random.RandomState(seed).permutation(len(table.names))
    return table.columns(torch.from_numpy(order[:count].astype(np.int64)))
