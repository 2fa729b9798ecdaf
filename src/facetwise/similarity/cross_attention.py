"""Cross attention (SCAN; Lee et al., ECCV 2018): every word looks at the regions that it is about.

A caption is the set of its words, an image the set of its regions. A word is compared with a
mixture of the regions, mixed by its attention to them, and the comparisons of all words are pooled;
or the other way round. A score needs both sets at once: nothing about the attention can be computed
ahead, which is why these models rank slowly, and serve best to rank again what a faster one found
(`evaluation.rerank`).

The mixtures themselves, a vector for every pair of an image and a word, are never formed. With c
the cosines of words and regions, w the attention and G the regions' Gram matrix,

    cos(word, mixture) = sum_i w_i c_i / sqrt(w' G w).
"""

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from facetwise.similarity.sets import slot_cosines, unit

__all__ = ["Direction", "Looks", "Pooling", "cross_attention", "looks", "pool"]

Direction = Literal["t-i", "i-t"]
Pooling = Literal["lse", "avg"]

_LEAST = 1e-12  # of what is divided by


class Looks(NamedTuple):
    """What every asking element sees in the other set."""

    relevance: Tensor  # (N, L, M) cosine of element l of y_m and its mixture of x_n
    attention: Tensor  # (K, N, L, M) sums to 1 over K


def cross_attention(
    x: Tensor,
    y: Tensor,
    *,
    direction: Direction = "t-i",
    pooling: Pooling = "lse",
    lambda_1: float = 9.0,
    lambda_2: float = 6.0,
    leak: float = 0.0,
    x_mask: Tensor | None = None,
    y_mask: Tensor | None = None,
    normalized: bool = False,
) -> Tensor:
    """SCAN's similarity of images' regions x and captions' words y (METHODS 3.7).

    For "t-i", with c_ij the cosine of region i and word j and [.]+ cutting off what is below 0:

        s_ij = [c_ij]+ / sqrt(sum_j [c_ij]+^2)        over the words, for each region
        w_ij = softmax over the regions of lambda_1 s_ij
        R_j  = cos(word j, sum_i w_ij region i)
        score = log(sum_j exp(lambda_2 R_j)) / lambda_2, or the mean of the R_j

    "i-t" is the same with regions and words changing places. Not symmetric: x are the images.

    Args:
        x: (N, K, D) regions; rows are scaled to length 1.
        y: (M, L, D) words.
        direction: who looks at whom; "t-i": words at regions.
        pooling: log-sum-exp, or mean.
        lambda_1: sharpness of the attention; in the official recipes 9 for "t-i", 4 for "i-t".
        lambda_2: sharpness of the log-sum-exp; 6 for "t-i", for "i-t" 5 (Flickr30K) or 20 (COCO).
        leak: slope of the cut below 0: 0 in the paper's equation, 0.1 in the official code.
        x_mask: (N, K) bool, true where a region is real.
        y_mask: (M, L) bool.
        normalized: the rows have length 1 already.

    Returns:
        (N, M) scores in float32 (float64 for float64 input). Up to ln(L) / lambda_2 above 1 under
        the log-sum-exp, and longer captions score higher; so they do in the paper.

    Raises:
        ValueError: shapes do not fit, or an argument is out of range.

    >>> regions = torch.eye(3)[None]
    >>> word = torch.tensor([[[1.0, 0.0, 0.0]]])
    >>> round(cross_attention(regions, word, pooling="avg", lambda_1=100.0).item(), 4)
    1.0
    """
    if direction == "i-t":
        swapped = looks(y, x, lambda_1, leak, y_mask, x_mask, normalized)
        return pool(swapped.relevance, pooling, lambda_2, x_mask).T
    if direction != "t-i":
        raise ValueError(f'direction must be "t-i" or "i-t", not {direction!r}')
    seen = looks(x, y, lambda_1, leak, x_mask, y_mask, normalized)
    return pool(seen.relevance, pooling, lambda_2, y_mask)


def looks(
    x: Tensor,
    y: Tensor,
    lambda_1: float,
    leak: float,
    x_mask: Tensor | None = None,
    y_mask: Tensor | None = None,
    normalized: bool = False,
) -> Looks:
    """The elements of y (M, L, D) look at those of x (N, K, D); arguments as above."""
    if not lambda_1 > 0:
        raise ValueError(f"lambda_1 must be positive, not {lambda_1}")
    if not 0 <= leak < 1:
        raise ValueError(f"leak must be from 0 to below 1, not {leak}")
    c = slot_cosines(x, y, x_mask=x_mask, y_mask=y_mask, normalized=normalized)  # (K, N, L, M)
    # What is masked has cosine 0 here: it adds nothing to the lengths that are divided by.
    heard = F.leaky_relu(c, leak)
    heard = heard * (lambda_1 / heard.square().sum(2, keepdim=True).clamp_min(_LEAST**2).sqrt())
    if x_mask is not None:
        heard = heard.masked_fill(~x_mask.T[:, :, None, None], float("-inf"))
    w = heard.softmax(0)
    k, n, k_y, m = w.shape
    per_image = w.transpose(0, 1).reshape(n, k, k_y * m)
    gram = _gram(x, x_mask, normalized, c.dtype)
    with torch.autocast(x.device.type, enabled=False):
        squared = (per_image * torch.bmm(gram, per_image)).sum(1)
    lengths = squared.view(n, k_y, m).clamp_min(_LEAST).sqrt()
    return Looks((w * c).sum(0) / lengths, w)


def pool(relevance: Tensor, pooling: Pooling, lambda_2: float, mask: Tensor | None) -> Tensor:
    """R (N, L, M) of the asking elements, mask (M, L) -> (N, M)."""
    if pooling == "avg":
        if mask is None:
            return relevance.mean(1)
        real = mask.T[None]
        return relevance.masked_fill(~real, 0).sum(1) / real.sum(1)
    if pooling != "lse":
        raise ValueError(f'pooling must be "lse" or "avg", not {pooling!r}')
    if not lambda_2 > 0:
        raise ValueError(f"lambda_2 must be positive, not {lambda_2}")
    if mask is not None:
        relevance = relevance.masked_fill(~mask.T[None], float("-inf"))
    return (lambda_2 * relevance).logsumexp(1) / lambda_2


def _gram(x: Tensor, mask: Tensor | None, normalized: bool, dtype: torch.dtype) -> Tensor:
    """(N, K, K) cosines of the elements of each set with each other."""
    if mask is not None:
        x = x.masked_fill(~mask.unsqueeze(-1), 0)
    x = x if normalized else unit(x)
    return torch.bmm(x, x.transpose(1, 2)).to(dtype)
