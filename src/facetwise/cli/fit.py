"""`facetwise fit`: train a run on a collection."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from tyro.conf import Positional, arg

from .options import Flag, JsonFlag, Settings, parse_settings, print_json, say

__all__ = ["Fit"]


@dataclass(frozen=True)
class Fit:
    """Train on a collection what its labels allow.

    Where items have texts, a set model (DivE) learns image-text similarity; where they have
    groups, attributes or outfits, a pair model (PAN) learns image-image similarity; with both, one
    run holds both.

    Example:
        facetwise fit shop.collection --out runs/shop
        facetwise fit shop.collection --recipe my.toml --set sets.training.steps=300 --seed 1
    """

    interrupted: ClassVar[str] = "computed features are kept; the same command goes on from there"

    collection: Annotated[Path, Positional, arg(metavar="COLLECTION", help="What to learn from.")]
    out: Annotated[
        Path | None,
        arg(metavar="RUN", help="Where the run goes.", help_behavior_hint="(default: runs/NAME)"),
    ] = None
    recipe: Annotated[
        str, arg(metavar="NAME|FILE", help="A recipe by name, or the path of a TOML file.")
    ] = "small"
    overrides: Settings = ()
    seed: Annotated[int, arg(help="The same seed gives the same run on one machine.")] = 0
    overwrite: Annotated[Flag, arg(help="Replace a run that is there already.")] = False
    json: JsonFlag = False

    def run(self) -> int:
        """Train, and say what to type next."""
        overrides = parse_settings(self.overrides)

        from ..data import Collection
        from ..training import fit

        collection = Collection.open(self.collection)
        out = self.out if self.out is not None else Path("runs") / collection.name
        fit(
            collection,
            recipe=self.recipe,
            out=out,
            overrides=overrides,
            seed=self.seed,
            overwrite=self.overwrite,
        )
        if self.json:
            print_json({"run": str(out), "recipe": self.recipe, "seed": self.seed})
        else:
            say(f"{out} is trained. Next:")
            say(f"  facetwise evaluate {out} --collection {self.collection}")
            say(f"  facetwise index {out} {self.collection} --out {collection.name}.index")
        return 0
