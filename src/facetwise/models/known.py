"""What a collection says of its items beside their pictures, for the pair models that ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from facetwise.models.pair_model import Known, PairConfig, Taught

if TYPE_CHECKING:
    from facetwise.data import Collection

__all__ = ["item_types", "known_of"]


def item_types(collection: Collection, rows: Sequence[int], group: str) -> list[str | None]:
    """The value that each item has of an attribute group with one value an item.

    None where it is not known, or where the collection has no such group (or it holds several
    values an item). The group ``group`` that is no attribute is the collection's own grouping.
    """
    attributes = collection.attributes
    if group in attributes.groups:
        if attributes.kinds[attributes.groups.index(group)] != "one":
            return [None] * len(rows)
        column = collection.table([group])[group].to_pylist()
        return [column[row] for row in rows]
    if group == "group":
        return [collection.groups[row] for row in rows]
    return [None] * len(rows)


def known_of(
    collection: Collection, rows: Sequence[int], config: PairConfig, taught: Taught
) -> Known:
    """Types of the items in `rows`, if the system looks at types; no edges."""
    if not config.types:
        return Known()
    place = {name: index for index, name in enumerate(taught.types)}
    found = item_types(collection, rows, config.types)
    types = [-1 if name is None else place.get(name, -1) for name in found]
    return Known(torch.tensor(types, dtype=torch.long))
