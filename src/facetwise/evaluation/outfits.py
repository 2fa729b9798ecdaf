"""Fill in the blank and compatibility on whatever outfits there are: a benchmark's, or your own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from facetwise.data import Collection
from facetwise.data.benchmarks.icons import PACKAGE
from facetwise.data.manifest import FILE
from facetwise.errors import InputError
from facetwise.evaluation.own import evaluated_rows
from facetwise.evaluation.own_outfits import CANDIDATES, outfit_report, rows_with_outfits
from facetwise.evaluation.request import Request

__all__ = ["item_types", "run"]

_TELLING: Final = ("articletype", "type", "category", "subcategory", "kind", "class", "label")
"""Names of attribute groups that say what an item is; the finer come first."""


def run(request: Request) -> dict[str, Any]:
    """Ask about the outfits in ``--data``: Polyvore Outfits, Clothing Co-Parsing, icons, your own.

    Of an own collection the items that no run was trained on are asked about (``--split all``:
    all; or the name of a split that the collection has), and a question's negatives have the type
    of what they replace, as `item_types` finds it.

    Returns:
        The figures of that benchmark; of an own collection those of `outfit_report` with ``type``,
        where the types are from, or None.

    Raises:
        InputError: the data are none of these, or hold no outfits.
    """
    data = request.folder("outfits")
    if (data / FILE).exists():
        return _own(request, Collection.open(data))
    if _is_polyvore(data):
        from facetwise.evaluation.polyvore import run as polyvore

        return polyvore(request)
    if (data / "annotations" / "pixel-level").is_dir():
        from facetwise.evaluation.ccp import run as ccp

        return ccp(request)
    if (data / PACKAGE.folder).is_dir():
        from facetwise.evaluation.icons import run as icons

        return icons(request)
    raise InputError(
        f"{data} holds no outfits that facetwise knows; expected a collection with outfits, or the "
        "folder of Polyvore Outfits, Clothing Co-Parsing or of the icon families"
    )


def item_types(
    collection: Collection, rows: Sequence[int], candidates: int = CANDIDATES
) -> tuple[list[str | None] | None, str | None]:
    """What each item is, so that a false outfit does not have two hats and no shoes.

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


def _own(request: Request, collection: Collection) -> dict[str, Any]:
    if request.split is not None and request.split in collection.splits:
        rows = rows_with_outfits(collection, request.split)
    else:
        models = (*request.models, *(() if request.rival is None else (request.rival,)))
        chosen = [set(evaluated_rows(m, collection, request.split or "auto")[0]) for m in models]
        asked = set.intersection(*chosen)
        rows = [row for row in rows_with_outfits(collection) if row in asked]
    if not rows:
        raise InputError(
            f"{collection.path}: no item that training has not seen is in an outfit; --split all"
        )
    types, name = item_types(collection, rows)
    figures = outfit_report(request, collection, rows, types)
    return {**figures, "type": name}


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


def _is_polyvore(data: Path) -> bool:
    folders = (data, data / "nondisjoint", data / "disjoint")
    return any(next(folder.glob("fill_in_blank_*.json"), None) for folder in folders)
