"""A COCO-5K sized test: 5,000 images against 25,000 captions, ranked both ways.

    python benchmarks/coco5k.py [--threads 2] [--repeats 3] [--images 5000]

Prints JSON. Timed in turn, in one run: the bare float32 matrix product of the same sizes; scoring
by smooth-Chamfer and ranking in float32, both directions, all recalls; the same at reduced
precision with what is close scored again. Ratios are medians over the product's median. The
embeddings are random, as wide and as noisy as trained ones.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import torch

from facetwise.evaluation.recalls import coarse_recalls, exact_recalls
from facetwise.similarity.sets import unit
from machine import machine


def embeddings(images: int, k: int, d: int, noise: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Image sets and five caption sets each, which live in 64 of the d dimensions.

    Trained embeddings spread their cosines about as widely (a deviation of .1 and more), so that
    many wrong items come close to the right one; in all d dimensions none would.
    """
    g = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(d, 64, generator=g)).Q.T
    z = torch.randn(images, 1, 64, generator=g)
    x = z + 0.5 * torch.randn(images, k, 64, generator=g)
    y = z.repeat_interleave(5, 0) + noise * torch.randn(5 * images, 1, 64, generator=g)
    y = y + 0.5 * torch.randn(5 * images, k, 64, generator=g)
    return unit(x @ basis), unit(y @ basis)


def product(x: torch.Tensor, y: torch.Tensor, out: torch.Tensor) -> None:
    """All cosines in slabs of `out`, which is allocated once: nothing but the product."""
    rows, columns = x.reshape(-1, x.shape[-1]), y.reshape(-1, y.shape[-1])
    for start in range(0, len(columns), out.shape[1]):
        part = columns[start : start + out.shape[1]]
        torch.mm(rows, part.T, out=out[:, : len(part)])


def status(what: str) -> int:
    """Of this process, in KiB (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1])
    raise KeyError(what)


def forget_peak() -> int:
    """Let the peak of memory count anew; what is in use now."""
    Path("/proc/self/clear_refs").write_text("5")
    return status("VmRSS")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--k", type=int, default=4)
    parser.add_argument("--d", type=int, default=1024)
    parser.add_argument("--noise", type=float, default=2.0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    x, y = embeddings(args.images, args.k, args.d, args.noise)
    owner = torch.arange(args.images).repeat_interleave(5)
    memory: dict[str, float] = {}
    times: dict[str, list[float]] = {"product": [], "float32": [], "reduced": []}
    found: dict[str, dict[str, dict[int, float]]] = {}
    slab = torch.zeros(args.images * args.k, 8192)
    with torch.inference_mode():
        for _ in range(args.repeats):
            for name, run in (
                ("float32", lambda: exact_recalls(x, y, owner, normalized=True)),
                ("reduced", lambda: coarse_recalls(x, y, owner, normalized=True)),
                ("product", lambda: product(x, y, slab)),
            ):
                before = forget_peak()
                start = time.perf_counter()
                result = run()
                times[name].append(time.perf_counter() - start)
                if result is not None:
                    found[name] = result
                memory[name] = round((status("VmHWM") - before) / 2**20, 2)
    bare = statistics.median(times["product"])
    print(
        json.dumps(
            {
                "what": "score and rank, both ways",
                "images": args.images,
                "captions": len(y),
                "K": args.k,
                "D": args.d,
                "seconds": {name: [round(t, 2) for t in all_] for name, all_ in times.items()},
                "ratio_float32": round(statistics.median(times["float32"]) / bare, 3),
                "ratio_reduced": round(statistics.median(times["reduced"]) / bare, 3),
                "same_recalls": found["float32"] == found["reduced"],
                "recalls": found["float32"],
                "peak_memory_beyond_embeddings_GiB": memory,
                "machine": machine(),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
