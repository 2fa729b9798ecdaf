"""Scores of many sets against many, tile by tile, at little more than the bare matrix product."""

from functools import partial

import torch
from torch import Tensor

from facetwise.similarity.named import NamedSimilarity, SetSimilarity
from facetwise.similarity.sets import (
    check_sets,
    fits_exponent,
    mean_log_sums,
    smooth_chamfer,
    unit,
)

__all__ = ["score_matrix", "score_pairs"]

_SLOTS = 16
"""Pairs of slots that a pair of sets may have before tiles get smaller."""


@torch.no_grad()
def score_matrix(
    x: Tensor,
    y: Tensor,
    similarity: str | SetSimilarity = "smooth_chamfer",
    *,
    tile: int = 512,
    x_mask: Tensor | None = None,
    y_mask: Tensor | None = None,
    normalized: bool = False,
) -> Tensor:
    """Scores of N sets against M sets, without gradients and without all cosines in memory.

    Args:
        x: (N, K, D) sets.
        y: (M, L, D) sets. Stored as (L, M, D) and passed as `.transpose(0, 1)` it is read without a
            copy.
        similarity: a name in `SIMILARITIES` or a `NamedSimilarity`, to which rows of zeros are
            padding, or a function like them (`partial(smooth_chamfer, alpha=8.0)`).
        tile: how many sets of y are scored at a time, against half as many sets of x. The cosines
            of one tile (tile^2 K L / 2 floats) should fit the processor's cache; on a GPU take
            4096. Where K L is above 16 (words against regions) the tile is made smaller, so that
            it holds no more cosines.
        x_mask: (N, K) bool, true where a slot is real.
        y_mask: (M, L) bool.
        normalized: the rows have length 1 already.

    Returns:
        (N, M) scores, float32 or (for float64 input) float64.

    >>> x = torch.eye(4).unsqueeze(1)  # four sets of one vector
    >>> score_matrix(x, x[:2], "chamfer", tile=2)
    tensor([[1., 0.],
            [0., 1.],
            [0., 0.],
            [0., 0.]])
    """
    if tile < 1:
        raise ValueError(f"tile must be at least 1, not {tile}")
    if isinstance(similarity, str):
        similarity = NamedSimilarity(similarity)
    score: SetSimilarity = similarity
    if isinstance(similarity, NamedSimilarity):
        x_mask = similarity.real(x) if x_mask is None else x_mask
        y_mask = similarity.real(y) if y_mask is None else y_mask
        normalized = normalized or not similarity.unit_rows  # points keep their length
        score = similarity.function
    check_sets(x, y, x_mask, y_mask)
    dtype = torch.promote_types(torch.promote_types(x.dtype, y.dtype), torch.float32)
    out = torch.empty(len(x), len(y), dtype=dtype, device=x.device)
    tile = max(1, int(tile * min(1.0, _SLOTS / (x.shape[1] * y.shape[1])) ** 0.5))
    rows = max(1, tile // 2)
    alpha = _plain_alpha(score, x, y, x_mask, y_mask)
    if alpha is not None:
        return _smooth_chamfer_tiles(x, y, out, alpha, rows, tile, normalized)
    for j in range(0, len(y), tile):
        # Normalised and laid out slot-major once here, it is read as it is by every tile of x.
        y_tile = y[j : j + tile].transpose(0, 1).contiguous()
        y_tile = (y_tile if normalized else unit(y_tile)).transpose(0, 1)
        for i in range(0, len(x), rows):
            x_tile = x[i : i + rows]
            out[i : i + rows, j : j + tile] = score(
                x_tile if normalized else unit(x_tile),
                y_tile,
                x_mask=None if x_mask is None else x_mask[i : i + rows],
                y_mask=None if y_mask is None else y_mask[j : j + tile],
                normalized=True,
            )
    return out


def _plain_alpha(
    score: SetSimilarity, x: Tensor, y: Tensor, x_mask: Tensor | None, y_mask: Tensor | None
) -> float | None:
    """alpha, if this is smooth-Chamfer in full precision without masks or overflow; else None."""
    alpha = 16.0
    if isinstance(score, partial):
        if score.args or score.keywords.keys() - {"alpha"}:
            return None
        alpha = score.keywords.get("alpha", alpha)
        score = score.func
    if score is not smooth_chamfer or x_mask is not None or y_mask is not None:
        return None
    full = x.dtype == y.dtype and x.dtype in (torch.float32, torch.float64)
    return alpha if full and fits_exponent(alpha, x.shape[1], y.shape[1]) else None


def _smooth_chamfer_tiles(
    x: Tensor, y: Tensor, out: Tensor, alpha: float, rows: int, tile: int, normalized: bool
) -> Tensor:
    """`smooth_chamfer` of every tile, in one buffer: fresh memory for each costs a tenth more."""
    (k, d), k_y = x.shape[1:], y.shape[1]
    blocks = [
        (alpha * (block if normalized else unit(block))).transpose(0, 1).reshape(-1, d)
        for block in x.split(rows)
    ]
    buffer = x.new_empty(k * min(rows, len(x)) * k_y * min(tile, len(y)))
    for j in range(0, len(y), tile):
        part = y[j : j + tile].transpose(0, 1)
        part = (part if normalized else unit(part)).reshape(-1, d)
        m = len(part) // k_y
        for number, block in enumerate(blocks):
            n = len(block) // k
            cosines = buffer[: k * n * k_y * m].view(k * n, k_y * m)
            e = torch.mm(block, part.T, out=cosines).exp_().view(k, n, k_y, m)
            scores = mean_log_sums(e, alpha, None, None).div_(2 * alpha)
            out[number * rows : number * rows + n, j : j + m] = scores
    return out


@torch.no_grad()
def score_pairs(
    x: Tensor,
    y: Tensor,
    r: Tensor,
    c: Tensor,
    similarity: str | SetSimilarity = "smooth_chamfer",
    *,
    tile: int = 2048,
) -> Tensor:
    """Scores of listed pairs of sets only.

    Args:
        x: (N, K, D) sets.
        y: (M, L, D) sets.
        r: (P,) numbers of sets of x.
        c: (P,) numbers of sets of y.
        similarity: as in `score_matrix`.
        tile: how many pairs are gathered at a time.

    Returns:
        (P,) scores. Pairs of equal sets have equal scores to the last bit, wherever they stand.

    >>> x = torch.eye(4).unsqueeze(1)
    >>> score_pairs(x, x, torch.tensor([0, 1]), torch.tensor([0, 2]))
    tensor([1., 0.])
    """
    if isinstance(similarity, str):
        similarity = NamedSimilarity(similarity)
    score: SetSimilarity = similarity
    x_mask = y_mask = None
    if isinstance(similarity, NamedSimilarity):
        score, x_mask, y_mask = similarity.function, similarity.real(x), similarity.real(y)
    tile = max(1, int(tile * min(1.0, _SLOTS / (x.shape[1] * y.shape[1]))))
    many = torch.vmap(partial(_one, score))
    dtype = torch.promote_types(torch.promote_types(x.dtype, y.dtype), torch.float32)
    out = torch.empty(len(r), dtype=dtype, device=x.device)
    for start in range(0, len(r), tile):
        i, j = r[start : start + tile], c[start : start + tile]
        if x_mask is None and y_mask is None:
            out[start : start + tile] = many(x[i], y[j])
        else:
            out[start : start + tile] = many(x[i], y[j], _of(x_mask, x, i), _of(y_mask, y, j))
    return out


def _one(
    score: SetSimilarity,
    a: Tensor,
    b: Tensor,
    a_mask: Tensor | None = None,
    b_mask: Tensor | None = None,
) -> Tensor:
    """The score of one pair, (K, D) and (L, D)."""
    if a_mask is None or b_mask is None:
        return score(a[None], b[None])[0, 0]
    return score(a[None], b[None], x_mask=a_mask[None], y_mask=b_mask[None])[0, 0]


def _of(mask: Tensor | None, sets: Tensor, rows: Tensor) -> Tensor:
    """The mask of some sets; all true where there is none."""
    if mask is None:
        return torch.ones(len(rows), sets.shape[1], dtype=torch.bool, device=sets.device)
    return mask[rows]
