"""`facetwise evaluate`: how good a run is, next to the floors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from tyro.conf import Positional, arg

from .options import JsonFlag, print_json

__all__ = ["Evaluate"]


@dataclass(frozen=True)
class Evaluate:
    """Measure a run on the held-out part of a collection.

    Example:
        facetwise evaluate runs/shop --collection shop.collection
        facetwise evaluate runs/shop --collection shop.collection --json > figures.json
    """

    interrupted: ClassVar[str] = "computed features are kept; the same command goes on from there"

    model: Annotated[Path, Positional, arg(metavar="RUN", help="What `facetwise fit` wrote.")]
    collection: Annotated[Path, arg(metavar="COLLECTION", help="What to measure on.")]
    split: Annotated[
        str,
        arg(
            metavar="NAME",
            help="The part to measure on: `auto` is what training held out, `all` everything.",
        ),
    ] = "auto"
    json: JsonFlag = False

    def run(self) -> int:
        """Evaluate, and print a table or JSON."""
        from ..data import Collection
        from ..evaluation import evaluate
        from ..models import load

        report = evaluate(load(self.model), Collection.open(self.collection), split=self.split)
        if self.json:
            print_json(report.to_dict())
        else:
            from rich.console import Console

            Console().print(report.table())
        return 0
