"""Clothing Co-Parsing: street photos cut into the garments that one person wears together.

Garments are cut by their masks and laid on white: boxes of one photo overlap and share its
background, so that pictures cut by boxes say which photo they are of (FIELDNOTES, PAN 8).
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from PIL import Image

from facetwise.data.benchmarks.checks import check_count, need_file
from facetwise.data.benchmarks.source import files_fingerprint
from facetwise.data.images import check, decode
from facetwise.data.item import Item, Problem
from facetwise.errors import InputError

__all__ = ["LEAST", "SPLITS", "ClothingCoParsing", "Garment", "cut_out", "label_names", "read"]

SPLITS: Final[Mapping[str, range]] = MappingProxyType(
    {
        "train": range(1, 601),
        "val": range(601, 801),
        "test": range(801, 1005),
        "all": range(1, 1005),
    }
)
"""Photo numbers of each split. The data set has none; these are ours, and fixed."""

LEAST: Final = 0.002
"""Share of a photo that a garment must cover: below (one mask in ten) it is a few pixels wide."""

_NO_GARMENT: Final = ("null", "hair", "skin")
_MARGIN: Final = 0.04  # of the longer side, on all sides
_LIMIT: Final = 100  # photos that may be damaged


@dataclass(frozen=True)
class Garment:
    """One label of one photo: all its pixels together, a pair of shoes is one garment.

    Attributes:
        photo: its name, ``0001``.
        label: ``blouse``.
        number: the label's number in the masks.
        share: of the photo's pixels.
    """

    photo: str
    label: str
    number: int
    share: float

    @property
    def id(self) -> str:
        """``0001/blouse``."""
        return f"{self.photo}/{self.label}"


@dataclass(frozen=True)
class ClothingCoParsing:
    """The garments of a split, photo by photo; a Source.

    Attributes:
        split: a name of `SPLITS`.
        garments: of photos that show at least two.
        photos: how many photos those are.
        problems: photos that are missing, damaged, or show fewer than two garments.
    """

    folder: Path
    split: str
    garments: tuple[Garment, ...]
    problems: tuple[Problem, ...]

    @property
    def name(self) -> str:
        """``ccp-val``."""
        return f"ccp-{self.split}"

    @property
    def photos(self) -> int:
        """How many photos the garments are from."""
        return len({garment.photo for garment in self.garments})

    def __len__(self) -> int:
        return len(self.garments)

    def items(self) -> Iterator[Item]:
        """Each garment on white; its photo is its outfit, its label its group and its ``type``.

        Raises:
            InputError: a photo has been damaged or taken away since `read`.
        """
        last, photo, labels = "", Image.new("RGB", (1, 1)), np.zeros((1, 1), np.uint8)
        for garment in self.garments:
            if garment.photo != last:
                file = _photo_file(self.folder, garment.photo)
                if file is None:
                    raise InputError(f"{self.folder}: photo {garment.photo} is gone; put it back")
                photo = decode(file.read_bytes(), source=str(file))
                labels = _fitted(_labels(_mask_file(self.folder, garment.photo)), photo.size)
                last = garment.photo
            png = io.BytesIO()
            cut_out(photo, labels == garment.number).save(png, "PNG", compress_level=1)
            yield Item(
                id=garment.id,
                image=png.getvalue(),
                texts=(garment.label,),
                group=garment.label,
                outfits=(garment.photo,),
                split=_split_of(garment.photo),
                attributes={"type": garment.label},
                extras={"share": garment.share},
                file=f"photos/{garment.photo}.jpg",
            )

    def fingerprint(self) -> str:
        """Of the masks and photos, and of how garments are cut."""
        names = dict.fromkeys(garment.photo for garment in self.garments)
        files = [_mask_file(self.folder, name) for name in names]
        photos = [file for name in names if (file := _photo_file(self.folder, name)) is not None]
        return files_fingerprint([*files, *photos], f"ccp/1 {self.split} {LEAST} {_MARGIN}")


def read(
    folder: Path, split: str = "test", *, allow_partial: bool = False, least: float = LEAST
) -> ClothingCoParsing:
    """The garments of the photos of a split, from the data set's own folder.

    Needs ``photos/NNNN.jpg``, ``annotations/pixel-level/NNNN.mat`` (masks; of the photo's own size,
    or of the original's where the photos were scaled down) and ``label_list.mat``. The 1,094 photos
    with image-level tags have no masks and are not used. Background, skin and hair are no garments.

    Args:
        folder: of the data set.
        split: ``train`` (0001-0600), ``val`` (0601-0800), ``test`` (0801-1004) or ``all``.
        allow_partial: go on when photos or masks are missing.
        least: share of the photo that a garment must cover.

    Raises:
        InputError: no such split, nothing there, photos missing, or too many damaged.
    """
    if split not in SPLITS:
        raise InputError(f"ccp has no split {split!r}; there are {', '.join(SPLITS)}")
    folder = Path(folder)
    names = label_names(need_file(folder, "label_list.mat", what="the names of the labels"))
    need_file(folder, "annotations/pixel-level", what="masks of the photos 0001 to 1004")
    need_file(folder, "photos", what="the photos")
    wanted = [f"{number:04d}" for number in SPLITS[split]]
    there = [
        photo
        for photo in wanted
        if _mask_file(folder, photo).is_file() and _photo_file(folder, photo) is not None
    ]
    missing = check_count(
        f"photos with masks of the split {split}",
        len(there),
        len(wanted),
        where=folder,
        missing=[f"photos/{photo}.jpg" for photo in sorted({*wanted} - {*there})],
        allow_partial=allow_partial and bool(there),
    )
    problems = [] if missing is None else [missing]
    garments: list[Garment] = []
    damaged = 0
    for photo in there:
        try:
            worn = _garments(folder, photo, names, least)
        except InputError as error:
            damaged += 1
            problems.append(Problem(f"{photo}.mat", None, photo, f"{error}; skipped", "mask"))
            if damaged > _LIMIT:
                raise InputError(f"{folder} is damaged: over {_LIMIT} masks; {error}") from error
            continue
        if len(worn) < 2:
            what = f"{photo}.jpg shows {len(worn)} garment, an outfit needs two; left out"
            problems.append(Problem(f"{photo}.jpg", None, photo, what, "few"))
            continue
        garments += worn
    return ClothingCoParsing(folder, split, tuple(garments), tuple(problems))


def label_names(file: Path) -> tuple[str, ...]:
    """The label names in the order of their numbers, from ``label_list.mat``."""
    cells = _loadmat(file).get("label_list")
    if cells is None:
        raise InputError(f"{file} holds no label_list; take the data set's own file")
    return tuple(str(np.ravel(cell)[0]) for cell in np.ravel(cells))


def cut_out(photo: Image.Image, mask: np.ndarray[Any, Any]) -> Image.Image:
    """The masked pixels on white, in a square a little larger than their box.

    Args:
        photo: RGB.
        mask: (height, width) bool, with at least one true.

    >>> mask = np.zeros((8, 8), bool); mask[2:6, 3:5] = True
    >>> cut_out(Image.new("RGB", (8, 8), "red"), mask).size
    (6, 6)
    """
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, left = int(rows[0]), int(columns[0])
    bottom, right = int(rows[-1]) + 1, int(columns[-1]) + 1
    box = (left, top, right, bottom)
    longer = max(bottom - top, right - left)
    side = longer + 2 * max(1, round(_MARGIN * longer))
    square = Image.new("RGB", (side, side), "white")
    alpha = Image.fromarray(mask[top:bottom, left:right].astype(np.uint8) * 255)
    place = ((side - (right - left)) // 2, (side - (bottom - top)) // 2)
    square.paste(photo.crop(box), place, alpha)
    return square


def _garments(folder: Path, photo: str, names: tuple[str, ...], least: float) -> list[Garment]:
    file = _mask_file(folder, photo)
    labels = _labels(file)
    count = np.bincount(labels.ravel(), minlength=len(names))
    if len(count) > len(names):
        raise InputError(f"{file.name} has the label {len(count) - 1}, there are {len(names)}")
    picture = _photo_file(folder, photo)
    assert picture is not None
    _fitted(labels, check(picture.read_bytes(), source=picture.name))
    return [
        Garment(photo, names[number], number, round(int(count[number]) / labels.size, 6))
        for number in np.flatnonzero(count).tolist()
        if names[number] not in _NO_GARMENT and count[number] >= least * labels.size
    ]


def _labels(file: Path) -> np.ndarray[Any, Any]:
    """(height, width) label numbers."""
    labels = _loadmat(file).get("groundtruth")
    if not isinstance(labels, np.ndarray) or labels.ndim != 2 or labels.size == 0:
        raise InputError(f"{file.name} holds no groundtruth, an array of label numbers")
    if labels.dtype.kind not in "ui" or int(labels.min()) < 0 or int(labels.max()) > 255:
        raise InputError(f"{file.name}: groundtruth holds {labels.dtype}, expected label numbers")
    return labels.astype(np.uint8)


def _fitted(labels: np.ndarray[Any, Any], size: tuple[int, int]) -> np.ndarray[Any, Any]:
    """A mask in the photo's size: it may be of the photo before it was scaled."""
    width, height = size
    if labels.shape == (height, width):
        return labels
    stretch = (labels.shape[1] / width) / (labels.shape[0] / height)
    if not 0.95 < stretch < 1.05:
        raise InputError(
            f"the mask of {labels.shape[1]} x {labels.shape[0]} does not fit "
            f"the photo of {width} x {height}"
        )
    return np.asarray(Image.fromarray(labels).resize(size, Image.Resampling.NEAREST))


def _loadmat(file: Path) -> dict[str, Any]:
    from scipy.io import loadmat

    try:
        return dict(loadmat(file))
    except Exception as error:  # zlib's, struct's, SciPy's: whatever trips, the file is to blame
        raise InputError(f"{file.name} is no readable MATLAB file; get it again") from error


def _mask_file(folder: Path, photo: str) -> Path:
    return folder / "annotations" / "pixel-level" / f"{photo}.mat"


def _photo_file(folder: Path, photo: str) -> Path | None:
    for ending in (".jpg", ".JPG", ".jpeg", ".png"):
        file = folder / "photos" / f"{photo}{ending}"
        if file.is_file():
            return file
    return None


def _split_of(photo: str) -> str:
    number = int(photo)
    return next(name for name in ("train", "val", "test") if number in SPLITS[name])
