"""PCME's soft contrastive loss over match probabilities (METHODS 3.5)."""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from facetwise.losses.batches import owned
from facetwise.similarity.distances import squared_distances

__all__ = ["match_logits", "soft_contrastive"]


def match_logits(x: Tensor, y: Tensor, *, scale: float | Tensor, shift: float | Tensor) -> Tensor:
    """Logit of the match of every two samples, 2 (-a |z - z'| + b); their mean logistic is m.

    PCME's sigmoid e^u / (e^u + e^-u) is the logistic function of 2 u (METHODS T-41).

    Args:
        x: (B, J, D) samples of B images, not scaled to length 1.
        y: (C, L, D) samples of C texts.
        scale: a > 0; learned, from 15 on COCO and 5 on CUB.
        shift: b; likewise.

    Returns:
        (B, C, J * L), float32 at least.
    """
    (b, j, d), (c, k, _) = x.shape, y.shape
    squared = squared_distances(x.reshape(b * j, d), y.reshape(c * k, d))
    logits = 2 * (shift - scale * (squared + 1e-6).sqrt())
    return logits.view(b, j, c, k).transpose(1, 2).reshape(b, c, j * k)


def soft_contrastive(
    logits: Tensor, owner: Tensor, *, reduction: Literal["sum", "mean"] = "sum"
) -> Tensor:
    """-log m of the pairs that belong together and -log(1 - m) of all others, summed.

    m is the mean over P pairs of samples of their logistic; the mean is taken inside the logarithm
    and by log-sum-exp, so that neither log is ever of a rounded 0.

    Args:
        logits: (B, C, P) of B images and C texts, as from `match_logits`.
        owner: (C,) which image each text belongs to.
        reduction: over the B x C pairs. The paper's is the sum; weights of other terms, as VIB's
            1e-5, go with it.

    Returns:
        A scalar, float32 at least.

    Raises:
        ValueError: shapes or owners do not fit, or `reduction` is neither.

    >>> soft_contrastive(torch.zeros(1, 1, 49), torch.tensor([0]))  # m = 1/2
    tensor(0.6931)
    """
    if logits.dim() != 3 or logits.shape[2] == 0:
        raise ValueError(
            f"expected logits (B, C, P) of at least one pair of samples, not {tuple(logits.shape)}"
        )
    if reduction not in ("sum", "mean"):
        raise ValueError(f'reduction must be "sum" or "mean", not {reduction!r}')
    mine = owned(logits[..., 0], owner)
    logits = logits if logits.dtype == torch.float64 else logits.float()
    signed = logits.where(mine.unsqueeze(-1), -logits)  # 1 - logistic(l) = logistic(-l)
    each = math.log(logits.shape[2]) - F.logsigmoid(signed).logsumexp(-1)
    return each.sum() if reduction == "sum" else each.mean()
