"""Are frozen features read from the cache as fast as training steps take them?

    python benchmarks/cache_rate.py [--threads 1] [--pictures 3000] [--repeats 3]

Prints JSON. The cache holds random features in the shape of EfficientNet-Lite0's at 192 px; the
files are in the system's own cache after they were written, as they are after they were computed.
`image_features` reads all of them into memory, in an order of its own choosing and in a random one;
a step of DivE takes 128 pictures with two captions each. Training reads once, before its first
step; an epoch that had to read everything again would wait for `share_of_an_epoch` of its time.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import torch
from PIL import Image

from facetwise.data.synthetic import shapes_collection
from facetwise.encoders import ImageFeatures, image_features
from facetwise.models import DivEConfig
from facetwise.progress import track
from facetwise.training.recipe import Recipe
from image_text_step import step_times
from machine import machine


class RandomFeatures:
    """An image encoder that costs nothing."""

    name = "random"
    fingerprint = "random-features-1"
    grid_shape = (1280, 6, 6)
    grid_dtype = torch.float16
    parts = (1280, 280)

    def __init__(self) -> None:
        self.generator = torch.Generator().manual_seed(0)

    def prepare(self, picture: Image.Image) -> torch.Tensor:
        return torch.zeros(3, 1, 1, dtype=torch.uint8)

    def encode(self, prepared: list[torch.Tensor]) -> ImageFeatures:
        g = self.generator
        grid = torch.randn(len(prepared), *self.grid_shape, generator=g).half()
        return ImageFeatures(grid, torch.randn(len(prepared), sum(self.parts), generator=g))


def rates(pictures: int, repeats: int) -> dict:
    """Pictures a second, medians."""
    encoder = RandomFeatures()
    with tempfile.TemporaryDirectory() as folder:
        collection = shapes_collection(Path(folder) / "shapes.collection", n=pictures)
        start = time.perf_counter()
        image_features(collection, encoder, range(pictures))
        writing = time.perf_counter() - start
        shuffled = torch.randperm(pictures, generator=torch.Generator().manual_seed(1)).tolist()
        found: dict[str, float] = {}
        for name, rows in (("in_order", list(range(pictures))), ("shuffled", shuffled)):
            times = []
            for _ in track(range(repeats), f"reading {name}"):
                start = time.perf_counter()
                image_features(collection, encoder, rows)
                times.append(time.perf_counter() - start)
            found[name] = pictures / statistics.median(times)
    one = torch.tensor(encoder.grid_shape).prod().item() * 2 + sum(encoder.parts) * 4
    return {
        "pictures": pictures,
        "kilobytes_a_picture": round(one / 1024, 1),
        "written_and_read_once_pictures_per_second": round(pictures / writing, 1),
        "read_pictures_per_second": {name: round(value, 1) for name, value in found.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pictures", type=int, default=3000)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cache = rates(args.pictures, args.repeats)
    bench = Recipe.read("image-text")
    assert isinstance(bench.sets, DivEConfig)
    how = bench.set_training
    step = step_times("the recipe image-text", bench.encoders, bench.sets, how, args.repeats)
    read = min(cache["read_pictures_per_second"].values())
    print(
        json.dumps(
            {
                "machine": machine(),
                "cache": cache,
                "step": step,
                "times_faster_than_a_step": round(read / step["images_per_second"], 1),
                "share_of_an_epoch": round(step["images_per_second"] / read, 4),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
