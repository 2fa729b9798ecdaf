"""`facetwise evaluate`: how good a run is, on its own data or on a published benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from tyro.conf import Positional, arg

from ..errors import InputError
from .options import Flag, JsonFlag, print_json, say

if TYPE_CHECKING:
    from ..evaluation import Request

__all__ = ["Evaluate"]


@dataclass(frozen=True)
class Evaluate:
    """Measure a run: on the held-out part of a collection, or by a published benchmark's protocol.

    Several runs are an ensemble: their scores are averaged. `--scores` measures somebody else's
    score matrix or rankings. `--list` names the benchmarks. Percent throughout, AUC from 0 to 1;
    equal scores count against the model unless --ties says otherwise.

    Example:
        facetwise evaluate runs/shop --collection shop.collection --plot steering.png
        facetwise evaluate runs/a --benchmark flickr8k --data Flickr8k --split dev --json
        facetwise evaluate runs/a --benchmark cub-fewshot --data CUB_200_2011 --split val --way 5
        facetwise evaluate runs/a --against runs/b --benchmark outfits --data clothing-co-parsing
        facetwise evaluate runs/sets --rerank runs/scan --benchmark coco-5k --data coco
        facetwise evaluate --scores theirs.npz --benchmark coco-5k
    """

    interrupted: ClassVar[str] = "computed features are kept; the same command goes on from there"

    models: Annotated[
        tuple[Path, ...],
        Positional,
        arg(metavar="RUN", help="What `facetwise fit` wrote.", help_behavior_hint=""),
    ] = ()
    collection: Annotated[
        Path | None,
        arg(metavar="COLLECTION", help="Your own data to measure on.", help_behavior_hint=""),
    ] = None
    benchmark: Annotated[
        str | None,
        arg(metavar="NAME", help="A published protocol; see --list.", help_behavior_hint=""),
    ] = None
    data: Annotated[
        Path | None,
        arg(metavar="DIR", help="The benchmark's folder, as published.", help_behavior_hint=""),
    ] = None
    split: Annotated[
        str | None,
        arg(
            metavar="NAME",
            help="The part to measure on; of a collection `held-out`, `train` or `all`.",
            help_behavior_hint="(default: what training held out, or the benchmark's)",
        ),
    ] = None
    against: Annotated[
        Path | None,
        arg(
            metavar="RUN",
            help="Another run: the difference on the same queries, with its interval.",
            help_behavior_hint="",
        ),
    ] = None
    rerank: Annotated[
        Path | None,
        arg(
            metavar="RUN",
            help="A slower run that puts each query's best answers in order; photos with texts.",
            help_behavior_hint="",
        ),
    ] = None
    depth: Annotated[int, arg(help="How many answers --rerank looks at.")] = 100
    scores: Annotated[
        Path | None,
        arg(
            metavar="FILE",
            help="Measure this score matrix (.npz, .npy) or these rankings (.json) instead.",
            help_behavior_hint="",
        ),
    ] = None
    save_scores: Annotated[
        Path | None,
        arg(metavar="FILE", help="Keep the score matrix (.npz).", help_behavior_hint=""),
    ] = None
    allow_partial: Annotated[Flag, arg(help="Go on when the data are not all there.")] = False
    ties: Annotated[
        Literal["pessimistic", "mean", "optimistic"],
        arg(help="Who stands first among equal scores."),
    ] = "pessimistic"
    using: Annotated[
        Literal["pairs", "sets"] | None,
        arg(
            help="What compares pictures.",
            help_behavior_hint="(default: the pair model where there is one)",
        ),
    ] = None
    plot: Annotated[
        Path | None,
        arg(
            metavar="FILE",
            help="Of a collection: draw what weighing each attribute group does (.png).",
            help_behavior_hint="",
        ),
    ] = None
    way: Annotated[int, arg(help="Few-shot: classes in an episode, 0 for all.")] = 5
    shot: Annotated[int, arg(help="Few-shot: labelled pictures of a class.")] = 5
    query: Annotated[int, arg(help="Few-shot: pictures of a class that ask.")] = 16
    episodes: Annotated[int, arg(help="Few-shot: how many episodes.")] = 600
    context: Annotated[
        int,
        arg(
            help="Outfits: edges of a node that may be used; above 0 the degree gives answers away."
        ),
    ] = 0
    seed: Annotated[int, arg(help="Of episodes, questions and bootstrap samples.")] = 0
    cache: Annotated[
        Path | None,
        arg(
            metavar="DIR",
            help="Where the benchmark's pictures and their features are kept.",
            help_behavior_hint="(default: $FACETWISE_CACHE, or ~/.cache/facetwise)",
        ),
    ] = None
    list: Annotated[Flag, arg(help="Name the benchmarks and their splits.")] = False
    json: JsonFlag = False

    def run(self) -> int:
        """Evaluate, and print a table or JSON."""
        if self.list:
            return self._list()
        if self.scores is not None:
            from ..evaluation.scores import evaluate_scores

            return self._print(
                evaluate_scores(
                    self.scores,
                    self.benchmark,
                    data=self.data,
                    split=self.split,
                    ties=self.ties,
                    seed=self.seed,
                    allow_partial=self.allow_partial,
                )
            )
        least_of = {"way": 0, "shot": 1, "query": 1, "episodes": 2, "context": 0, "depth": 1}
        for name, least in least_of.items():
            if getattr(self, name) < least:
                raise InputError(f"--{name} {getattr(self, name)}: expected {least} or more")
        if self.plot is not None and (self.collection is None or self.benchmark is not None):
            raise InputError(f"--plot {self.plot}: steering is drawn of a --collection alone")
        if not self.models:
            raise InputError("nothing to measure; give a RUN, or --scores FILE")
        if self.benchmark is not None:
            from ..evaluation.benchmarks import run_benchmark

            return self._print(run_benchmark(self.benchmark, self._request()))
        if self.collection is None:
            raise InputError("nothing to measure on; give --collection, or --benchmark and --data")
        if len(self.models) > 1 or self.against is not None:
            raise InputError(
                "a collection is measured one run at a time; --benchmark retrieval or few-shot "
                "takes several and --against"
            )
        return self._own(self.models[0], self.collection)

    def _own(self, run: Path, path: Path) -> int:
        from ..data import Collection
        from ..evaluation import evaluate
        from ..models import load

        report = evaluate(
            load(run),
            Collection.open(path),
            split=self.split or "auto",
            rerank=None if self.rerank is None else load(self.rerank),
            depth=self.depth,
        )
        if self.json:
            print_json(report.to_dict())
        else:
            from rich.console import Console

            Console().print(report.table())
        if self.plot is not None:
            from ..evaluation.steering_plot import write_steering

            write_steering(self.plot, [report.pairs.steering] if report.pairs else [])
            say(f"{self.plot} is written")
        return 0

    def _request(self) -> Request:
        from ..evaluation import Request
        from ..evaluation.request import default_cache
        from ..models import load

        if self.data is not None and self.collection is not None:
            raise InputError("--data and --collection say the same to a benchmark; give one")
        return Request(
            models=tuple(load(path) for path in self.models),
            data=self.data if self.data is not None else self.collection,
            split=self.split,
            rival=None if self.against is None else load(self.against),
            save_scores=self.save_scores,
            allow_partial=self.allow_partial,
            ties=self.ties,
            cache=self.cache if self.cache is not None else default_cache(),
            seed=self.seed,
            way=self.way,
            shot=self.shot,
            query=self.query,
            episodes=self.episodes,
            context=self.context,
            using=self.using,
            rerank=None if self.rerank is None else load(self.rerank),
            depth=self.depth,
        )

    def _print(self, figures: dict[str, Any]) -> int:
        if self.json:
            print_json(figures)
            return 0
        from rich.console import Console

        from ..evaluation.figures import figures_table

        Console().print(figures_table(figures))
        if self.save_scores is not None:
            say(f"{self.save_scores} is written")
        return 0

    def _list(self) -> int:
        from ..evaluation.benchmarks import BENCHMARKS

        if self.json:
            print_json(
                {
                    name: {"splits": list(entry.splits), "about": entry.about}
                    for name, entry in BENCHMARKS.items()
                }
            )
            return 0
        from rich.console import Console
        from rich.table import Table

        table = Table("benchmark", "splits", "what it is")
        for name, entry in BENCHMARKS.items():
            table.add_row(name, ", ".join(entry.splits), entry.about)
        Console().print(table)
        return 0
