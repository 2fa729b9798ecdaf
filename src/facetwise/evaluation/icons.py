"""Icon families: which icon was drawn by the hand that drew these?"""

from __future__ import annotations

from typing import Any

from facetwise.data import Collection
from facetwise.data.benchmarks import icons
from facetwise.evaluation.own_outfits import outfit_report, rows_with_outfits
from facetwise.evaluation.request import Request

__all__ = ["run"]


def run(request: Request) -> dict[str, Any]:
    """Fill in the blank and compatibility over the families of a split.

    ``--data`` is the collection that ``facetwise data get icons`` makes, or the folder of packages
    that it keeps. A family's outfits share its icons: intervals over questions are a little too
    narrow, which ``families`` puts into proportion.

    Returns:
        `outfit_report`'s figures with ``split`` and ``families``.
    """
    folder = request.folder("icons")
    split = request.split or "test"
    if (folder / "collection.toml").exists():
        collection = Collection.open(folder)
    else:
        collection = request.collection(icons.read(folder, split))
    rows = rows_with_outfits(collection, split)
    figures = outfit_report(request, collection, rows, [collection.groups[row] for row in rows])
    families = {collection.ids[row].partition("/")[0] for row in rows}
    return {**figures, "split": split, "families": len(families)}
