"""Triplet losses over a batch's scores: image-caption (DivE, VSE) and labelled (siamese, PAN)."""

import math
from typing import Literal

import torch
from torch import Tensor

from facetwise.losses.batches import owned, positive_scores

__all__ = ["Negatives", "batch_triplet", "pair_triplet", "triplet"]

Negatives = Literal["hardest", "sum"] | float


def triplet(
    scores: Tensor,
    owner: Tensor,
    *,
    margin: float = 0.2,
    negatives: Negatives = "hardest",
    same_image: Literal["left_out", "negative"] = "left_out",
    reduction: Literal["mean", "sum"] = "mean",
) -> Tensor:
    """Triplet loss of images against captions, both ways (DivE, VSE++; METHODS 2.6, 3.1, T-25).

    For every caption and the image it belongs to: [margin + s_neg - s_pos]_+ with the image's
    negatives among the captions, plus the same with the caption's negatives among the images; means
    over the captions, the two added.

    Args:
        scores: (B, C) similarity of B images and C captions; higher is closer.
        owner: (C,) which image each caption belongs to; images may have different numbers of
            captions.
        margin: .2 in DivE's released script.
        negatives: `"hardest"`: the one highest score. `"sum"`: the sum over all of them, VSE's
            warm-up; with the hardest from the first step on, training may stall at the collapse
            value of 2 x margin (FIELDNOTES, DivE 1). A number f in (0, 1]: the mean over the
            hardest share f of them, at least one.
        same_image: `"left_out"`: captions of one image are never each other's negatives, as in
            DivE. `"negative"`: they are, as in VSE++ and VSE-infinity, whose batches are pairs: an
            image that comes with two captions is there twice, and each of the two is a negative of
            the other's caption.
        reduction: over the captions: `"mean"`, as in DivE and PVSE, or `"sum"`, as in VSE++ and
            VSE-infinity.

    Returns:
        A scalar, float32 at least; 0 where there are no negatives (one image).

    Raises:
        ValueError: shapes or owners do not fit, or an option is not one of the above.

    >>> collapsed = torch.zeros(3, 6)
    >>> triplet(collapsed, torch.tensor([0, 0, 1, 1, 2, 2]))
    tensor(0.4000)
    """
    mine = owned(scores, owner)
    scores = scores if scores.dtype == torch.float64 else scores.float()
    if same_image == "negative":
        scores, owner = scores[owner], torch.arange(len(owner), device=owner.device)
        mine = owned(scores, owner)
    elif same_image != "left_out":
        raise ValueError(f'same_image must be "left_out" or "negative", not {same_image!r}')
    positive = positive_scores(scores, owner)
    if negatives == "sum":
        to_captions = (margin - positive.unsqueeze(1) + scores[owner]).relu()  # (C, C)
        to_images = (margin - positive + scores).relu()  # (B, C)
        image_side = to_captions.masked_fill(mine[owner], 0).sum(1)
        caption_side = to_images.masked_fill(mine, 0).sum(0)
    else:
        share = 0.0 if negatives == "hardest" else _share(negatives)
        hard, counted = _hardest(scores, mine, share)
        image_side = _mean_hinge(margin - positive.unsqueeze(1) + hard[owner], counted[owner])
        hard, counted = _hardest(scores.T, mine.T, share)
        caption_side = _mean_hinge(margin - positive.unsqueeze(1) + hard, counted)
    if reduction == "sum":
        return image_side.sum() + caption_side.sum()
    if reduction != "mean":
        raise ValueError(f'reduction must be "mean" or "sum", not {reduction!r}')
    return image_side.mean() + caption_side.mean()


def batch_triplet(
    scores: Tensor,
    labels: Tensor,
    *,
    margin: float = 0.2,
    hardest: float = 0.1,
    negatives: Tensor | None = None,
) -> Tensor:
    """Metric-learning triplet loss over a labelled batch.

    Every ordered pair (anchor, positive) of one label against the hardest share of the anchor's
    negatives: mean of [margin + s_neg - s_pos]_+ over all these triplets (FIELDNOTES, PAN 3).

    Args:
        scores: (P, P) similarity of the batch with itself, rows are anchors; higher is closer.
        labels: (P,) integers.
        margin: in units of the scores.
        hardest: share of each anchor's negatives that count, in (0, 1]; at least one.
        negatives: (P, P) bool; only these items of other labels count as an anchor's negatives.

    Returns:
        A scalar, float32 at least; 0 where no triplet exists.

    >>> labels = torch.tensor([0, 0, 1, 1])
    >>> batch_triplet(torch.eye(2).repeat_interleave(2, 0).repeat_interleave(2, 1), labels)
    tensor(0.)
    """
    p = len(scores)
    if scores.shape != (p, p) or labels.shape != (p,):
        raise ValueError(
            f"expected scores (P, P) and labels (P,), "
            f"not {tuple(scores.shape)} and {tuple(labels.shape)}"
        )
    same = labels.unsqueeze(1) == labels
    itself = torch.eye(p, dtype=torch.bool, device=scores.device)
    told = ~same if negatives is None else ~same & negatives
    return pair_triplet(scores, same & ~itself, told, margin=margin, hardest=hardest)


def pair_triplet(
    scores: Tensor,
    positives: Tensor,
    negatives: Tensor,
    *,
    types: Tensor | None = None,
    margin: float = 0.2,
    hardest: float = 0.1,
) -> Tensor:
    """Triplet loss over a batch in which any two items may be similar, unlike, or neither.

    Every ordered pair (anchor, positive) against the hardest share of the anchor's negatives: mean
    of [margin + s_neg - s_pos]_+ over all these triplets. With `types` only negatives of the
    positive's own type count, as wrong answers to "which one of these goes with the anchor?".

    Args:
        scores: (B, B) similarity of the batch with itself, rows are anchors; higher is closer.
        positives: (B, B) bool.
        negatives: (B, B) bool.
        types: (B,) integers; -1, unknown, is like none.
        margin: in units of the scores.
        hardest: share of the negatives that count, in (0, 1]; at least one.

    Returns:
        A scalar, float32 at least; 0 where no triplet exists.

    >>> scores = torch.tensor([[1.0, 0.5, 0.9, 0.5]] * 4)
    >>> first = torch.arange(4) == 0
    >>> positives = first[:, None] & torch.tensor([False, True, False, False])
    >>> negatives = first[:, None] & torch.tensor([False, False, True, True])
    >>> pair_triplet(scores, positives, negatives)  # the third item is the hardest negative
    tensor(0.6000)
    >>> pair_triplet(scores, positives, negatives, types=torch.tensor([0, 1, 0, 1]))
    tensor(0.2000)
    """
    scores = scores if scores.dtype == torch.float64 else scores.float()
    share = _share(hardest)
    anchor, positive = positives.nonzero(as_tuple=True)
    if types is None:
        hard, counted = _hardest(scores, ~negatives, share)
        hard, counted = hard[anchor], counted[anchor]
    else:
        wanted = types[positive].unsqueeze(1)
        stands_in = negatives[anchor] & (types == wanted) & (wanted >= 0)
        hard, counted = _hardest(scores[anchor], ~stands_in, share)
    triplets = _mean_hinge(margin - scores[anchor, positive].unsqueeze(1) + hard, counted)
    return triplets.sum() / counted.any(1).sum().clamp_min(1)


def _share(share: float) -> float:
    if not isinstance(share, float | int) or not 0 < share <= 1:
        raise ValueError(f'negatives must be "hardest", "sum" or a share in (0, 1], not {share!r}')
    return float(share)


def _hardest(scores: Tensor, excluded: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Each row's highest scores that are not excluded: the values (R, k) and which of them count.

    ceil(share * negatives) of a row count, at least one if it has any.
    """
    available = (~excluded).sum(1)
    wanted = (available * share - 1e-6).ceil().long().clamp_min(1).minimum(available)
    widest = math.ceil(scores.shape[1] * share - 1e-6)  # no look at `wanted`: the GPU need not wait
    hard = scores.masked_fill(excluded, float("-inf")).topk(max(1, widest)).values
    counted = torch.arange(hard.shape[1], device=scores.device) < wanted.unsqueeze(1)
    return hard.masked_fill(~counted, 0), counted


def _mean_hinge(violation: Tensor, counted: Tensor) -> Tensor:
    """Row means of [violation]_+ over what counts; 0 for rows where nothing does."""
    return violation.relu().masked_fill(~counted, 0).sum(1) / counted.sum(1).clamp_min(1)
