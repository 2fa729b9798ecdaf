"""What a pair model is to know by name: its conditions, and the types of items."""

from __future__ import annotations

from facetwise.errors import InputError
from facetwise.models import Condition, PairConfig, Taught
from facetwise.models.known import item_types
from facetwise.training.material import Material

__all__ = ["taught_by"]


def taught_by(config: PairConfig, material: Material) -> Taught:
    """The conditions and types that the training items' attributes offer a system.

    Raises:
        InputError: the system wants types, and there are none.
    """
    conditions = tuple(Condition(group, group) for group in material.attributes.groups)
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
    return Taught(conditions, types)
