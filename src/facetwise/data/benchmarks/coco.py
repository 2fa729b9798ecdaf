"""COCO captions: Karpathy's split, or the official files (METHODS 4.5).

The official ``captions_{train,val}2014.json`` know only ``train2014`` and ``val2014``. Which of
their images are test is said by Karpathy's ``dataset_coco.json``, or by a list of caption ids
``coco_{train,restval,dev,test}_ids.npy``; the package ``eccv-caption`` holds the test split's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from facetwise.data.benchmarks import eccv
from facetwise.data.benchmarks.captions import (
    Captioned,
    CaptionedImages,
    Photos,
    captioned_images,
)
from facetwise.data.benchmarks.checks import need_file
from facetwise.data.benchmarks.karpathy import karpathy_images
from facetwise.data.benchmarks.reading import json_object
from facetwise.data.item import Problem
from facetwise.errors import InputError

__all__ = ["SPLITS", "read"]

SPLITS: Final = {
    "train": 82_783,
    "restval": 30_504,
    "train+restval": 113_287,
    "val": 5_000,
    "test": 5_000,
    "train2014": 82_783,
    "val2014": 40_504,
}
PHOTOS: Final = (".", "images", "Images")


def read(folder: Path, split: str = "test", *, allow_partial: bool = False) -> CaptionedImages:
    """Read a split. Ids are COCO's own, of images and of captions (annotations).

    The test split comes in the order of Karpathy's file, in which COCO 1K counts its folds.

    Args:
        folder: with ``dataset_coco.json`` or ``annotations/captions_*2014.json``, and the photos
            in ``train2014/`` and ``val2014/``, perhaps below ``images/``.
        split: ``train``, ``restval``, ``train+restval`` (the 113,287 that papers train on),
            ``val`` (or ``dev``), ``test``; or ``train2014``, ``val2014`` as COCO gives them.
        allow_partial: go on when photos or captions are missing.

    Raises:
        InputError: a file or photos are missing or damaged.
    """
    folder = Path(folder)
    split = "val" if split == "dev" else split
    if split not in SPLITS:
        raise InputError(f"coco has no split {split!r}; there are: {', '.join(SPLITS)}")
    entries = _entries(folder, split)
    found = captioned_images(
        "coco",
        split,
        entries,
        Photos(folder, PHOTOS),
        published=SPLITS[split],
        allow_partial=allow_partial,
    )
    return (
        replace(found, problems=(*found.problems, *_disorder(found))) if split == "test" else found
    )


def _entries(folder: Path, split: str) -> list[Captioned]:
    if split.endswith("2014"):
        return list(_official(folder, split).values())
    file = _first(folder, "dataset_coco.json")
    if file is not None:
        return karpathy_images(file, split.split("+"))
    ids = _caption_ids(folder, split)
    if ids is None:
        raise InputError(
            f"{folder} has no dataset_coco.json (Karpathy's split) or coco_{split}_ids.npy, and "
            f"the official captions_*2014.json do not say which images are {split}; put one "
            "there, or ask for --split val2014"
        )
    return _by_caption_ids(folder, split, ids)


def _official(folder: Path, year: str) -> dict[str, Captioned]:
    """Image id to the image with all of its captions, in the order of ``captions_YEAR.json``."""
    name = f"captions_{year}.json"
    file = need_file(folder, f"annotations/{name}", name, what="COCO's own captions")
    content = json_object(file)
    captions: dict[str, list[tuple[str, str]]] = {}
    try:
        for note in content["annotations"]:
            text = note["caption"].strip()
            captions.setdefault(str(note["image_id"]), []).append((str(note["id"]), text))
        return {
            str(entry["id"]): Captioned(
                str(entry["id"]),
                f"{year}/{entry['file_name']}",
                captions.get(str(entry["id"]), []),
            )
            for entry in content["images"]
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{file}: {type(error).__name__} {error}, expected images with id and file_name and "
            "annotations with id, image_id and caption; get the file again"
        ) from None


def _by_caption_ids(folder: Path, split: str, ids: Sequence[str]) -> list[Captioned]:
    """The images of the captions `ids`, in their order, with these captions only."""
    known: dict[str, Captioned] = {}
    for year in ("val2014", "train2014") if "train" in split else ("val2014",):
        known |= _official(folder, year)
    place = {
        caption: (image.image, text) for image in known.values() for caption, text in image.captions
    }
    if lost := [caption for caption in ids if caption not in place]:
        raise InputError(
            f"{folder}: {len(lost):,} of {len(ids):,} captions of {split} are not in the official "
            f"files there, the first is {lost[0]}; get annotations/captions_*2014.json again"
        )
    captions: dict[str, list[tuple[str, str]]] = {}
    for caption in ids:
        image, text = place[caption]
        captions.setdefault(image, []).append((caption, text))
    return [known[image]._replace(captions=texts) for image, texts in captions.items()]


def _caption_ids(folder: Path, split: str) -> list[str] | None:
    """What ``coco_SPLIT_ids.npy`` lists; for the test split also the package's."""
    import numpy as np

    found: list[str] = []
    for part in split.split("+"):
        file = _first(folder, f"coco_{'dev' if part == 'val' else part}_ids.npy")
        if file is not None:
            try:
                found += [str(int(caption)) for caption in np.load(file, allow_pickle=False)]
            except (ValueError, TypeError, EOFError) as error:
                raise InputError(f"{file} is no list of caption ids ({error})") from None
        elif part == "test" and eccv.is_installed():
            found += eccv.official_order().captions
        else:
            return None
    return found


def _disorder(test: CaptionedImages) -> tuple[Problem, ...]:
    """A remark if a whole test split is not in the official order, where that is known."""
    if len(test) != SPLITS["test"] or not eccv.is_installed():
        return ()
    if test.caption_ids == eccv.official_order().captions:
        return ()
    said = (
        f"{test.folder}: the test captions are not those of the package eccv-caption, or in "
        "another order; the folds of COCO 1K are counted as they stand here"
    )
    return (Problem(str(test.folder), None, "", said, kind="order"),)


def _first(folder: Path, name: str) -> Path | None:
    places = (folder / name, folder / "annotations" / name)
    return next((file for file in places if file.is_file()), None)
