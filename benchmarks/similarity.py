"""What structured similarity costs: scoring against the bare matrix product of equal size.

    python benchmarks/similarity.py [--threads 2] [--repeats 7]

Prints JSON. A ratio is the median time of scoring over the median time of the product it contains,
both timed in turn in the same run so that a busy machine slows both.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch

from facetwise.similarity import ConditionalSimilarity, score_matrix
from facetwise.similarity.sets import unit
from machine import machine


def compare(work: Callable[[], object], product: Callable[[], object], repeats: int) -> dict:
    times: dict[str, list[float]] = {"scoring": [], "product": []}
    for repeat in range(repeats + 1):
        for name, run in (("product", product), ("scoring", work)):
            start = time.perf_counter()
            run()
            if repeat:  # the first round warms up
                times[name].append(time.perf_counter() - start)
    scoring, bare = (statistics.median(times[name]) for name in ("scoring", "product"))
    return {
        "scoring_ms": round(1e3 * scoring, 2),
        "product_ms": round(1e3 * bare, 2),
        "ratio": round(scoring / bare, 3),
    }


def smooth_chamfer(n: int, m: int, k: int, d: int, repeats: int) -> dict:
    """N sets against M sets, and the (N K, D) x (D, M K) product that holds all their cosines."""
    generator = torch.Generator().manual_seed(0)
    x = unit(torch.randn(n, k, d, generator=generator))
    y = unit(torch.randn(m, k, d, generator=generator))
    rows, columns = x.reshape(n * k, d), y.reshape(m * k, d).T
    out = torch.empty(n * k, m * k)  # allocated once: the product pays for no fresh memory
    result = compare(
        lambda: score_matrix(x, y, normalized=True),
        lambda: torch.mm(rows, columns, out=out),
        repeats,
    )
    return {"what": "score_matrix smooth_chamfer", "N": n, "M": m, "K": k, "D": d, **result}


def conditional(n: int, d: int, conditions: int, repeats: int) -> dict:
    """One query against N items under M conditions, and the (N, d) x (d, 2M) product."""
    generator = torch.Generator().manual_seed(0)
    module = ConditionalSimilarity(d, conditions, generator=generator)
    gallery = unit(torch.randn(n, d, generator=generator))
    query = unit(torch.randn(1, d, generator=generator))
    weight = torch.randn(d, 2 * conditions, generator=generator)
    out = torch.empty(n, 2 * conditions)
    result = compare(
        lambda: module.against(query, gallery),
        lambda: torch.mm(gallery, weight, out=out),
        repeats,
    )
    return {"what": "ConditionalSimilarity.against", "N": n, "M": conditions, "d": d, **result}


def listed(n: int, pairs: int, d: int, conditions: int, repeats: int) -> dict:
    """P listed pairs under M conditions, and the product of their ready-made |differences|."""
    generator = torch.Generator().manual_seed(0)
    module = ConditionalSimilarity(d, conditions, generator=generator)
    h = unit(torch.randn(n, d, generator=generator))
    r, c = torch.randint(n, (2, pairs), generator=generator)
    g = (h[r] - h[c]).abs()  # ready-made, which `listed` never has
    weight = torch.randn(d, 2 * conditions, generator=generator)
    out = torch.empty(pairs, 2 * conditions)
    result = compare(lambda: module.listed(h, r, c), lambda: torch.mm(g, weight, out=out), repeats)
    return {"what": "ConditionalSimilarity.listed", "P": pairs, "M": conditions, "d": d, **result}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with torch.inference_mode():
        results = [
            smooth_chamfer(512, 2560, 4, 256, args.repeats),
            smooth_chamfer(512, 2560, 4, 1024, args.repeats),
            conditional(20_000, 512, 50, args.repeats),
            conditional(20_000, 512, 206, args.repeats),
            conditional(20_000, 2048, 50, args.repeats),
            listed(10_000, 20_480, 512, 50, args.repeats),
            listed(10_000, 20_480, 512, 312, args.repeats),
        ]
    print(json.dumps({"machine": machine(), "results": results}, indent=2))


if __name__ == "__main__":
    main()
