"""COCO 1K beside the `eccv-caption` package: the same figures, and what each takes.

    python benchmarks/eccv.py [--threads 2] [--repeats 3]

Prints JSON. Both get the same full rankings of 5,000 images and 25,000 captions, made beforehand of
one score matrix: the package as lists of ids, facetwise as arrays of numbers (what making them of
the lists takes is said beside it), and once as the score matrix itself, which spares it the sort.
One run of the package, which takes a minute or two, over R@1, R@5 and R@10; medians of ours.
All times are CPU seconds, so that a busy machine speaks for neither; the package has one thread.
About 6 GB of memory: the package's two times 125 million list entries, though of shared numbers.
"""

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from facetwise.metrics import (
    Positives,
    first_ranks,
    fold_places,
    fold_ranking_ranks,
    folds_of,
    mean_known,
    numbered,
    recall_from_ranks,
)
from machine import machine

KS = (1, 5, 10)


def timed(work: Callable[[], object], repeats: int) -> tuple[float, object]:
    times = []
    for _ in range(repeats):
        start = time.process_time()
        found = work()
        times.append(time.process_time() - start)
    return statistics.median(times), found


def orders(scores: Tensor) -> Tensor:
    """(Q, N) int32, best first."""
    out = torch.empty(scores.shape, dtype=torch.int32)
    for start in range(0, len(scores), 64):
        out[start : start + 64] = scores[start : start + 64].argsort(1, descending=True)
    return out


def lists(order: Tensor, queries: list[int], items: list[int]) -> dict[int, list[int]]:
    """As the package takes them; all lists hold the same number objects, which spares memory."""
    objects = np.array(items, dtype=object)
    return {id: objects[row].tolist() for id, row in zip(queries, order.numpy(), strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from eccv_caption import Metrics

        package = Metrics()
    captions = package.coco_ids.tolist()
    owners = [package.coco_gts["t2i"][id][0] for id in captions]
    images = list(dict.fromkeys(owners))
    number = {id: n for n, id in enumerate(images)}
    owner = torch.tensor([number[id] for id in owners])
    scores = torch.randn(5000, 25000, generator=torch.Generator().manual_seed(0))
    scores[owner, torch.arange(25000)] += 3  # figures neither all right nor all wrong
    i2t, t2i = orders(scores), orders(scores.T)
    as_lists = (lists(i2t, images, captions), lists(t2i, captions, images))
    asked = Positives.of_owner(owner, 5000)
    up, folds = asked.flipped(25000), folds_of(owner, 5000)

    def official() -> dict[str, dict[str, float]]:
        found = package.compute_all_metrics(*as_lists, target_metrics=("coco_1k_recalls",), Ks=KS)
        return {name: {way: float(v) for way, v in both.items()} for name, both in found.items()}

    def from_rankings() -> dict[str, dict[str, float]]:
        down = fold_ranking_ranks(i2t, asked, folds)
        back = fold_ranking_ranks(t2i, up, [(fold.captions, fold.images) for fold in folds])
        ours = recall_from_ranks(first_ranks(down, asked), KS), recall_from_ranks(back, KS)
        return {f"coco_1k_r{k}": {"i2t": ours[0][k], "t2i": ours[1][k]} for k in KS}

    def from_scores() -> dict[str, dict[str, float]]:
        down, back = fold_places(scores, owner)
        return {
            f"coco_1k_r{k}": {"i2t": mean_known(down.hits(k)), "t2i": mean_known(back.hits(k))}
            for k in KS
        }

    def reading() -> object:
        return (
            numbered(as_lists[0].values(), captions),
            numbered(as_lists[1].values(), images),
        )

    theirs_s, theirs = timed(official, 1)
    rankings_s, ours = timed(from_rankings, args.repeats)
    scores_s, again = timed(from_scores, args.repeats)
    reading_s, _ = timed(reading, 1)
    flat = [
        [figures[name][way] for name in sorted(theirs) for way in ("i2t", "t2i")]
        for figures in (theirs, ours, again)
    ]
    print(
        json.dumps(
            {
                "machine": machine(),
                "what": "COCO 1K, R@1, R@5, R@10, both ways, of full rankings of 5,000 x 25,000",
                "figures": theirs,
                "largest_difference": max(
                    abs(a - b) for other in flat[1:] for a, b in zip(flat[0], other, strict=True)
                ),
                "eccv_caption_cpu_s": round(theirs_s, 2),
                "from_rankings_cpu_s": round(rankings_s, 3),
                "from_scores_cpu_s": round(scores_s, 3),
                "reading_the_lists_cpu_s": round(reading_s, 2),
                "times_faster_from_rankings": round(theirs_s / rankings_s, 1),
                "times_faster_from_scores": round(theirs_s / scores_s, 1),
                "times_faster_reading_included": round(theirs_s / (rankings_s + reading_s), 1),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
