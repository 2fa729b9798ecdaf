"""A tiny folder of pre-computed regions in the exact format of SCAN's (METHODS 4.7, T-31)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

THINGS = ("dog", "cat", "car", "tree")
COLOURS = ("red", "green", "blue", "black")
IMAGES = {"train": 40, "dev": 8, "test": 12, "testall": 20}


def write_precomp(
    folder: Path, *, images: Mapping[str, int] = IMAGES, regions: int = 6, width: int = 16
) -> Path:
    """Write all splits: arrays of dev, test and testall with every image five times, train's once.

    What an image shows is a pattern in two of its regions, and is said by its five captions. The
    test images are the first of testall.
    """
    folder.mkdir(parents=True)
    g = np.random.default_rng(0)
    patterns = g.normal(size=(len(THINGS) + len(COLOURS), width))
    testall, first = _images(g, patterns, images["testall"], regions), images["test"]
    for split, count in images.items():
        shown, rows = testall if split == "testall" else _images(g, patterns, count, regions)
        if split == "test":
            shown, rows = testall[0][:first], testall[1][:first]
        number = {"train": 1000, "dev": 2000}.get(split, 3000)
        ids = [str(number + image) for image in range(count)]
        captions = [
            f"{start} {COLOURS[colour]} {THINGS[thing]} here"
            for thing, colour in shown
            for start in ("a", "the", "one", "some", "that")
        ]
        repeated = split != "train"
        np.save(folder / f"{split}_ims.npy", rows.repeat(5, axis=0) if repeated else rows)
        lines = [name for name in ids for _ in range(5)] if repeated else ids
        for end, words in (("caps", captions), ("ids", lines)):
            (folder / f"{split}_{end}.txt").write_text("".join(f"{word}\n" for word in words))
    return folder


def _images(g, patterns, count, regions):
    shown = [(int(g.integers(len(THINGS))), int(g.integers(len(COLOURS)))) for _ in range(count)]
    rows = 0.3 * g.normal(size=(count, regions, patterns.shape[1]))
    for image, (thing, colour) in enumerate(shown):
        here = g.permutation(regions)[:2]
        rows[image, here[0]] += patterns[thing]
        rows[image, here[1]] += patterns[len(THINGS) + colour]
    return shown, np.abs(rows).astype(np.float32)
