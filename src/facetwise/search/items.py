"""Small look-ups over the items of an index."""

from __future__ import annotations

import bisect
import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from facetwise.data import AttributeTable

__all__ = ["nearest_ids", "value_of"]

_COMPARED = 20_000  # ids that are compared letter by letter; more take seconds


def nearest_ids(id: str, ids: Sequence[str], *, n: int = 3) -> list[str]:
    """The ids that read most like `id`.

    >>> nearest_ids("shoe12", ["hat1", "shoe1", "shoe2"], n=2)
    ['shoe1', 'shoe2']
    """
    if len(ids) > _COMPARED:
        ordered = sorted(ids)
        place = bisect.bisect(ordered, id)
        half = _COMPARED // 2
        ids = ordered[max(0, place - half) : place + half]
    near = difflib.get_close_matches(id, ids, n=100 * n, cutoff=0.0)
    alike = {other: difflib.SequenceMatcher(None, other, id).ratio() for other in near}
    # Of those that are equally alike, the ones that begin alike: "shoe-4" means "shoe-41".
    return sorted(near, key=lambda other: (-alike[other], -_common_start(other, id), other))[:n]


def _common_start(a: str, b: str) -> int:
    differ = (place for place, (x, y) in enumerate(zip(a, b, strict=False)) if x != y)
    return next(differ, min(len(a), len(b)))


def value_of(table: AttributeTable, row: int, group: str) -> str | None:
    """An item's value of an attribute group: "a, b" for several, None where unknown."""
    state = table.states[row, table.slices[group]].tolist()
    if table.kinds[table.groups.index(group)] == "flag":
        return {1: "yes", 0: "no"}.get(state[0])
    present = [v for v, s in zip(table.values(group), state, strict=True) if s == 1]
    return ", ".join(present) or (None if -1 in state else "none")
