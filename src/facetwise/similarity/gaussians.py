"""Similarities of Gaussians: an image or a caption as a mean and a spread (PCME, PCME++).

A Gaussian with independent dimensions is stored as a set of two rows, (2, D): its mean mu, and the
logarithm of its spread, which is log sigma for PCME and log sigma^2 for PCME++ (METHODS T-42).
Neither row is scaled to length 1 here: the models see to the means.
"""

from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from facetwise.similarity.distances import squared_distances
from facetwise.similarity.probability import pair_probabilities

__all__ = ["fixed_draws", "gaussian_match", "sampled_distance"]

_LARGEST = 30.0  # squares of exp(30) still add up in float32


def sampled_distance(
    x: Tensor,
    y: Tensor,
    *,
    x_mask: Tensor | None = None,
    y_mask: Tensor | None = None,
    normalized: bool = False,
) -> Tensor:
    """PCME++'s closed-form sampled distance, negative so that higher is more alike (METHODS 3.6).

    -CSD = -|mu - mu'|^2 - sum(sigma^2 + sigma'^2), the mean of -|z - z'|^2 over samples z and z'.

    Args:
        x: (N, 2, D) rows mu and log sigma^2.
        y: (M, 2, D).
        x_mask, y_mask, normalized: make no difference; both rows always count as they are.

    Returns:
        (N, M) in float32 (float64 for float64 input), at most 0.

    Raises:
        ValueError: these are no (N, 2, D) and (M, 2, D).

    >>> one = torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])  # variance 1 in both dimensions
    >>> sampled_distance(one, one)
    tensor([[-4.]])
    """
    (mu, spread), (mu_y, spread_y) = _rows(x), _rows(y)
    total = spread.exp().sum(1, keepdim=True) + spread_y.exp().sum(1)
    return -(squared_distances(mu, mu_y) + total)


def gaussian_match(
    x: Tensor,
    y: Tensor,
    *,
    how: Literal["probability", "inner"] = "probability",
    scale: float = 15.0,
    shift: float = 15.0,
    samples: int = 7,
    seed: int = 0,
    x_mask: Tensor | None = None,
    y_mask: Tensor | None = None,
    normalized: bool = False,
) -> Tensor:
    """PCME's match probability of two Gaussians, or their mean inner product (METHODS 3.5).

    - `"probability"`: mean of sig(-scale |z - z'| + shift) over samples z of x and z' of y, with
      sig(u) = e^u / (e^u + e^-u) = logistic(2 u) and 1e-6 inside the square root.
    - `"inner"`: mean of z . z' over all samples, which is mu . mu'. PCME's own code ranks by J^2
      times an estimate of this, not by the probability that it trains (T-41).

    The samples are mu + sigma eps_j with the same eps_1 .. eps_J for every Gaussian (common random
    numbers): scores do not change from call to call, with the tile, or with the order of x and y,
    and two Gaussians are compared by their parameters, not by the luck of their draws. The two
    samples of a pair must be independent, so pairs with j = j' are left out: J (J - 1) remain of
    the paper's J^2.

    Args:
        x: (N, 2, D) rows mu and log sigma.
        y: (M, 2, D).
        how: see above.
        scale, shift: learned in training, from 15 on COCO and from 5 on CUB.
        samples: J, at least 2.
        seed: of the draws.
        x_mask, y_mask, normalized: make no difference; both rows always count as they are.

    Returns:
        (N, M) in float32 (float64 for float64 input).

    Raises:
        ValueError: shapes do not fit, or an argument is out of range.

    >>> sure = torch.tensor([[[1.0, 0.0], [-20.0, -20.0]]])  # all but a point
    >>> round(gaussian_match(sure, sure, shift=0.0).item(), 3)
    0.493
    """
    (mu, spread), (mu_y, spread_y) = _rows(x), _rows(y)
    if how == "inner":
        return mu @ mu_y.T
    if how != "probability":
        raise ValueError(f'how must be "probability" or "inner", not {how!r}')
    if samples < 2:
        raise ValueError(f"samples must be at least 2, not {samples}")
    eps = fixed_draws(samples, mu.shape[1], seed).to(mu)
    z = mu[:, None] + spread.exp()[:, None] * eps  # (N, J, D)
    z_y = mu_y[:, None] + spread_y.exp()[:, None] * eps
    p = pair_probabilities(z, z_y, scale, shift)  # (J, N, J, M)
    own = p.diagonal(dim1=0, dim2=2).sum(-1)
    return (p.sum((0, 2)) - own) / (samples * (samples - 1))


@lru_cache(maxsize=8)
def fixed_draws(samples: int, dim: int, seed: int) -> Tensor:
    """(J, D) standard normal numbers in float64, the same ones for the same arguments.

    NumPy draws them: PyTorch's generators cannot be used inside `vmap`, where `score_pairs` calls.
    """
    from numpy.random import default_rng

    return torch.from_numpy(default_rng(seed).standard_normal((samples, dim)))


def _rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """The mean and the logarithmic spread, (N, D) each, in float32 at least."""
    if x.dim() != 3 or x.shape[1] != 2:
        raise ValueError(
            f"Gaussians must be (N, 2, D), rows mean and log spread, not {tuple(x.shape)}"
        )
    x = x if x.dtype == torch.float64 else x.float()
    return x[:, 0], x[:, 1].clamp_max(_LARGEST)
