"""`facetwise bench demo`: the demo's figures over seeds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from tyro.conf import arg

from ..errors import InputError
from .options import JsonFlag, print_json, say

__all__ = ["BenchDemo"]


@dataclass(frozen=True)
class BenchDemo:
    """Train and measure with several seeds, to tell a gain from luck.

    DivE and PAN beside their floors and rivals, on concepts that were never seen in training.

    Example:
        facetwise bench demo --seeds 3
    """

    interrupted: ClassVar[str] = "finished seeds are kept; the same command goes on from there"

    seeds: Annotated[int, arg(help="How many seeds.")] = 3
    out: Annotated[Path, arg(metavar="DIR", help="Where everything is written.")] = Path(
        "facetwise-demo"
    )
    json: JsonFlag = False

    def run(self) -> int:
        """Run the bench."""
        if self.seeds < 1:
            raise InputError(f"--seeds {self.seeds}: expected 1 or more")
        from ..evaluation.bench_demo import comparison_tables, run_bench
        from ..files import write_text
        from ..training import Recipe
        from .showcase import RECIPE, open_collection

        collection = open_collection(self.out / "openmoji.collection")
        folder = self.out / "bench"
        results = run_bench(collection, Recipe.read(RECIPE), folder, range(self.seeds))
        file = folder / "bench-demo.json"
        write_text(file, json.dumps(results, indent=1) + "\n")
        if self.json:
            print_json(results)
        else:
            from rich.console import Console

            Console().print(comparison_tables(results["runs"]))
            say(f"{self.seeds} seeds, mean and standard deviation; all figures in {file}")
        return 0
