"""Clothing Co-Parsing: which garment did this person wear with these?"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from facetwise.data import Collection
from facetwise.data.benchmarks import ccp
from facetwise.evaluation.own_outfits import outfit_report, rows_with_outfits
from facetwise.evaluation.request import Request

__all__ = ["run"]

_SHOWN: Final = 5


def run(request: Request) -> dict[str, Any]:
    """Fill in the blank and compatibility over the garments of a split's photos.

    ``--data`` is the data set's folder, or a collection made of it. Without ``--split`` the photos
    of ``test`` are asked where they are there, else those of ``val``; the figures say which.

    Returns:
        `outfit_report`'s figures with ``split``, ``photos`` and ``problems``.
    """
    folder = request.folder("ccp")
    if (folder / "collection.toml").exists():
        collection = Collection.open(folder)
        split = request.split or ("test" if "test" in collection.splits else "val")
        rows = rows_with_outfits(collection, split)
        problems: list[str] = []
    else:
        split = request.split or _default(folder)
        source = ccp.read(folder, split, allow_partial=request.allow_partial)
        collection = request.collection(source)
        rows = rows_with_outfits(collection)
        problems = [str(problem) for problem in source.problems]
    figures = outfit_report(request, collection, rows, [collection.groups[row] for row in rows])
    photos = len({outfit for row in rows for outfit in collection.outfits[row]})
    said = [*figures.pop("problems", []), *problems]
    figures |= {"split": split, "photos": photos}
    if said:
        more = [f"and {len(said) - _SHOWN} more"] if len(said) > _SHOWN else []
        figures["problems"] = [*said[:_SHOWN], *more]
    return figures


def _default(folder: Path) -> str:
    there = any((folder / "photos" / f"{n:04d}.jpg").exists() for n in ccp.SPLITS["test"])
    return "test" if there else "val"
