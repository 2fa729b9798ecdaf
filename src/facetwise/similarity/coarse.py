"""Scores from 8-bit integers, with a proven bound on their error: most of a ranking needs no more.

A float32 product is most of what scoring sets costs. Integers of 8 bits multiply faster, and how
far their cosines can be from the true ones is known before any is computed: with x' and y' what is
left of the unit vectors x and y after rounding,

    |x.y - x'.y'| = |(x - x').y + x'.(y - y')| <= |x - x'| + |x'| |y - y'|  (Cauchy-Schwarz).

A similarity that moves at most as much as the cosine that moves most (smooth-Chamfer, Chamfer,
max-pair, average: their gradients by the cosines are weights that sum to 1) has the same bound.
`metrics.bounded` ranks by such scores, and asks for the exact ones where they matter.
"""

import math
import warnings
from collections.abc import Callable
from typing import Final, NamedTuple

import torch
from torch import Tensor

from facetwise.similarity.sets import check_sets, fits_exponent, mean_log_sums, unit

__all__ = ["CoarseScores", "coarse_score_matrix", "has_coarse_scores"]

_SLACK: Final = 4e-6
"""For the rounding of float32 in what follows the product, exponentials included."""


class CoarseScores(NamedTuple):
    """Scores and how wrong they can be: |scores - exact| <= x_error[:, None] + y_error."""

    scores: Tensor  # (N, M) float32
    x_error: Tensor  # (N,)
    y_error: Tensor  # (M,)


def has_coarse_scores(device: torch.device | str = "cpu") -> bool:
    """Whether `coarse_score_matrix` works there: on processors for which FBGEMM is built in."""
    return torch.device(device).type == "cpu" and (
        "fbgemm" in torch.backends.quantized.supported_engines
    )


@torch.no_grad()
def coarse_score_matrix(
    x: Tensor,
    y: Tensor,
    similarity: str = "smooth_chamfer",
    *,
    alpha: float = 16.0,
    tile: int = 512,
    normalized: bool = False,
) -> CoarseScores:
    """Scores of N sets against M sets to about two decimals, in about two thirds of the time.

    Args:
        x: (N, K, D) sets, on the CPU.
        y: (M, L, D) sets.
        similarity: ``smooth_chamfer``, ``chamfer``, ``max_pair`` or ``average``.
        alpha: of smooth-Chamfer.
        tile: as in `score_matrix`.
        normalized: the rows have length 1 already.

    Raises:
        ValueError: another similarity, or shapes that do not fit.
    """
    check_sets(x, y, None, None)
    if similarity not in _REDUCTIONS:
        raise ValueError(
            f"no bound is known for {similarity!r}; there are {', '.join(_REDUCTIONS)}"
        )
    reduce = _REDUCTIONS[similarity]
    (n, k, d), (m, k_y, _) = x.shape, y.shape
    scores = torch.empty(n, m)
    x_error, y_error = torch.empty(n), torch.empty(m)
    rows = max(1, tile // 2)
    for j in range(0, m, tile):
        part = y[j : j + tile].transpose(0, 1).float()
        packed = _Packed((part if normalized else unit(part)).reshape(-1, d))
        y_error[j : j + tile] = packed.error.view(k_y, -1).amax(0)
        for i in range(0, n, rows):
            block = x[i : i + rows].transpose(0, 1).float()
            block = (block if normalized else unit(block)).reshape(-1, d)
            if j == 0:
                x_error[i : i + rows] = packed.error_of(block).view(k, -1).amax(0)
            cosines = packed.product(block).view(k, -1, k_y, part.shape[1])
            scores[i : i + rows, j : j + tile] = reduce(cosines, alpha)
    longest = 1 + x_error.max()
    return CoarseScores(scores, x_error + _SLACK, y_error * longest + _SLACK)


def _smooth_chamfer(c: Tensor, alpha: float) -> Tensor:
    if not fits_exponent(alpha, c.shape[0], c.shape[2]):
        c = c * alpha
        return (c.logsumexp(2).mean(0) + c.logsumexp(0).mean(1)) / (2 * alpha)
    return mean_log_sums(c.mul_(alpha).exp_(), alpha, None, None) / (2 * alpha)


def _chamfer(c: Tensor, alpha: float) -> Tensor:
    return (c.amax(2).mean(0) + c.amax(0).mean(1)) / 2


def _max_pair(c: Tensor, alpha: float) -> Tensor:
    return c.amax((0, 2))


def _average(c: Tensor, alpha: float) -> Tensor:
    return c.mean((0, 2))


_REDUCTIONS: Final[dict[str, Callable[[Tensor, float], Tensor]]] = {
    "smooth_chamfer": _smooth_chamfer,
    "chamfer": _chamfer,
    "max_pair": _max_pair,
    "average": _average,
}
"""(K, N, L, M) cosines, which may be overwritten, and alpha -> (N, M) scores."""


class _Packed:
    """Rows (R, D) of y in integers, and products of rows (S, D) of x with them.

    Every row has a scale of its own; y has 8 bits, x has 7: the processor adds two products in 16
    bits, which two of 8 bits and 8 can overflow.
    """

    def __init__(self, y: Tensor) -> None:
        scale = (y.abs().amax(1) / 127).clamp_min(1e-12).double()
        zeros = torch.zeros(len(y), dtype=torch.long)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch announces another home for these functions
            rounded = torch.quantize_per_channel(y, scale, zeros, 0, torch.qint8)
            self._packed = torch.ops.quantized.linear_prepack(rounded, None)
            self.error: Tensor = (rounded.dequantize() - y).norm(dim=1)  # (R,) |y - y'|

    def error_of(self, x: Tensor) -> Tensor:
        """(S, D) -> (S,) |x - x'|, what the product leaves out of x."""
        longest = x.abs().amax(1, keepdim=True).clamp_min(1e-12)
        x = x / longest
        scale, zero = torch._choose_qparams_per_tensor(x, True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rounded = torch.quantize_per_tensor(x, scale, zero, torch.quint8)
            away = (rounded.dequantize() - x).norm(dim=1)
        # A number half way between two steps may go either way: allow for its float32 rounding.
        away += scale * 2**-20 * math.sqrt(x.shape[1])
        errors: Tensor = away * longest.squeeze(1)
        return errors

    def product(self, x: Tensor) -> Tensor:
        """(S, D) -> (S, R) x' . y' in float32."""
        longest = x.abs().amax(1, keepdim=True).clamp_min(1e-12)
        out: Tensor = torch.ops.quantized.linear_dynamic(x / longest, self._packed, True)
        return out.mul_(longest)
