"""`facetwise bench image-text`: every image-text system beside its rivals, over seeds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from tyro.conf import arg

from .options import Flag, JsonFlag, Settings, parse_settings, print_json, say

__all__ = ["BenchImageText"]


@dataclass(frozen=True)
class BenchImageText:
    """Train image-text systems on the same features with several seeds, and compare them.

    DeViSE, VSE++, VSE-infinity, PVSE, PCME, PCME++, Slot Attention, DivE and SCAN, with the same
    encoders, steps and rates, and the same batches (but for cross attention's smaller ones), each
    with its own loss; ridge regression as the floor. Every epoch is chosen on a part of the
    training data. Beside each set system stands its control, the same sets as one mean vector.

    Example:
        facetwise bench image-text --data Flickr8k --text minilm,glove --seeds 3
        facetwise bench image-text --data emoji --systems vse,dive --seeds 1
        facetwise bench image-text --systems dive --ablations similarity,head --jobs 2
    """

    interrupted: ClassVar[str] = "finished runs are kept; the same command goes on from there"

    data: Annotated[
        str,
        arg(
            metavar="DIR",
            help="The folder of Flickr8k, a collection, `emoji` (nine artists, 35 MB are fetched "
            "once) or `openmoji` (nothing is fetched).",
        ),
    ] = "openmoji"
    systems: Annotated[
        str | None,
        arg(metavar="A,B", help="Which systems.", help_behavior_hint="(default: all but caan)"),
    ] = None
    text: Annotated[str, arg(metavar="A,B", help="Text encoders: minilm, glove.")] = "minilm"
    seeds: Annotated[int, arg(help="How many seeds.")] = 3
    ablations: Annotated[
        str | None,
        arg(
            metavar="A,B",
            help="Train DivE's swaps as well: similarity, head, K, alpha, T, global, or all.",
            help_behavior_hint="(default: none)",
        ),
    ] = None
    recipe: Annotated[
        str | None,
        arg(
            metavar="RECIPE",
            help="Encoders and training of all systems.",
            help_behavior_hint="(default: image-text of Flickr8k, else tags)",
        ),
    ] = None
    set: Settings = ()
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
        from ..evaluation.bench_image_text import Bench, run_bench
        from ..evaluation.bench_plots import write_plots
        from ..evaluation.bench_systems import groups_of, rows
        from ..evaluation.bench_tables import bench_tables
        from ..evaluation.request import default_cache
        from ..files import write_text

        bench = Bench(
            data=self.data,
            out=self.out,
            cache=self.cache if self.cache is not None else default_cache(),
            recipe=self.recipe,
            overrides=parse_settings(self.set),
            rows=rows(self.systems),
            texts=tuple(name.strip() for name in self.text.split(",") if name.strip()),
            seeds=self.seeds,
            ablations=groups_of(self.ablations),
            jobs=self.jobs,
            allow_partial=self.allow_partial,
        )
        results = run_bench(bench)
        file = self.out / "bench-image-text.json"
        write_text(file, json.dumps(results, indent=1) + "\n")
        plots = write_plots(results, self.out)
        if self.json:
            print_json(results)
            return 0
        from rich.console import Console

        Console().print(bench_tables(results))
        say(f"all figures are in {file}, plots in {', '.join(map(str, plots))}")
        return 0
