"""What the items of outfits are, so that a false outfit does not have two hats and no shoes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from facetwise.data.collection import Collection

__all__ = ["CANDIDATES", "outfit_types"]

CANDIDATES: Final = 4
"""Answers to choose from in a question, the right one included."""

_TELLING: Final = ("articletype", "type", "category", "subcategory", "kind", "class", "label")
"""Names of attribute groups that say what an item is; the finer come first."""


def outfit_types(
    collection: Collection, rows: Sequence[int], candidates: int = CANDIDATES
) -> tuple[list[str | None] | None, str | None]:
    """What each item is, as far as that serves to find wrong answers of the right type.

    The types are an attribute group with one value an item, or the group; names such as ``type`` or
    ``category`` go first. They must tell the items of most outfits apart, and most items must have
    `candidates` of their type to choose from.

    Returns:
        For each of `rows` its type or None, and the name of the attribute group (or ``group``).
        Both are None where nothing serves: then any item replaces any other.
    """
    found = dict(_columns(collection))
    names = sorted(found, key=lambda name: (_place(name), list(found).index(name)))
    for name in names:
        types = [found[name][row] for row in rows]
        if _serves(types, [collection.outfits[row] for row in rows], candidates):
            return types, name
    return None, None


def _columns(collection: Collection) -> list[tuple[str, Sequence[str | None]]]:
    """Attribute groups with one value an item, and the group."""
    table = collection.attributes
    one = [name for name, kind in zip(table.groups, table.kinds, strict=True) if kind == "one"]
    columns = collection.table(one)
    found: list[tuple[str, Sequence[str | None]]] = [("group", collection.groups)]
    return found + [(name, columns[name].to_pylist()) for name in one]


def _place(name: str) -> int:
    word = "".join(letter for letter in name.lower() if letter.isalpha())
    return _TELLING.index(word) if word in _TELLING else len(_TELLING)


def _serves(types: Sequence[str | None], outfits: Sequence[Sequence[str]], candidates: int) -> bool:
    members: dict[str, list[str | None]] = {}
    items: dict[str | None, int] = {}
    for kind, own in zip(types, outfits, strict=True):
        items[kind] = items.get(kind, 0) + 1
        for outfit in own:
            members.setdefault(outfit, []).append(kind)
    plenty = sum(n for kind, n in items.items() if kind is not None and n > candidates)
    several = [kinds for kinds in members.values() if len(kinds) > 1]
    apart = sum(len(set(kinds)) > 1 for kinds in several)
    return 2 * plenty >= len(types) and 2 * apart >= len(several)
