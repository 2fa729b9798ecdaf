"""Fill in the blank and compatibility on whatever outfits there are: a benchmark's, or your own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from facetwise.data import Collection
from facetwise.data.benchmarks.icons import PACKAGE
from facetwise.data.manifest import FILE
from facetwise.data.outfit_types import outfit_types
from facetwise.errors import InputError
from facetwise.evaluation.own import evaluated_rows
from facetwise.evaluation.own_outfits import outfit_report, rows_with_outfits
from facetwise.evaluation.request import Request

__all__ = ["run"]


def run(request: Request) -> dict[str, Any]:
    """Ask about the outfits in ``--data``: Polyvore Outfits, Clothing Co-Parsing, icons, your own.

    Of an own collection the items that no run was trained on are asked about (``--split all``:
    all; or the name of a split that the collection has), and a question's negatives have the type
    of what they replace, as `outfit_types` finds it.

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
    types, name = outfit_types(collection, rows)
    figures = outfit_report(request, collection, rows, types)
    return {**figures, "type": name}


def _is_polyvore(data: Path) -> bool:
    folders = (data, data / "nondisjoint", data / "disjoint")
    return any(next(folder.glob("fill_in_blank_*.json"), None) for folder in folders)
