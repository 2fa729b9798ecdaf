"""Pre-computed regions of the SCAN family (METHODS 4.7, trap T-31).

``SPLIT_ims.npy`` (rows, regions, width), ``SPLIT_caps.txt`` with five lines an image and
``SPLIT_ids.txt``. The arrays of dev, test and testall hold every image five times, those of train
once; which it is shows from the counts, and is checked on the rows themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from facetwise.data.benchmarks.checks import check_count, need_file
from facetwise.data.benchmarks.source import files_fingerprint
from facetwise.data.item import Item, Problem
from facetwise.data.regions import card, open_regions, region_extras
from facetwise.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["COUNTS", "CaptionedRegions", "read"]

PER_IMAGE: Final = 5
DEV_CAPTIONS: Final = 5_000
"""Validation is cut to these, as in DivE and VSE-infinity."""

_SPLITS: Final = {"train": "train", "dev": "val", "test": "test", "testall": "test"}

COUNTS: Final = {
    "coco": {"train": 113_287, "dev": 1_000, "test": 1_000, "testall": 5_000},
    "f30k": {"train": 29_000, "dev": 1_000, "test": 1_000},
}


@dataclass(frozen=True)
class CaptionedRegions:
    """N images as sets of regions, and their 5 N captions; a `Source`.

    Attributes:
        name: ``coco_precomp-testall``: folder and split.
        split: as asked for.
        folder: where it was read from.
        images: (N,) ids, unique.
        captions: (5 N,) texts in image order.
        caption_ids: (5 N,) ``IMAGE#N``.
        owner: (5 N,) the number of each caption's image.
        array: (rows, R, D) float32, mapped from the disk, perhaps with every image five times.
        step: rows from one image to the next: 5 or 1.
        problems: what is missing and was allowed to be.
    """

    name: str
    split: str
    folder: Path
    images: tuple[str, ...]
    captions: tuple[str, ...]
    caption_ids: tuple[str, ...]
    owner: tuple[int, ...]
    array: NDArray[np.float32]
    step: int
    problems: tuple[Problem, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    @property
    def regions(self) -> NDArray[np.float32]:
        """(N, R, D) the regions of each image, still on the disk."""
        return self.array[:: self.step][: len(self)]

    def items(self) -> Iterator[Item]:
        """An item an image: a card for a picture, and where its regions are."""
        file = self.folder / f"{self.split}_ims.npy"
        for number, (image, regions) in enumerate(zip(self.images, self.regions, strict=True)):
            yield Item(
                image,
                card(image, regions),
                self.captions[PER_IMAGE * number : PER_IMAGE * (number + 1)],
                split=_SPLITS[self.split],
                extras=region_extras(file, number * self.step),
                file=str(file),
            )

    def fingerprint(self) -> str:
        """Another one when a file has changed, or lies elsewhere: items say where it is."""
        files = [self.folder / f"{self.split}_{end}" for end in ("ims.npy", "caps.txt", "ids.txt")]
        return files_fingerprint(files, self.name, str(self.folder.resolve()))


def read(folder: Path, split: str = "test", *, allow_partial: bool = False) -> CaptionedRegions:
    """Read a split; the regions stay on the disk until they are used.

    Counts are checked where the folder's name says which data set it is (``coco_precomp``,
    ``f30k_precomp``).

    Args:
        folder: of one data set.
        split: ``train``, ``dev`` (or ``val``; its first 5,000 captions), ``test``, ``testall``
            (COCO's 5,000 images, of which ``test`` is the first 1,000).
        allow_partial: go on when the published count is not reached.

    Raises:
        InputError: a file is missing or damaged, or the files do not fit together.
    """
    folder = Path(folder)
    split = "dev" if split == "val" else split
    if split not in COUNTS["coco"]:
        raise InputError(f"precomp has no split {split!r}; there are: {', '.join(COUNTS['coco'])}")
    captions = _lines(need_file(folder, f"{split}_caps.txt", what="five captions an image"))
    file = need_file(folder, f"{split}_ims.npy", what="regions of the images")
    array = open_regions(file)
    step = _step(file, array, len(captions))
    ids = _image_ids(folder / f"{split}_ids.txt", len(array), step)
    if split == "dev":
        captions = captions[:DEV_CAPTIONS]
    images = ids[: len(captions) // PER_IMAGE]
    data_set = next((name for name in COUNTS if name in folder.resolve().name.lower()), None)
    published = COUNTS[data_set].get(split) if data_set else None
    problem = check_count(
        f"{split} images",
        len(images),
        published or len(images),
        where=folder,
        allow_partial=allow_partial,
    )
    return CaptionedRegions(
        name=f"{folder.resolve().name}-{split}",
        split=split,
        folder=folder,
        images=images,
        captions=captions,
        caption_ids=tuple(f"{image}#{number}" for image in images for number in range(PER_IMAGE)),
        owner=tuple(number // PER_IMAGE for number in range(len(captions))),
        array=array,
        step=step,
        problems=(problem,) if problem else (),
    )


def _lines(file: Path) -> tuple[str, ...]:
    """All lines, blank ones too: a line's place is what ties it to its image."""
    try:
        text = file.read_bytes().removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is no UTF-8 text ({error}); get it again") from None
    return tuple(line.strip() for line in text.removesuffix("\n").split("\n")) if text else ()


def _step(file: Path, array: Any, captions: int) -> int:
    """5 if every image stands five times in the array, else 1."""
    rows = len(array)
    if captions == rows * PER_IMAGE:
        return 1
    if captions != rows or rows % PER_IMAGE:
        raise InputError(
            f"{file} has {rows:,} rows and there are {captions:,} captions; expected as many, or "
            "five for each row"
        )
    # From the whole length, but few: the file may have 7 GB.
    some = sorted({image * (rows // PER_IMAGE - 1) // 15 * PER_IMAGE for image in range(16)})
    if any((array[at : at + PER_IMAGE] != array[at]).any() for at in some):
        raise InputError(
            f"{file} has as many rows as there are captions, but they are not five copies of each "
            "image; expected five captions an image (trap T-31)"
        )
    return PER_IMAGE


def _image_ids(file: Path, rows: int, step: int) -> tuple[str, ...]:
    """An id an image; the row's number where the file is missing or does not tell them apart."""
    count = rows // step
    ids = _lines(file) if file.exists() else ()
    if len(ids) not in (0, count, count * PER_IMAGE):
        raise InputError(
            f"{file} has {len(ids):,} lines, expected one for each of {count:,} images, or five"
        )
    ids = ids[:: len(ids) // count] if ids else ()
    return ids if len(set(ids)) == count else tuple(str(number) for number in range(count))
