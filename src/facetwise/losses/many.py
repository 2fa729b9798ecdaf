"""InfoNCE where a picture has many texts and a text many pictures."""

import torch
from torch import Tensor

__all__ = ["many_positives"]


def many_positives(
    scores: Tensor,
    matches: Tensor,
    *,
    temperature: float | Tensor = 0.07,
    weights: Tensor | None = None,
) -> Tensor:
    """Contrastive cross-entropy with any number of positives on both sides; mean of the two ways.

    For an image i with texts P(i): - sum_{t in P(i)} w_t log softmax_t(s_i / T) / sum_{P(i)} w_t,
    the sum *outside* the logarithm (the "out" form of supervised contrastive learning, Khosla et
    al., NeurIPS 2020): every text must be found, not only the easiest. For a text the same over its
    images; texts count by their weight. With one match in each row and column it is `info_nce` with
    one caption an image.

    Args:
        scores: (B, C) similarity of B images and C texts.
        matches: (B, C) bool, true where a text holds for an image. Rows and columns without a match
            count only as negatives.
        temperature: T > 0, may be learned (a scalar tensor).
        weights: (C,) of the texts, positive; evenly by default. A text of hundreds of images would
            else drown those of few.

    Returns:
        A scalar, float32 at least; 0 where nothing matches.

    Raises:
        ValueError: shapes do not fit.

    >>> many_positives(torch.zeros(4, 4), torch.eye(4, dtype=torch.bool)).exp()  # one in four
    tensor(4.)
    """
    if matches.shape != scores.shape:
        raise ValueError(
            f"expected matches like scores {tuple(scores.shape)}, not {tuple(matches.shape)}"
        )
    logits = (scores if scores.dtype == torch.float64 else scores.float()) / temperature
    w = logits.new_ones(scores.shape[1]) if weights is None else weights.to(logits.dtype)
    target = matches * w
    to_text = _cross_entropy(logits, target)
    has = matches.any(0)
    counted = w * has
    to_image = (_cross_entropy(logits.T, matches.T.to(logits.dtype), each=True) * counted).sum()
    return (to_text + to_image / counted.sum().clamp_min(1e-12)) / 2


def _cross_entropy(logits: Tensor, target: Tensor, *, each: bool = False) -> Tensor:
    """Of rows whose targets are scaled to sum to one; rows without any give 0."""
    total = target.sum(1)
    rows = -(target * logits.log_softmax(1)).sum(1) / total.clamp_min(1e-12)
    if each:
        return rows
    return rows.sum() / (total > 0).sum().clamp_min(1)
