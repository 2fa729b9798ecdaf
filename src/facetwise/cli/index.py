"""`facetwise index`: make a collection searchable."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from tyro.conf import Positional, arg

from .options import Flag, JsonFlag, print_json, say

__all__ = ["BuildIndex"]


@dataclass(frozen=True)
class BuildIndex:
    """Embed a collection and make it searchable.

    An index holds a copy of its run, so it can be moved and searched alone.

    Example:
        facetwise index runs/shop shop.collection --out shop.index
    """

    interrupted: ClassVar[str] = (
        "an older index is untouched and computed features are kept; "
        "the same command goes on from there"
    )

    model: Annotated[Path, Positional, arg(metavar="RUN", help="What `facetwise fit` wrote.")]
    collection: Annotated[Path, Positional, arg(metavar="COLLECTION", help="What to search in.")]
    out: Annotated[
        Path | None,
        arg(metavar="INDEX", help="Where it goes.", help_behavior_hint="(default: NAME.index)"),
    ] = None
    overwrite: Annotated[Flag, arg(help="Replace an index that is there already.")] = False
    json: JsonFlag = False

    def run(self) -> int:
        """Build, and say what to type next."""
        from ..data import Collection
        from ..models import load
        from ..search import Index

        collection = Collection.open(self.collection)
        out = self.out if self.out is not None else Path(f"{collection.name}.index")
        index = Index.build(load(self.model), collection, out, overwrite=self.overwrite)
        if self.json:
            print_json({"index": str(out), "items": len(index)})
        else:
            say(f"{out} holds {len(index)} items. Next:")
            say(f'  facetwise search {out} "what you look for"')
            say(f"  facetwise serve {out}")
        return 0
