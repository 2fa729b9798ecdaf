"""What attribute targets of pairs cost from packed bits, beside a loop and beside gathered floats.

    python benchmarks/attribute_pairs.py [--threads 1] [--repeats 15]

Prints JSON. For 10,000 pairs of 5,994 pictures and 312 attributes (CUB's train part and its
attributes) each way makes the targets of f_a and their mask, both as float32 of 10,000 x 312. All
are timed in turn in one run, so that a busy machine slows all of them; a ratio is one of medians.
The loop over pairs is timed on a part of them. `write` fills a new tensor of both sizes and is the
least that any way can take.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from facetwise.data.attribute_bits import BitPlanes, GroupBits
from facetwise.similarity.attribute_bits import pair_targets
from facetwise.similarity.attributes import Combination
from machine import machine

N, A, P, PART, GROUPS = 5994, 312, 10_000, 200, 28


def looped(states: Tensor, pairs: list[tuple[int, int]], how: Combination) -> tuple[Tensor, Tensor]:
    """One pair after another, with tensor operations over its attributes."""
    targets, mask = torch.zeros(len(pairs), A), torch.zeros(len(pairs), A)
    for k, (i, j) in enumerate(pairs):
        a, b = states[i], states[j]
        targets[k], mask[k] = _f_a(a, b, how), (a >= 0) & (b >= 0)
    return targets, mask


def cell_by_cell(states: list[list[int]], pairs: list[tuple[int, int]]) -> list[list[bool]]:
    """OR, one cell after another, in plain Python."""
    return [[a == 1 or b == 1 for a, b in zip(states[i], states[j], strict=True)] for i, j in pairs]


def gathered(floats: Tensor, known: Tensor, r: Tensor, c: Tensor, how: Combination) -> object:
    """Rows of float tables, (P, A) each, combined by arithmetic; unknown is 0 in both tables."""
    a, b = floats[r], floats[c]
    mask = known[r] * known[c]
    if how == "or":
        return torch.maximum(a, b), mask
    return 1 - (a - b).abs(), mask


def _f_a(a: Tensor, b: Tensor, how: Combination) -> Tensor:
    return (a == 1) | (b == 1) if how == "or" else (a == b) & (a >= 0)


def measured(ways: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median milliseconds of each."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(repeats + 1):
        for name, work in ways.items():
            start = time.perf_counter()
            work()
            if repeat:  # the first round warms up
                times[name].append(1e3 * (time.perf_counter() - start))
    return {name: statistics.median(each) for name, each in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=15)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    g = torch.Generator().manual_seed(0)
    states = (torch.rand(N, A, generator=g) < 0.1).to(torch.int8)
    states[torch.rand(N, A, generator=g) < 0.1] = -1
    r, c = torch.randint(N, (2, P), generator=g)
    floats, known, planes = (states == 1).float(), (states >= 0).float(), BitPlanes.of(states)
    index = (torch.arange(A) * GROUPS // A).long()
    groups = GroupBits(states, index, torch.zeros(GROUPS, dtype=torch.bool))
    some = list(zip(r[:PART].tolist(), c[:PART].tolist(), strict=True))
    cells = states.tolist()
    results = []
    how: Combination
    for how in ("or", "xnor"):
        same = all(
            ours[:PART].equal(slow)
            for ours, slow in zip(
                pair_targets(planes, r, c, how), looped(states, some, how), strict=True
            )
        )
        ways: dict[str, Callable[[], object]] = {
            "write": lambda: torch.full((2, P, A), 1.0),
            "bits": lambda how=how: pair_targets(planes, r, c, how),
            "floats": lambda how=how: gathered(floats, known, r, c, how),
            "loop": lambda how=how: looped(states, some, how),
        }
        if how == "or":
            ways["cells"] = lambda: cell_by_cell(cells, some)
        found = measured(ways, args.repeats)
        for name in ("loop", "cells"):  # of a part of the pairs
            if name in found:
                found[name] *= P / PART
        bits = found["bits"]
        results.append(
            {
                "what": how,
                "same_as_the_loop": same,
                "ms": {name: round(ms, 2) for name, ms in found.items()},
                "of_the_write": round(bits / found["write"], 2),
                "times_faster_than": {
                    name: round(found[name] / bits, 1)
                    for name in ("floats", "loop", "cells")
                    if name in found
                },
            }
        )
    shared = measured({"groups": lambda: groups.same_value(r, c)}, args.repeats)["groups"]
    print(
        json.dumps(
            {
                "machine": machine(),
                "pairs": P,
                "attributes": A,
                "items": N,
                "loop_timed_on": PART,
                "results": results,
                "same_value_groups": GROUPS,
                "same_value_ms": round(shared, 2),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
