"""`facetwise bench`: the demo's figures over seeds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from tyro.conf import Positional, arg

__all__ = ["Bench"]


@dataclass(frozen=True)
class Bench:
    """Train and measure with several seeds, to tell a gain from luck.

    Example:
        facetwise bench demo --seeds 3
    """

    interrupted: ClassVar[str] = "finished seeds are kept; the same command goes on from there"

    what: Annotated[Literal["demo"], Positional, arg(help="What to repeat.")]
    seeds: Annotated[int, arg(help="How many seeds.")] = 3
    out: Annotated[Path, arg(metavar="DIR", help="Where everything is written.")] = Path(
        "facetwise-demo"
    )

    def run(self) -> int:
        """Run the bench."""
        from ..evaluation.demo import bench_demo

        return bench_demo(self.out, seeds=self.seeds)
