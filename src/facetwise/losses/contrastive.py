"""InfoNCE over a batch's score matrix, with any number of captions for each image."""

import torch
from torch import Tensor

from facetwise.losses.batches import owned, positive_scores

__all__ = ["info_nce"]


def info_nce(scores: Tensor, owner: Tensor, *, temperature: float | Tensor = 0.05) -> Tensor:
    """Contrastive cross-entropy, image to caption and caption to image, mean of the two.

    For each caption c of image i: -log e^(s_ic/T) / (e^(s_ic/T) + sum of e^(s/T) over the
    negatives), once with the captions of other images as negatives and once with the other images.
    As in `triplet`, captions of the same image are never negatives of each other: they are left out
    of the sum. With one caption for each image it is CLIP's loss.

    Args:
        scores: (B, C) similarity of B images and C captions.
        owner: (C,) which image each caption belongs to.
        temperature: T > 0, may be learned (a scalar tensor).

    Returns:
        A scalar, float32 at least.

    >>> info_nce(torch.zeros(4, 4), torch.arange(4)).exp()  # chance: one in four
    tensor(4.)
    """
    mine = owned(scores, owner)
    logits = (scores if scores.dtype == torch.float64 else scores.float()) / temperature
    positive = positive_scores(logits, owner)
    # A finite stand-in for -inf: an image may have no negatives, and its gradient must not be NaN.
    others = logits.masked_fill(mine, torch.finfo(logits.dtype).min / 2)
    image_to_caption = torch.logaddexp(positive, others.logsumexp(1)[owner]) - positive
    caption_to_image = torch.logaddexp(positive, others.logsumexp(0)) - positive
    return (image_to_caption.mean() + caption_to_image.mean()) / 2
