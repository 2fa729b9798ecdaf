"""COCO 1K: five folds of 1,000 images, ranked within the one 5K score matrix (METHODS 2.8, 5)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from facetwise.metrics.places import Places
from facetwise.metrics.positives import Positives, first_places

__all__ = ["Fold", "fold_places", "folds_of"]


class Fold(NamedTuple):
    """Images that are ranked with their own captions only."""

    images: range
    captions: range


def folds_of(owner: Tensor, images: int, *, size: int = 1000) -> tuple[Fold, ...]:
    """Cut images into folds of `size` consecutive ones, each with its own captions.

    Args:
        owner: (C,) int64 which image each caption belongs to, not decreasing.
        images: how many there are.
        size: how many images make a fold.

    Raises:
        ValueError: captions do not stand in the order of their images, or the folds are not all
        of one size, in images or captions: then the mean of folds is not the mean of queries.

    >>> folds_of(torch.tensor([0, 0, 1, 1]), 2, size=1)
    (Fold(images=range(0, 1), captions=range(0, 2)), Fold(images=range(1, 2), captions=range(2, 4)))
    """
    if size < 1 or images < size or images % size:
        raise ValueError(f"{images} images cannot be cut into folds of {size}")
    if owner.dim() != 1 or owner.dtype != torch.long or bool((owner.diff() < 0).any()):
        raise ValueError("owner must be (C,) int64 and captions stand in their images' order")
    ends = torch.arange(0, images + 1, size, device=owner.device)
    bounds = torch.searchsorted(owner, ends).tolist()
    folds = [
        Fold(range(n * size, (n + 1) * size), range(bounds[n], bounds[n + 1]))
        for n in range(images // size)
    ]
    if len({len(fold.captions) for fold in folds}) != 1 or bounds[-1] != len(owner):
        raise ValueError("the folds have different numbers of captions: keep five an image")
    return tuple(folds)


def fold_places(scores: Tensor, owner: Tensor, *, size: int = 1000) -> tuple[Places, Places]:
    """Where the first right answer stands within each fold; nothing is scored or sorted again.

    Args:
        scores: (B, C) of all images and captions, higher is better.
        owner: (C,) int64 which image each caption belongs to, not decreasing.
        size: how many images make a fold: COCO's 5,000 in five.

    Returns:
        Places of the B images (asking for captions) and of the C captions (asking for their
        image). Folds are of equal size, so a mean over all queries is the mean of the folds'.

    Raises:
        ValueError: as `folds_of` and `first_places`.

    >>> images, captions = fold_places(torch.eye(4), torch.arange(4), size=2)
    >>> captions.ranks().tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    folds = folds_of(owner, len(scores), size=size)
    asked = Positives.of_owner(owner, len(scores))
    both: tuple[list[Places], list[Places]] = ([], [])
    for images, captions in folds:
        own = asked.block(images, captions)
        block = scores[images.start : images.stop, captions.start : captions.stop]
        both[0].append(first_places(block, own))
        both[1].append(first_places(block.T, own.flipped(len(captions))))
    return _joined(both[0]), _joined(both[1])


def _joined(parts: list[Places]) -> Places:
    return Places(
        torch.cat([part.better for part in parts]),
        torch.cat([part.tied_others for part in parts]),
        torch.cat([part.tied_relevant for part in parts]),
    )
