"""`facetwise demo`: everything once, on real data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from tyro.conf import arg

from .options import JsonFlag, print_json, say

__all__ = ["Demo"]


@dataclass(frozen=True)
class Demo:
    """Build, train, measure, search and explain on OpenMoji's drawings.

    About 5,300 pictures of 1,450 concepts in colour and in line; a fifth of the concepts is held
    out and never seen in training. Minutes the first time, seconds the second.

    Example:
        facetwise demo
    """

    interrupted: ClassVar[str] = "what is done so far is kept; the same command goes on from there"

    out: Annotated[Path, arg(metavar="DIR", help="Where everything is written.")] = Path(
        "facetwise-demo"
    )
    json: JsonFlag = False

    def run(self) -> int:
        """Run the demo."""
        from .showcase import QUERY, TEXTS, run_showcase
        from .showcase_page import write_sheet

        show = run_showcase(self.out)
        png, html = write_sheet(show)
        if self.json:
            print_json({"figures": show.figures, "seconds": show.seconds})
            return 0
        from rich.console import Console

        from ..evaluation.bench_demo import comparison_tables

        Console().print(comparison_tables([show.figures]))
        spent = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in show.seconds.items())
        hit = show.answers[0].hits[0].id
        say(f"{spent}")
        say(f"Look at {png} or open {html}. Then try:")
        say(f'  facetwise search {show.index.path} "a happy animal" -k 5')
        say(f"  facetwise search {show.index.path} --image {self.out / QUERY} --weigh style=3")
        say(f'  facetwise explain {show.index.path} "{TEXTS[0]}" {hit} --png why.png')
        say(f"  facetwise serve {show.index.path}")
        say("  facetwise data import YOUR_FOLDER --out your.collection")
        return 0
