"""`facetwise export`: an index's vectors for other programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from tyro.conf import Positional, arg

from .options import Flag, JsonFlag, print_json, say

__all__ = ["Export"]


@dataclass(frozen=True)
class Export:
    """Write an index's vectors as a Parquet file.

    Its columns are `id`, `sets` (K lists of D numbers) and `pairs` (d numbers).

    Example:
        facetwise export shop.index --out vectors.parquet
    """

    interrupted: ClassVar[str] = "an older file is untouched; the same command starts again"

    index: Annotated[Path, Positional, arg(metavar="INDEX", help="What `facetwise index` wrote.")]
    out: Annotated[Path, arg(metavar="FILE", help="The Parquet file to write.")]
    overwrite: Annotated[Flag, arg(help="Replace a file that is there already.")] = False
    json: JsonFlag = False

    def run(self) -> int:
        """Export, and say what was written."""
        from ..search import Index
        from ..search.export import export_vectors

        rows = export_vectors(Index.open(self.index), self.out, overwrite=self.overwrite)
        if self.json:
            print_json({"file": str(self.out), "items": rows})
        else:
            say(f"{self.out} holds the vectors of {rows} items")
        return 0
