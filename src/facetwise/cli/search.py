"""`facetwise search`: ask an index by text or by picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from tyro.conf import Positional, arg

from ..errors import InputError
from .options import Image, JsonFlag, Weights, print_json, query_of, say

__all__ = ["Search"]


@dataclass(frozen=True)
class Search:
    """Search an index by text or by picture, steered by attribute.

    Example:
        facetwise search shop.index "red sports shoe" -k 5
        facetwise search shop.index --image a.jpg --weigh baseColour=3 --where "gender = 'Men'"

    Prints a table, or with --json a list of {"id", "score", "rank", "exact"}. Exits with 1 where
    nothing is found.
    """

    interrupted: ClassVar[str] = "nothing was changed"

    index: Annotated[Path, Positional, arg(metavar="INDEX", help="What `facetwise index` wrote.")]
    text: Annotated[
        str, Positional, arg(metavar="[TEXT]", help="What to look for.", help_behavior_hint="")
    ] = ""
    image: Image = None
    weigh: Weights = ()
    where: Annotated[
        str | None,
        arg(metavar="SQL", help="Only items of which this is true.", help_behavior_hint=""),
    ] = None
    k: Annotated[int, arg(aliases=["-k"], metavar="N", help="How many.")] = 10
    using: Annotated[
        Literal["auto", "sets", "pairs"],
        arg(help="Which model answers; a text always asks the set model."),
    ] = "auto"
    json: JsonFlag = False

    def run(self) -> int:
        """Search, and print the hits."""
        query = query_of(self.text, self.image)
        if self.k < 1:
            raise InputError(f"-k {self.k}: expected how many hits to show, 1 or more")

        from ..search import Index
        from ..search.weights import parse_weights

        weigh = parse_weights(self.weigh)
        index = Index.open(self.index)
        hits = index.search(
            query,
            self.k,
            weigh=weigh or None,
            where=self.where,
            using=None if self.using == "auto" else self.using,
        )
        if self.json:
            print_json(
                [
                    {"id": hit.id, "score": hit.score, "rank": hit.rank, "exact": hit.exact}
                    for hit in hits
                ]
            )
        elif hits:
            from rich.console import Console
            from rich.markup import escape
            from rich.table import Table

            table = Table("rank", "id", "score", "text")
            for hit, item in zip(hits, index.items([hit.id for hit in hits]), strict=True):
                text = escape("".join(item.texts[:1]))
                table.add_row(str(hit.rank), escape(hit.id), f"{hit.score:.4f}", text)
            Console().print(table)
        if not hits:
            say("nothing found; is --where too narrow?" if self.where else "nothing found")
        return 0 if hits else 1
