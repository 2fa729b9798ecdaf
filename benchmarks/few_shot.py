"""What few-shot episodes cost: all of them against scoring each of their distinct pairs once.

    python benchmarks/few_shot.py [--threads 2] [--repeats 5] [--episodes 600]

Prints JSON. PAN scores with random features and weights, d = 512 and M = 50, of 50 classes x 60
pictures; 16 queries per class. "episodes" draws them, scores their pairs and counts the right
answers (mean of scores); "pairs" scores each distinct pair of queries and shots once, and nothing
else. A ratio is of medians, both timed in turn in the same run so that a busy machine slows both.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch

from facetwise.evaluation.episodes import Episodes, draw_episodes, mean_scores
from facetwise.evaluation.scorers import Embedded, Scorer
from facetwise.metrics import few_shot_accuracy
from facetwise.similarity import ConditionalSimilarity
from machine import machine

CLASSES, PICTURES, DIM, CONDITIONS = 50, 60, 512, 50


def pan() -> Scorer:
    generator = torch.Generator().manual_seed(0)
    model = ConditionalSimilarity(DIM, CONDITIONS, generator=generator)
    h = torch.randn(CLASSES * PICTURES, DIM, generator=generator)
    h = torch.nn.functional.normalize(h, dim=1)
    return Scorer("PAN", (Embedded(h, model.against, model.listed),))


def draw(way: int, shot: int, episodes: int) -> Episodes:
    labels = torch.arange(CLASSES).repeat_interleave(PICTURES)
    generator = torch.Generator().manual_seed(1)
    return draw_episodes(labels, way=way, shot=shot, episodes=episodes, generator=generator)


def distinct(episodes: Episodes) -> tuple[torch.Tensor, torch.Tensor]:
    seen = torch.zeros(CLASSES * PICTURES, CLASSES * PICTURES, dtype=torch.bool)
    for query, support in zip(episodes.query.flatten(1), episodes.support.flatten(1), strict=True):
        seen[torch.minimum(query[:, None], support), torch.maximum(query[:, None], support)] = True
    return seen.nonzero(as_tuple=True)


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(scorer: Scorer, way: int, shot: int, episodes: int, repeats: int) -> dict:
    r, c = distinct(draw(way, shot, episodes))

    def protocol() -> None:
        drawn = draw(way, shot, episodes)
        few_shot_accuracy(mean_scores(scorer, drawn), drawn.labels)

    works = {"pairs": lambda: scorer.pairs(r, c), "episodes": protocol}
    times: dict[str, list[float]] = {name: [] for name in works}
    for repeat in range(repeats + 1):
        for name, work in works.items():
            taken = timed(work)
            if repeat:  # the first round warms up
                times[name].append(taken)
    seconds = {name: statistics.median(taken) for name, taken in times.items()}
    return {
        "what": f"{way or CLASSES}-way {shot}-shot",
        "episodes": episodes,
        "distinct_pairs": len(r),
        **{f"{name}_ms": round(1e3 * taken, 1) for name, taken in seconds.items()},
        "ratio": round(seconds["episodes"] / seconds["pairs"], 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--episodes", type=int, default=600)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    scorer = pan()
    with torch.inference_mode():
        results = [
            measure(scorer, way, shot, args.episodes, args.repeats)
            for way, shot in ((5, 5), (5, 1), (0, 5))
        ]
    print(json.dumps({"machine": machine(), "results": results}, indent=2))


if __name__ == "__main__":
    main()
