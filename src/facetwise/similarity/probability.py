"""Match probability: the chance that two sets mean the same, averaged over pairs of slots."""

from typing import Literal

import torch
from torch import Tensor

from facetwise.similarity.distances import squared_distances
from facetwise.similarity.sets import check_sets, slot_cosines

__all__ = ["match_probability", "pair_probabilities"]


def match_probability(
    x: Tensor,
    y: Tensor,
    *,
    scale: float | Tensor,
    shift: float | Tensor,
    distance: Literal["cosine", "euclidean"] = "cosine",
    x_mask: Tensor | None = None,
    y_mask: Tensor | None = None,
    normalized: bool = False,
) -> Tensor:
    """Mean over all pairs of slots of a sigmoid of their closeness; (N, K, D), (M, L, D) -> (N, M).

    The two papers that use it mean different things by it (METHODS T-26, T-41):

    - `"cosine"`: mean of logistic(scale * cos + shift); DivE's MP baseline has scale 1, shift 0.
    - `"euclidean"`: mean of e^u / (e^u + e^-u) = logistic(2 u) with
      u = -scale * sqrt(|z - z'|^2 + 1e-6) + shift, PCME's (METHODS 3.5); its samples are not scaled
      to length 1, so `normalized` makes no difference. Both start from 15 on COCO, 5 on CUB.

    `scale` and `shift` may be learned scalars. Masks as in `smooth_chamfer`; float32 at least.

    >>> z = torch.zeros(1, 2, 3)
    >>> round(match_probability(z, z, scale=15, shift=0, distance="euclidean").item(), 3)
    0.493
    """
    if distance == "cosine":
        c = slot_cosines(x, y, x_mask=x_mask, y_mask=y_mask, normalized=normalized)
        p = torch.sigmoid(scale * c + shift)
    elif distance == "euclidean":
        check_sets(x, y, x_mask, y_mask)
        # Not only their scores: whatever masked slots hold must not reach the gradient either.
        x = x if x_mask is None else x.masked_fill(~x_mask.unsqueeze(-1), 0)
        y = y if y_mask is None else y.masked_fill(~y_mask.unsqueeze(-1), 0)
        p = pair_probabilities(x, y, scale, shift)
    else:
        raise ValueError(f'distance must be "cosine" or "euclidean", not {distance!r}')
    if x_mask is None and y_mask is None:
        return p.mean((0, 2))
    real = torch.ones((), dtype=torch.bool, device=p.device)
    if x_mask is not None:
        real = real & x_mask.T[:, :, None, None]
    if y_mask is not None:
        real = real & y_mask.T[None, None]
    real = real.expand_as(p)
    return p.masked_fill(~real, 0).sum((0, 2)) / real.sum((0, 2))


def pair_probabilities(
    x: Tensor, y: Tensor, scale: float | Tensor, shift: float | Tensor
) -> Tensor:
    """PCME's probability that two points match, for all pairs of points of two sets.

    x: (N, K, D), y: (M, L, D) -> (K, N, L, M) of logistic(2 (shift - scale sqrt(|z - z'|^2 +
    1e-6))) in float32 at least.
    """
    (n, k, d), (m, k_y, _) = x.shape, y.shape
    squared = squared_distances(
        x.transpose(0, 1).reshape(k * n, d), y.transpose(0, 1).reshape(k_y * m, d)
    )
    return torch.sigmoid(2 * (shift - scale * (squared + 1e-6).sqrt())).view(k, n, k_y, m)
