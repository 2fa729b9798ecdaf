"""Flickr30K in Karpathy's split: 29,000 / 1,014 / 1,000 photos, METHODS 4.6."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from facetwise.data.benchmarks.captions import CaptionedImages, Photos, captioned_images
from facetwise.data.benchmarks.checks import need_file
from facetwise.data.benchmarks.karpathy import karpathy_images
from facetwise.errors import InputError

__all__ = ["SPLITS", "read"]

SPLITS: Final = {"train": 29_000, "val": 1_014, "test": 1_000}
PHOTOS: Final = (
    *("flickr30k-images", "flickr30k_images", "flickr30k_images/flickr30k_images"),
    *("Images", "images"),
)


def read(folder: Path, split: str = "test", *, allow_partial: bool = False) -> CaptionedImages:
    """Read a split. Image ids are file names, caption ids ``IMAGE#N``.

    Args:
        folder: with ``dataset_flickr30k.json`` and the photos in ``flickr30k-images/``.
        split: ``train``, ``val`` (or ``dev``) or ``test``.
        allow_partial: go on when photos or captions are missing.

    Raises:
        InputError: a file or photos are missing, or the split file is damaged.
    """
    folder = Path(folder)
    split = "val" if split == "dev" else split
    if split not in SPLITS:
        raise InputError(f"flickr30k has no split {split!r}; there are: {', '.join(SPLITS)}")
    file = need_file(
        folder,
        "dataset_flickr30k.json",
        "annotations/dataset_flickr30k.json",
        what="Karpathy's split with the captions",
    )
    return captioned_images(
        "flickr30k",
        split,
        karpathy_images(file, {split}),
        Photos(folder, PHOTOS),
        published=SPLITS[split],
        allow_partial=allow_partial,
    )
