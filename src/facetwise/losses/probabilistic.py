"""PCME++'s matching loss: each pair's binary cross-entropy, with pseudo-positives (METHODS 3.6)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from facetwise.losses.batches import owned

__all__ = ["mixed_targets", "pair_bce"]


def pair_bce(
    logits: Tensor,
    owner: Tensor,
    *,
    targets: Tensor | None = None,
    pseudo: float = 0.1,
    smoothing: float = 1e-4,
) -> Tensor:
    """2 BCE over all pairs, plus `pseudo` times the BCE with pseudo-positives, both directions.

    A text that scores at least as high with an image as the image's own text does is a
    pseudo-positive of it: more likely a right text that nobody wrote down than a wrong one. It
    takes over the label of the pair that it beats. For each text c and its image, the texts' labels
    are judged against logit c; for each text, so are the images' labels. Where images have one text
    each, as in the paper, these are rows and columns of one square matrix.

    Args:
        logits: (B, C) of B images and C texts: -a CSD + b, with a and b learned from 5 and 5.
        owner: (C,) which image each text belongs to.
        targets: (B, C) labels in [0, 1] in the place of 0 and 1, as from `mixed_targets`. The pair
            of text c is then the one with its highest label.
        pseudo: weight of the second term; .1 in the paper.
        smoothing: labels t become t (1 - 2 e) + e; e is 1e-4 in the paper.

    Returns:
        A scalar, float32 at least.

    Raises:
        ValueError: shapes or owners do not fit.

    >>> pair_bce(torch.zeros(2, 2), torch.arange(2), pseudo=0)  # 2 log 2, whatever the labels
    tensor(1.3863)
    """
    mine = owned(logits, owner)
    logits = logits if logits.dtype == torch.float64 else logits.float()
    if targets is None:
        labels, image = mine.to(logits.dtype), owner
    else:
        if targets.shape != logits.shape:
            raise ValueError(f"targets must be {tuple(logits.shape)}, not {tuple(targets.shape)}")
        labels = targets.to(logits.dtype)
        image = labels.argmax(0)
    loss = 2 * _cross_entropy(logits, labels, smoothing)
    if pseudo == 0:
        return loss
    with torch.no_grad():  # what counts as a positive is no way to lower the loss
        positive = logits.gather(0, image.unsqueeze(0))  # (1, C)
        label = labels.gather(0, image.unsqueeze(0))
        among_texts = labels[image].maximum(label.T * (logits[image] >= positive.T))  # (C, C)
        among_images = labels.maximum(label * (logits >= positive))  # (B, C)
    second = _cross_entropy(logits[image], among_texts, smoothing)
    return loss + pseudo * (second + _cross_entropy(logits, among_images, smoothing))


def mixed_targets(mine: Tensor, partner: Tensor, share: float | Tensor) -> Tensor:
    """Labels of images that were mixed (MixUp, CutMix): lambda of their own, 1 - lambda of another.

    Args:
        mine: (B, C) bool: text c belongs to image b, before mixing.
        partner: (B,) the image that each one was mixed with.
        share: lambda in [0, 1], what is left of the image itself: a number, or (B,).

    Returns:
        (B, C) float32.

    >>> mixed_targets(torch.eye(2, dtype=torch.bool), torch.tensor([1, 1]), 0.75)
    tensor([[0.7500, 0.2500],
            [0.0000, 1.0000]])
    """
    if mine.dim() != 2 or partner.shape != mine.shape[:1]:
        raise ValueError(
            f"expected mine (B, C) and partner (B,), "
            f"not {tuple(mine.shape)} and {tuple(partner.shape)}"
        )
    lam = torch.as_tensor(share, dtype=torch.float32, device=mine.device).reshape(-1, 1)
    own = mine.float()
    return lam * own + (1 - lam) * own[partner]


def _cross_entropy(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    smooth = labels * (1 - 2 * smoothing) + smoothing
    return F.binary_cross_entropy_with_logits(logits, smooth)
