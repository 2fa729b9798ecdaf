"""Similarities of two embedding sets: smooth-Chamfer and the three it is measured against.

An embedding set is a `(K, D)` tensor of unit vectors. Every function here takes `N` sets and `M`
sets and returns the `(N, M)` scores; all of them are reductions of the same slot-by-slot cosines
(`slot_cosines`), so a new similarity is one function here and one line in `named.SIMILARITIES`.

These functions hold all `N x M x K x L` cosines at once, which is what a loss needs; to score
thousands against thousands use `score_matrix`.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor
from torch._C._functorch import is_batchedtensor

__all__ = [
    "average",
    "chamfer",
    "check_sets",
    "fits_exponent",
    "max_pair",
    "mean_log_sums",
    "mean_vectors",
    "slot_cosines",
    "smooth_chamfer",
    "unit",
]

_LARGEST_EXPONENT = 80.0  # exp(80) and exp(-80) are normal float32 numbers


def unit(x: Tensor) -> Tensor:
    """Scale the vectors along the last dimension to length 1, measured in float32 at least."""
    wide = x if x.dtype == torch.float64 else x.float()
    return F.normalize(wide, dim=-1).to(x.dtype)


def slot_cosines(
    x: Tensor,
    y: Tensor,
    *,
    x_mask: Tensor | None = None,
    y_mask: Tensor | None = None,
    normalized: bool = False,
    scale: float = 1.0,
) -> Tensor:
    """Cosines of every slot of every x with every slot of every y, slot-major.

    x: (N, K, D), y: (M, L, D), x_mask: (N, K) bool, y_mask: (M, L) bool -> (K, N, L, M) in float32
    (float64 for float64). Slots first, so that reductions over slots run along whole rows of items;
    a tensor stored as (K, N, D) and passed as `stored.transpose(0, 1)` is used without a copy.

    The product runs in the inputs' precision, what follows in float32: `exp(16 cos)` overflows
    float16 for cosines above .69 (METHODS T-23). Masked slots may hold anything, NaN included.

    `normalized=True` says that the vectors have length 1 already, and skips seeing to it. `scale`
    multiplies the cosines at the price of multiplying x.
    """
    check_sets(x, y, x_mask, y_mask)
    dtype = torch.promote_types(x.dtype, y.dtype)
    x, y = x.to(dtype), y.to(dtype)
    if x_mask is not None:
        x = x.masked_fill(~x_mask.unsqueeze(-1), 0)
    if y_mask is not None:
        y = y.masked_fill(~y_mask.unsqueeze(-1), 0)
    if not normalized:
        x, y = unit(x), unit(y)
    if scale != 1:
        x = x * scale
    (n, k, d), (m, k_y, _) = x.shape, y.shape
    cosines = x.transpose(0, 1).reshape(k * n, d) @ y.transpose(0, 1).reshape(k_y * m, d).T
    cosines = cosines.view(k, n, k_y, m)
    return cosines if dtype == torch.float64 else cosines.float()


def smooth_chamfer(
    x: Tensor,
    y: Tensor,
    *,
    alpha: float = 16.0,
    x_mask: Tensor | None = None,
    y_mask: Tensor | None = None,
    normalized: bool = False,
) -> Tensor:
    """Smooth-Chamfer similarity of embedding sets (DivE; METHODS 2.5).

    s(X, Y) = 1/(2 alpha |X|) sum_x LSE_y alpha c(x, y) + 1/(2 alpha |Y|) sum_y LSE_x alpha c(x, y)

    with c the cosine and LSE the log of the *sum* of exponentials. Symmetric, blind to the order of
    the slots, tends to `chamfer` for large alpha (the gap is at most ln(max(K, L)) / alpha), and is
    the cosine for K = L = 1. Its range is not [-1, 1]: two sets of K identical vectors score
    1 + ln(K)/alpha, the same offset for all pairs while K is fixed.

    Args:
        x: (N, K, D) sets; rows are scaled to length 1.
        y: (M, L, D) sets.
        alpha: sharpness; 16 in DivE's released recipe.
        x_mask: (N, K) bool, true where a slot is real; others are as good as not there.
        y_mask: (M, L) bool.
        normalized: the rows have length 1 already; nothing is done about it.

    Returns:
        (N, M) scores, in float32 for half-precision input.

    Raises:
        ValueError: shapes do not fit, a set has no real slot, or alpha is not positive.

    >>> one = torch.tensor([[[3.0, 4.0]]])
    >>> round(smooth_chamfer(one, torch.tensor([[[1.0, 0.0]]])).item(), 4)  # K = 1: the cosine
    0.6
    >>> four = one.expand(1, 4, 2)
    >>> round(smooth_chamfer(four, four).item(), 4)  # 1 + ln(4)/16
    1.0866
    """
    if not alpha > 0:
        raise ValueError(f"alpha must be positive, not {alpha}")
    half = torch.promote_types(x.dtype, y.dtype).itemsize < 4  # alpha c would lose bits there
    c = slot_cosines(
        x,
        y,
        x_mask=x_mask,
        y_mask=y_mask,
        normalized=normalized,
        scale=1.0 if half else alpha,
    )
    c = alpha * c if half else c
    if c.requires_grad or not fits_exponent(alpha, c.shape[0], c.shape[2]):
        of_x = _hide(c, y_mask, 2).logsumexp(2)  # (K, N, M)
        of_y = _hide(c, x_mask, 0).logsumexp(0)  # (N, L, M)
        total = _mean_slots(of_x, x_mask, 0) + _mean_slots(of_y, y_mask, 1)
    else:
        total = mean_log_sums(c.exp_(), alpha, x_mask, y_mask)
    return total / (2 * alpha)


def chamfer(
    x: Tensor,
    y: Tensor,
    *,
    x_mask: Tensor | None = None,
    y_mask: Tensor | None = None,
    normalized: bool = False,
) -> Tensor:
    """Chamfer similarity: every slot's best cosine in the other set, mean over both directions.

    x: (N, K, D), y: (M, L, D) -> (N, M); masks and `normalized` as in `smooth_chamfer`. METHODS
        2.5.
    """
    c = slot_cosines(x, y, x_mask=x_mask, y_mask=y_mask, normalized=normalized)
    of_x = _hide(c, y_mask, 2).amax(2)
    of_y = _hide(c, x_mask, 0).amax(0)
    return (_mean_slots(of_x, x_mask, 0) + _mean_slots(of_y, y_mask, 1)) / 2


def max_pair(
    x: Tensor,
    y: Tensor,
    *,
    x_mask: Tensor | None = None,
    y_mask: Tensor | None = None,
    normalized: bool = False,
) -> Tensor:
    """The best cosine of any two slots: the multiple-instance (MIL) similarity of PVSE.

    x: (N, K, D), y: (M, L, D) -> (N, M); masks and `normalized` as in `smooth_chamfer`. METHODS
        3.4.
    """
    c = slot_cosines(x, y, x_mask=x_mask, y_mask=y_mask, normalized=normalized)
    return _hide(_hide(c, y_mask, 2).amax(2, keepdim=True), x_mask, 0).amax((0, 2))


def average(
    x: Tensor,
    y: Tensor,
    *,
    x_mask: Tensor | None = None,
    y_mask: Tensor | None = None,
    normalized: bool = False,
) -> Tensor:
    """Mean cosine over all pairs of slots, from one product of the mean vectors.

    x: (N, K, D), y: (M, L, D) -> (N, M); masks and `normalized` as in `smooth_chamfer`. METHODS
        2.5.
    """
    check_sets(x, y, x_mask, y_mask)
    x, y = _mean_vector(x, x_mask, normalized), _mean_vector(y, y_mask, normalized)
    dtype = torch.promote_types(x.dtype, y.dtype)
    return x.to(dtype) @ y.to(dtype).T


def mean_vectors(x: Tensor, mask: Tensor | None = None) -> Tensor:
    """The one normalised mean vector of each set: the control for what a set adds.

    x: (N, K, D) -> (N, 1, D). A set model that ranks no better than its own mean vectors has
    learned a single vector at K times the cost, whatever its variance looks like (FIELDNOTES, DivE
    2).

    >>> mean_vectors(torch.tensor([[[1.0, 0.0], [1.0, 0.0]]]))
    tensor([[[1., 0.]]])
    """
    check_sets(x, x, mask, None)
    return unit(_mean_vector(x, mask, normalized=False)).unsqueeze(1).to(x.dtype)


def _mean_vector(x: Tensor, mask: Tensor | None, normalized: bool) -> Tensor:
    """(N, K, D) -> (N, D): mean of the unit vectors, in float32 at least."""
    x = x if x.dtype == torch.float64 else x.float()
    if mask is not None:
        x = x.masked_fill(~mask.unsqueeze(-1), 0)
    x = x if normalized else unit(x)
    count = x.shape[1] if mask is None else mask.sum(1, keepdim=True)
    return x.sum(1) / count


def fits_exponent(alpha: float, k: int, k_y: int) -> bool:
    """Whether sums of exp(alpha c) over the slots of either set stay inside float32."""
    return 0 < alpha <= _LARGEST_EXPONENT - math.log(max(k, k_y))


def mean_log_sums(e: Tensor, alpha: float, x_mask: Tensor | None, y_mask: Tensor | None) -> Tensor:
    """`_mean_slots` of the two log-sums of e = exp(alpha c), with one logarithm for several slots.

    The logs of the sums are summed as the log of their product: exponentials and logarithms, not
    the matrix product, are what a large score matrix otherwise spends its time on.
    """
    k, _, k_y, _ = e.shape
    of_x = (e if y_mask is None else e * y_mask.T[None, None]).sum(2)  # (K, N, M)
    of_y = (e if x_mask is None else e * x_mask.T[:, :, None, None]).sum(0)  # (N, L, M)
    if x_mask is not None:
        of_x.masked_fill_(~x_mask.T.unsqueeze(-1), 1)
    if y_mask is not None:
        of_y.masked_fill_(~y_mask.T.unsqueeze(0), 1)
    n_x = k if x_mask is None else x_mask.sum(1).unsqueeze(1)
    n_y = k_y if y_mask is None else y_mask.sum(1).unsqueeze(0)
    left = _log_product(of_x, 0, alpha + math.log(k_y)).div_(n_x)
    return left.add_(_log_product(of_y, 1, alpha + math.log(k)).div_(n_y))


def _log_product(s: Tensor, dim: int, bound: float) -> Tensor:
    """Sum of log(s) along `dim`, where |log s| <= bound, in products that stay inside float32."""
    slots = s.unbind(dim)
    step = max(1, int(_LARGEST_EXPONENT / bound))
    total: Tensor | None = None
    for start in range(0, len(slots), step):
        product = slots[start].clone()
        for factor in slots[start + 1 : start + step]:
            product *= factor
        log = product.log_()
        total = log if total is None else total.add_(log)
    assert total is not None  # sets are never empty
    return total


def _hide(c: Tensor, mask: Tensor | None, dim: int) -> Tensor:
    """-inf at the masked slots of (K, N, L, M): x's slots for dim 0, y's for dim 2."""
    if mask is None:
        return c
    hidden = ~mask.T
    return c.masked_fill(
        hidden[:, :, None, None] if dim == 0 else hidden[None, None], float("-inf")
    )


def _mean_slots(s: Tensor, mask: Tensor | None, dim: int) -> Tensor:
    """Mean over the real slots of (K, N, M) for x (dim 0), of (N, L, M) for y (dim 1)."""
    if mask is None:
        return s.mean(dim)
    real = mask.T.unsqueeze(-1) if dim == 0 else mask.T.unsqueeze(0)
    return s.masked_fill(~real, 0).sum(dim) / real.sum(dim)


def check_sets(x: Tensor, y: Tensor, x_mask: Tensor | None, y_mask: Tensor | None) -> None:
    """Raise ValueError unless these are (N, K, D) and (M, L, D) sets, each with a real slot."""
    if x.dim() != 3 or y.dim() != 3 or x.shape[2] != y.shape[2]:
        raise ValueError(
            f"sets must be (N, K, D) and (M, L, D), not {tuple(x.shape)} and {tuple(y.shape)}"
        )
    if x.shape[1] == 0 or y.shape[1] == 0:
        raise ValueError(f"a set needs a slot: {tuple(x.shape)} and {tuple(y.shape)}")
    for name, sets, mask in (("x_mask", x, x_mask), ("y_mask", y, y_mask)):
        if mask is None:
            continue
        if mask.shape != sets.shape[:2] or mask.dtype != torch.bool:
            raise ValueError(
                f"{name} must be bool of shape {tuple(sets.shape[:2])}, "
                f"not {mask.dtype} of shape {tuple(mask.shape)}"
            )
        # Under vmap (`score_pairs`) a value cannot be looked at; there the caller has done it.
        if not is_batchedtensor(mask) and not bool(mask.any(1).all()):
            raise ValueError(f"{name} leaves a set without any slot")
