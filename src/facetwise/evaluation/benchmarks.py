"""The benchmarks by name: what `facetwise evaluate --benchmark` and `bench` can be asked for."""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from facetwise.errors import InputError
from facetwise.evaluation.request import Request

__all__ = ["BENCHMARKS", "Benchmark", "run_benchmark"]


_SAME: Final = {"val": "dev", "dev": "val"}
"""Two names of one split, of which data sets use either."""


class Benchmark(NamedTuple):
    """One entry.

    Attributes:
        function: module and function in `facetwise.evaluation` that take the `Request`.
        splits: the parts that can be asked for, the default first; empty: whatever there is.
        about: a line of help.
    """

    function: str
    splits: tuple[str, ...]
    about: str


BENCHMARKS: Final[Mapping[str, Benchmark]] = MappingProxyType(
    {
        "flickr8k": Benchmark(
            "captioned.flickr8k_1k", ("test", "dev", "train"), "1,000 photos, 5 captions each"
        ),
        "flickr8k-judgements": Benchmark(
            "captioned.flickr8k_judgements", ("test",), "rank correlation with experts and crowd"
        ),
        "flickr30k": Benchmark("captioned.flickr30k_1k", ("test", "val", "train"), "1,000 photos"),
        "coco-1k": Benchmark("captioned.coco_1k", ("test", "val"), "five folds of 1,000 photos"),
        "coco-5k": Benchmark("captioned.coco_5k", ("test", "val"), "5,000 photos"),
        "precomp": Benchmark(
            "captioned.precomputed",
            ("test", "dev", "testall", "train"),
            "pre-computed regions of Flickr30K or COCO",
        ),
        "precomp-1k": Benchmark(
            "captioned.precomputed_1k", ("testall",), "COCO's regions, five folds of 1,000 images"
        ),
        "eccv": Benchmark(
            "captioned.eccv_captions", ("test",), "ECCV Caption: many positives, COCO photos"
        ),
        "cxc": Benchmark(
            "captioned.crisscrossed_captions", ("test", "val"), "Crisscrossed Captions: four ways"
        ),
        "cub-fewshot": Benchmark("cub.few_shot", ("val", "novel", "base"), "birds, N-way K-shot"),
        "few-shot-json": Benchmark(
            "few_shot.run_lists", ("novel", "val", "base", "all"), "lists of PAN's code, as above"
        ),
        "cub-retrieval": Benchmark(
            "cub.retrieval_run", ("test", "train", "val", "novel", "base"), "birds: R@k, mAP@R, NMI"
        ),
        "inshop": Benchmark("inshop.run", ("test",), "the same garment, query to gallery"),
        "outfits": Benchmark("outfits.run", (), "fill in the blank and compatibility, any outfits"),
        "polyvore": Benchmark("polyvore.run", ("test", "valid"), "Polyvore Outfits"),
        "ccp": Benchmark(
            "ccp.run", ("test", "val", "train", "all"), "Clothing Co-Parsing, garments cut by masks"
        ),
        "icons": Benchmark("icons.run", ("test", "val", "train"), "icon families as outfits"),
        "emoji-designs": Benchmark("emoji_designs.run", ("test",), "one concept, nine artists"),
        "few-shot": Benchmark("few_shot.run", (), "your own groups, N-way K-shot"),
        "retrieval": Benchmark("retrieval.run", (), "your own groups"),
    }
)


def run_benchmark(name: str, request: Request) -> dict[str, Any]:
    """Run a benchmark.

    Returns:
        Its figures in percent (AUC from 0 to 1), JSON-able, with ``benchmark``, ``split`` and
        ``seconds``.

    Raises:
        InputError: there is no such benchmark or split, or the data are not what they should be.
    """
    if name not in BENCHMARKS:
        raise InputError(f"no benchmark is called {name!r}; there are {', '.join(BENCHMARKS)}")
    entry = BENCHMARKS[name]
    asked = {request.split, _SAME.get(request.split or "", request.split)}
    if entry.splits and request.split is not None and not asked & set(entry.splits):
        raise InputError(
            f"{name} has no split {request.split!r}; there are {', '.join(entry.splits)}"
        )
    if request.rerank is not None and not entry.function.startswith("captioned."):
        raise InputError(f"--rerank: {name} compares pictures alone; it ranks nothing twice")
    start = time.monotonic()
    module, _, function = entry.function.partition(".")
    figures = getattr(import_module(f"facetwise.evaluation.{module}"), function)(request)
    split = request.split or (entry.splits[0] if entry.splits else None)
    head = {"benchmark": name, "split": split}
    return {**head, **figures, "seconds": round(time.monotonic() - start, 2)}
