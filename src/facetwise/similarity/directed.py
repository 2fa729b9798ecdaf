"""Half of smooth-Chamfer: every element of the text must be found in the image, not the reverse.

A picture holds more than any of its texts says. Smooth-Chamfer asks the picture's K elements to be
found in the text as well; where the text is one element, that half is the mean of K cosines, the
score of the mean vector, and pulls all elements onto the text: the set collapses in function.
"""

from __future__ import annotations

import torch
from torch import Tensor

from facetwise.similarity.sets import slot_cosines

__all__ = ["directed_smooth_chamfer"]


def directed_smooth_chamfer(
    x: Tensor,
    y: Tensor,
    *,
    alpha: float = 16.0,
    x_mask: Tensor | None = None,
    y_mask: Tensor | None = None,
    normalized: bool = False,
) -> Tensor:
    """The texts' half of `smooth_chamfer`; images x (N, K, D), texts y (M, L, D) -> (N, M).

    s(X, Y) = 1/(alpha |Y|) sum_y LSE_x alpha c(x, y)

    Ours; the two halves of METHODS 2.5 weigh alike in the paper. Smooth-Chamfer is the mean of this
    and of the same with images and texts in each other's places. Blind to the order of elements;
    for |X| = |Y| = 1 the cosine; tends to the mean over y of the best cosine for large alpha (the
    gap is at most ln|X| / alpha). Adding an element to an image never lowers a score.

    Args:
        x: (N, K, D) sets; rows are scaled to length 1.
        y: (M, L, D) sets.
        alpha: sharpness.
        x_mask: (N, K) bool, true where an element is real.
        y_mask: (M, L) bool.
        normalized: the rows have length 1 already.

    Raises:
        ValueError: shapes do not fit, a set has no real element, or alpha is not positive.

    >>> image = torch.eye(2)[None]  # it holds two things
    >>> text = torch.eye(2)[:, None]  # each text says one of them
    >>> directed_smooth_chamfer(image, text, alpha=100.0)
    tensor([[1., 1.]])
    """
    if not alpha > 0:
        raise ValueError(f"alpha must be positive, not {alpha}")
    c = alpha * slot_cosines(x, y, x_mask=x_mask, y_mask=y_mask, normalized=normalized)
    if x_mask is not None:
        c = c.masked_fill(~x_mask.T[:, :, None, None], float("-inf"))
    of_y = c.logsumexp(0)  # (N, L, M)
    if y_mask is None:
        return of_y.mean(1) / alpha
    real = y_mask.T[None].to(of_y.dtype)  # (1, L, M)
    return torch.where(y_mask.T[None], of_y, 0).sum(1) / (alpha * real.sum(1))
