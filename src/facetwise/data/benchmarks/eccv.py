"""Which captions are right for which COCO photos: original, CxC and ECCV Caption (METHODS 4.8).

Five json files of ids, no texts and no photos, in the package ``eccv-caption`` (the extra
``facetwise[eccv]``) or in any folder. ECCV Caption has 1,261 image queries and 1,332 caption
queries; its README says it the other way round (trap T-34).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from facetwise.data.benchmarks.checks import check_count, need_file
from facetwise.data.benchmarks.reading import json_object
from facetwise.data.item import Problem
from facetwise.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "COUNTS",
    "CocoOrder",
    "GroundTruth",
    "ground_truth",
    "is_installed",
    "official_order",
    "packaged",
]

Kind = Literal["original", "cxc", "eccv"]

COUNTS: Final[Mapping[str, tuple[int, int, int, int]]] = MappingProxyType(
    {
        "original": (5_000, 25_000, 25_000, 25_000),
        "cxc": (5_000, 35_585, 24_972, 35_585),
        "eccv": (1_261, 22_550, 1_332, 11_279),
    }
)
"""Image queries, their pairs, caption queries, their pairs (METHODS 4.8)."""

SIXTH: Final = frozenset({"144675", "467259"})
"""Two right captions of ECCV Caption beyond the five of their image that protocols score."""


@dataclass(frozen=True)
class GroundTruth:
    """The right captions of each image query, and the right images of each caption query.

    The two need not mirror each other: ECCV Caption judged them apart.

    Attributes:
        kind: ``original``, ``cxc`` or ``eccv``.
        captions_of: image id to caption ids.
        images_of: caption id to image ids.
        problems: what is missing and was allowed to be.
    """

    kind: Kind
    captions_of: Mapping[str, tuple[str, ...]]
    images_of: Mapping[str, tuple[str, ...]]
    problems: tuple[Problem, ...] = ()

    def edges(
        self, images: Sequence[str], captions: Sequence[str], *, allow_partial: bool = False
    ) -> tuple[Tensor, Tensor]:
        """The pairs by number, as metrics take them; whatever has no pair is no query.

        Two of the published pairs of ``eccv`` can be found by nobody: their captions are not among
        the 25,000 of the test split. The official package counts them all the same, in the R of
        mAP@R and R-Precision. So they are edges here, too, with numbers from C on: infinite ranks.

        Args:
            images: (N,) ids in the order of the scores.
            captions: (C,) ids likewise.
            allow_partial: leave out pairs of which one side is not there.

        Returns:
            (E, 2) long: image, caption; and (F, 2) long: caption, image.

        Raises:
            InputError: a pair's image or caption is not there (not `allow_partial`).
        """
        i2t = _numbered(self.captions_of, images, captions, self.kind, allow_partial)
        return i2t, _numbered(self.images_of, captions, images, self.kind, allow_partial)


@dataclass(frozen=True)
class CocoOrder:
    """COCO's 5,000 test images and 25,000 captions, in the order that protocols count them in.

    Attributes:
        images: (5000,) ids.
        captions: (25000,) ids, five an image.
        owner: (25000,) the number of each caption's image.
    """

    images: tuple[str, ...]
    captions: tuple[str, ...]
    owner: tuple[int, ...]


def ground_truth(
    kind: Kind, folder: Path | None = None, *, allow_partial: bool = False
) -> GroundTruth:
    """Read ``KIND_image_to_caption.json`` and ``KIND_caption_to_image.json``.

    Args:
        kind: ``original``, ``cxc`` or ``eccv``.
        folder: that holds them; by default the one of the package ``eccv-caption``.
        allow_partial: go on when queries or pairs are missing.

    Raises:
        InputError: the package or a file is missing or damaged, or the counts differ.
    """
    if kind not in COUNTS:
        raise InputError(f"no ground truth is called {kind!r}; there are {', '.join(COUNTS)}")
    folder = packaged() if folder is None else Path(folder)
    captions_of = _ids(need_file(folder, f"{kind}_image_to_caption.json", what="right captions"))
    images_of = _ids(need_file(folder, f"{kind}_caption_to_image.json", what="right images"))
    found = (
        *(len(captions_of), sum(map(len, captions_of.values()))),
        *(len(images_of), sum(map(len, images_of.values()))),
    )
    names = ("image queries", "pairs of image queries", "caption queries", "pairs of them")
    problems = [
        check_count(f"{kind} {what}", count, published, where=folder, allow_partial=allow_partial)
        for what, count, published in zip(names, found, COUNTS[kind], strict=True)
    ]
    known = tuple(problem for problem in problems if problem)
    return GroundTruth(kind, MappingProxyType(captions_of), MappingProxyType(images_of), known)


def official_order(folder: Path | None = None) -> CocoOrder:
    """The official order: ``coco_test_ids.npy`` (caption ids), images as their captions come.

    Args:
        folder: with it and ``original_caption_to_image.json``; by default the package's.

    Raises:
        InputError: the package or a file is missing or damaged.
    """
    import numpy as np

    folder = packaged() if folder is None else Path(folder)
    file = need_file(folder, "coco_test_ids.npy", what="the captions of COCO's test split")
    image_of = _ids(need_file(folder, "original_caption_to_image.json", what="their images"))
    try:
        captions = tuple(str(int(caption)) for caption in np.load(file, allow_pickle=False))
        images = tuple(dict.fromkeys(image_of[caption][0] for caption in captions))
    except (ValueError, TypeError, KeyError, IndexError, EOFError) as error:
        raise InputError(f"{file} does not fit the captions there ({error}); get both") from None
    number = {image: place for place, image in enumerate(images)}
    return CocoOrder(images, captions, tuple(number[image_of[it][0]] for it in captions))


def is_installed() -> bool:
    """Whether the package ``eccv-caption`` is there."""
    return find_spec("eccv_caption") is not None


def packaged() -> Path:
    """The folder of the package's files; the package itself is not run.

    Raises:
        InputError: it is not installed.
    """
    found = find_spec("eccv_caption")
    if found is None or found.origin is None:
        raise InputError(
            "the ground truth of ECCV Caption and CxC is in the package eccv-caption, which is not "
            "installed; get it: pip install 'facetwise[eccv]'"
        )
    return Path(found.origin).parent / "data"


def _ids(file: Path) -> dict[str, tuple[str, ...]]:
    found = {}
    for query, answers in json_object(file).items():
        if not isinstance(answers, list) or not answers:
            raise InputError(f"{file} query {query}: expected a list of ids; get the file again")
        found[query] = tuple(dict.fromkeys(str(answer) for answer in answers))
    return found


def _numbered(
    truth: Mapping[str, tuple[str, ...]],
    queries: Sequence[str],
    answers: Sequence[str],
    kind: str,
    allow_partial: bool,
) -> Tensor:
    import torch

    query_of = {name: number for number, name in enumerate(queries)}
    answer_of = {name: number for number, name in enumerate(answers)}
    unseen = sorted(SIXTH - answer_of.keys())
    beyond = {name: len(answers) + number for number, name in enumerate(unseen)}
    pairs, lost = [], 0
    for query, right in truth.items():
        row = query_of.get(query)
        known = [] if row is None else [(row, answer_of[it]) for it in right if it in answer_of]
        if row is not None:
            known += [(row, beyond[it]) for it in right if it in beyond]
        pairs += known
        lost += len(right) - len(known)
    if lost and not allow_partial:
        raise InputError(
            f"{lost:,} of {lost + len(pairs):,} {kind} pairs are of images or captions that are "
            "not there; use the whole COCO test split, or go on with these: --allow-partial"
        )
    return torch.tensor(sorted(pairs), dtype=torch.long).reshape(-1, 2)
