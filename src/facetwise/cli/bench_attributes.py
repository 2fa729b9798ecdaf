"""`facetwise bench attributes`: every image-image system beside its rivals, over seeds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from tyro.conf import UseAppendAction, arg

from .options import Flag, JsonFlag, Names, Settings, parse_settings, print_json, say

__all__ = ["BenchAttributes"]


@dataclass(frozen=True)
class BenchAttributes:
    """Train PAN and its rivals on the same features with several seeds, and compare them.

    What is asked depends on the data: classes of many pictures (birds) few-shot episodes and
    retrieval of unseen classes, things of few pictures (fashion) retrieval of unseen things and
    steering, outfits fill-in-the-blank and compatibility of unseen outfits. Beside each PAN stand
    its own head under the plain cosine, what its relevance depends on, and whether its explanations
    are true; differences have paired intervals.

    Example:
        facetwise bench attributes --data birds.collection --data fashion.collection --seeds 3
        facetwise bench attributes --data shop.collection --systems siamese,pan --seeds 1
        facetwise bench attributes --data CUB_200_2011 --allow-partial --ablations f_a,lambda
    """

    interrupted: ClassVar[str] = "finished runs are kept; the same command goes on from there"

    data: Annotated[
        UseAppendAction[tuple[str, ...]],
        arg(
            metavar="DIR",
            help="A collection, or the folder of CUB-200-2011 or Clothing Co-Parsing; may be "
            "repeated. fashion=DIR says what to ask of it: birds, fashion or outfits.",
            help_behavior_hint="",
        ),
    ] = ()
    worlds: Annotated[Names, arg(metavar="A,B", help="Only these: birds, fashion, outfits.")] = None
    systems: Annotated[Names, arg(metavar="A,B", help="Only these systems.")] = None
    seeds: Annotated[int, arg(help="How many seeds.")] = 3
    ablations: Annotated[
        str | None,
        arg(
            metavar="A,B",
            help="Train swaps as well: f_a, lambda, conditions, encoder, batch, or all.",
            help_behavior_hint="(default: none)",
        ),
    ] = None
    recipe: Annotated[
        str | None,
        arg(
            metavar="RECIPE",
            help="Encoders, split and shared training of all systems.",
            help_behavior_hint="(default: one for each kind of data)",
        ),
    ] = None
    set: Settings = ()
    table: Annotated[
        Path | None,
        arg(
            metavar="FILE",
            help="Systems and their settings, as in recipes/bench/attributes.toml.",
            help_behavior_hint="",
        ),
    ] = None
    choose: Annotated[
        Flag,
        arg(
            help="Measure on a part of the training data, which is then not trained on: to choose "
            "settings by."
        ),
    ] = False
    jobs: Annotated[int, arg(help="Trainings at a time.")] = 1
    out: Annotated[Path, arg(metavar="DIR", help="Where every run is kept.")] = Path(
        "facetwise-bench"
    )
    cache: Annotated[
        Path | None,
        arg(
            metavar="DIR",
            help="Where collections made of the data are kept, with their features.",
            help_behavior_hint="(default: $FACETWISE_CACHE, or ~/.cache/facetwise)",
        ),
    ] = None
    allow_partial: Annotated[Flag, arg(help="Go on when the data are not all there.")] = False
    json: JsonFlag = False

    def run(self) -> int:
        """Train, measure, print tables, and write JSON and plots."""
        from ..evaluation.bench_attribute_plots import write_plots
        from ..evaluation.bench_attribute_tables import attribute_tables
        from ..evaluation.bench_attributes import AttributeBench, run_attribute_bench
        from ..evaluation.request import default_cache
        from ..files import write_text

        bench = AttributeBench(
            data=self.data,
            out=self.out,
            cache=self.cache if self.cache is not None else default_cache(),
            worlds=_names(self.worlds),
            systems=None if self.systems is None else _names(self.systems),
            seeds=self.seeds,
            ablations=_names(self.ablations),
            recipe=self.recipe,
            overrides=parse_settings(self.set),
            table=self.table,
            jobs=self.jobs,
            choose=self.choose,
            allow_partial=self.allow_partial,
        )
        results = run_attribute_bench(bench)
        file = self.out / "bench-attributes.json"
        write_text(file, json.dumps(results, indent=1) + "\n")
        plots = write_plots(results, self.out)
        if self.json:
            print_json(results)
            return 0
        from rich.console import Console

        Console().print(attribute_tables(results))
        say(f"all figures are in {file}, plots in {', '.join(map(str, plots))}")
        return 0


def _names(names: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (names or "").split(",") if name.strip())
