"""`facetwise demo`: everything once, on real data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from tyro.conf import arg

__all__ = ["Demo"]


@dataclass(frozen=True)
class Demo:
    """Build, train, measure, search and explain on OpenMoji's drawings.

    Example:
        facetwise demo
    """

    interrupted: ClassVar[str] = "what is done so far is kept; the same command goes on from there"

    out: Annotated[Path, arg(metavar="DIR", help="Where everything is written.")] = Path(
        "facetwise-demo"
    )

    def run(self) -> int:
        """Run the demo."""
        from ..evaluation.demo import run_demo

        return run_demo(self.out)
