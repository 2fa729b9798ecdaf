"""Flickr8k: 8,000 photos with five captions each, in both layouts.

Original layout: ``Flickr8k.token.txt`` (``IMAGE#N``, a tab, the caption) with
``Flickr_8k.{train,dev,test}Images.txt``. Kaggle layout: ``captions.txt`` (csv: image,caption) and
``Images/``, to which the split files have to be added. Karpathy's ``dataset_flickr8k.json`` does
for both. Source: Hodosh, Young, Hockenmaier, JAIR 2013.
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Final

from facetwise.data.benchmarks.captions import (
    Captioned,
    CaptionedImages,
    Photos,
    captioned_images,
    numbered_caption,
)
from facetwise.data.benchmarks.checks import Damage, need_file
from facetwise.data.benchmarks.karpathy import karpathy_images
from facetwise.data.benchmarks.reading import text_lines
from facetwise.data.item import Problem
from facetwise.errors import InputError

__all__ = ["SPLITS", "read"]

SPLITS: Final = {"train": 6000, "dev": 1000, "test": 1000}
PHOTOS: Final = ("Images", "Flicker8k_Dataset", "Flickr8k_Dataset", "images")
_TEXTS: Final = ("", "Flickr8k_text/")


def read(folder: Path, split: str = "test", *, allow_partial: bool = False) -> CaptionedImages:
    """Read a split: 6,000 train, 1,000 dev and 1,000 test photos.

    Caption ids are ``IMAGE#N``, N from 0 in the order of the file; both layouts give the same.

    Args:
        folder: in either layout; the text files may lie in ``Flickr8k_text/``.
        split: ``train``, ``dev`` (or ``val``) or ``test``.
        allow_partial: go on when photos or captions are missing.

    Raises:
        InputError: a file or photos are missing, or too many lines are damaged.
    """
    folder = Path(folder)
    split = "dev" if split == "val" else split
    if split not in SPLITS:
        raise InputError(f"flickr8k has no split {split!r}; there are: {', '.join(SPLITS)}")
    entries, damaged = _entries(folder, split)
    return captioned_images(
        "flickr8k",
        split,
        entries,
        Photos(folder, PHOTOS),
        published=SPLITS[split],
        damaged=damaged,
        allow_partial=allow_partial,
    )


def _entries(folder: Path, split: str) -> tuple[list[Captioned], tuple[Problem, ...]]:
    """The photos of the split file, or of Karpathy's file where there is none; damaged lines."""
    names = [f"{place}Flickr_8k.{split}Images.txt" for place in _TEXTS]
    json = folder / "dataset_flickr8k.json"
    if json.exists() and not any((folder / name).exists() for name in names):
        return karpathy_images(json, {"val" if split == "dev" else split}), ()
    about = f"the names of the {split} photos; it comes with the original layout"
    file = need_file(folder, *names, json.name, what=about)
    listed = Damage(file)
    images = [line.text.strip() for line in text_lines(file, listed)]
    captions, damage = _captions(folder)
    entries = [Captioned(image, image, _of(captions, image)) for image in images]
    return entries, (*listed.problems, *damage.problems)


def _of(captions: dict[str, dict[int, str]], image: str) -> list[tuple[str, str]]:
    numbered = sorted(captions.get(image, {}).items())
    return [(numbered_caption(image, number), text) for number, text in numbered]


def _captions(folder: Path) -> tuple[dict[str, dict[int, str]], Damage]:
    """The captions of each image by their number."""
    file = need_file(
        folder,
        *(f"{place}Flickr8k.token.txt" for place in _TEXTS),
        *(f"{place}captions.txt" for place in _TEXTS),
        what="the captions",
    )
    damage = Damage(file)
    return (_kaggle if file.name == "captions.txt" else _original)(file, damage), damage


def _original(file: Path, damage: Damage) -> dict[str, dict[int, str]]:
    """Lines ``IMAGE#N``, tab, caption."""
    found: dict[str, dict[int, str]] = {}
    for row, text in text_lines(file, damage):
        name, tab, caption = text.partition("\t")
        image, mark, number = name.rpartition("#")
        if not (tab and mark and image and number.isdecimal() and caption.strip()):
            damage.add(row, "expected IMAGE#N, a tab and a caption")
        elif int(number) in found.setdefault(image, {}):
            damage.add(row, f"{name} stands there a second time", id=name)
        else:
            found[image][int(number)] = caption.strip()
    return found


def _kaggle(file: Path, damage: Damage) -> dict[str, dict[int, str]]:
    """Lines ``image,caption`` with quoted commas.

    Each is read for itself, so that one stray quotation mark cannot swallow the lines behind it.
    """
    found: dict[str, dict[int, str]] = {}
    seen: Counter[str] = Counter()
    for row, text in text_lines(file, damage):
        if row == 1 and text.strip().lower() == "image,caption":
            continue
        try:
            image, caption = next(csv.reader([text], strict=True))
        except (csv.Error, ValueError):
            image, caption = text.partition(",")[0], ""
        if image and caption.strip():
            found.setdefault(image, {})[seen[image]] = caption.strip()
        else:
            damage.add(row, "expected an image and a caption, quoted if it has commas")
        seen[image] += 1  # a damaged caption keeps its number, so that the next ones keep theirs
    return found
