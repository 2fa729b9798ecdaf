"""Scores of many sets against many, tile by tile, at little more than the bare matrix product."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Protocol

import torch
from torch import Tensor

from facetwise.similarity.probability import match_probability
from facetwise.similarity.sets import average, chamfer, max_pair, smooth_chamfer, unit

__all__ = ["SIMILARITIES", "SetSimilarity", "score_matrix", "score_pairs"]


class SetSimilarity(Protocol):
    """A function of (N, K, D) and (M, L, D) sets that returns their (N, M) scores."""

    def __call__(
        self,
        x: Tensor,
        y: Tensor,
        *,
        x_mask: Tensor | None = None,
        y_mask: Tensor | None = None,
        normalized: bool = False,
    ) -> Tensor: ...


SIMILARITIES: Mapping[str, SetSimilarity] = MappingProxyType(
    {
        "smooth_chamfer": smooth_chamfer,
        "chamfer": chamfer,
        "max_pair": max_pair,
        "average": average,
        "match_probability": partial(match_probability, scale=1.0, shift=0.0),  # DivE's MP
    }
)


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
        similarity: a name in `SIMILARITIES`, or a function like them (`partial(smooth_chamfer,
            alpha=8.0)`).
        tile: how many sets of y are scored at a time, against a quarter as many sets of x. The
            cosines of one tile (tile^2 K L / 4 floats) should fit the processor's cache; on a GPU
            take 4096.
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
    score = _named(similarity) if isinstance(similarity, str) else similarity
    if tile < 1:
        raise ValueError(f"tile must be at least 1, not {tile}")
    dtype = torch.promote_types(torch.promote_types(x.dtype, y.dtype), torch.float32)
    out = torch.empty(len(x), len(y), dtype=dtype, device=x.device)
    rows = max(1, tile // 4)
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
    score = _named(similarity) if isinstance(similarity, str) else similarity

    def one(a: Tensor, b: Tensor) -> Tensor:
        return score(a[None], b[None])[0, 0]

    many = torch.vmap(one)
    dtype = torch.promote_types(torch.promote_types(x.dtype, y.dtype), torch.float32)
    out = torch.empty(len(r), dtype=dtype, device=x.device)
    for start in range(0, len(r), tile):
        part = slice(start, start + tile)
        out[part] = many(x[r[part]], y[c[part]])
    return out


def _named(name: str) -> SetSimilarity:
    if name not in SIMILARITIES:
        raise ValueError(f"no similarity is called {name!r}; there are {', '.join(SIMILARITIES)}")
    return SIMILARITIES[name]
