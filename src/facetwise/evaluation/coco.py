"""COCO's two protocols: five folds of 1,000 images, and all 5,000 (METHODS 2.8, 4.5, 5)."""

from __future__ import annotations

import torch
from torch import Tensor

from facetwise.errors import InputError
from facetwise.evaluation.answers import Answers
from facetwise.evaluation.both_ways import BothWays
from facetwise.evaluation.image_text import ImageText, Scored, measured, summarised
from facetwise.metrics import Ties
from facetwise.metrics.positives import Positives

__all__ = ["FOLD", "coco_1k", "coco_5k"]

FOLD = 1000
"""Images of a fold, consecutive in test order."""


def coco_5k(what: Scored, owner: Tensor, *, ties: Ties = "pessimistic", seed: int = 0) -> ImageText:
    """All images against all captions; also Flickr30K's and Flickr8k's protocol.

    Args:
        what: of B images and C captions.
        owner: (C,) int64, the image that each caption belongs to.
        ties: who stands first among equals.
        seed: of the bootstrap.
    """
    return measured(what, _positives(what.answers, owner), ties=ties, seed=seed)


def coco_1k(
    what: Scored,
    owner: Tensor,
    *,
    ties: Ties = "pessimistic",
    seed: int = 0,
    fold: int = FOLD,
) -> ImageText:
    """Means over folds of consecutive images, each ranked with its own captions alone.

    Nothing is scored again: a fold is a block of the matrix, or of whole rankings.

    Args:
        what: of B images in test order and C captions in their images' order.
        owner: (C,) int64, the image that each caption belongs to.
        ties: who stands first among equals.
        seed: of the bootstrap.
        fold: how many images make one; the last may have fewer, where photos are missing.

    Returns:
        Recalls and median ranks are means over the folds; `rsum_se` is over all images.

    Raises:
        InputError: captions are not in their images' order, or a ranking was cut short (T-35).

    >>> from facetwise.evaluation.answers import Matrix
    >>> coco_1k(Scored(Matrix(torch.eye(6))), torch.arange(6), fold=2).folds
    (600.0, 600.0, 600.0)
    """
    positives = _positives(what.answers, owner)
    if bool((owner.diff() < 0).any()):
        raise InputError(
            "COCO 1K's folds are consecutive images with their captions: captions must stand in "
            "the order of their images"
        )
    images = what.answers.images
    ends = torch.arange(0, images + fold, fold).clamp_max(images)
    bounds = torch.searchsorted(owner, ends).tolist()
    folds = [
        (range(first, last), range(bounds[n], bounds[n + 1]))
        for n, (first, last) in enumerate(zip(ends.tolist(), ends.tolist()[1:], strict=False))
    ]

    def parts(answers: Answers) -> list[BothWays]:
        return [BothWays.of(answers.block(*one), positives.block(*one), ties) for one in folds]

    control = None if what.control is None else parts(what.control)
    return summarised(parts(what.answers), control, what.variance, seed=seed)


def _positives(answers: Answers, owner: Tensor) -> Positives:
    if len(owner) != answers.texts:
        raise InputError(f"{answers.texts:,} captions are scored, {len(owner):,} have an owner")
    if len(owner) and int(owner.max()) >= answers.images:
        raise InputError(f"a caption belongs to image {int(owner.max())} of {answers.images}")
    return Positives.of_owner(owner, answers.images)
