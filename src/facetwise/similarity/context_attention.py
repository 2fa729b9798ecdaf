"""Context-aware attention (CAAN; Zhang et al., CVPR 2020): a pair's context decides what counts.

Regions and words are weighed by how they align with the other side and with their own side, then
each side becomes one vector, and the two are compared. Unlike all other similarities of this folder
it has weights to learn, so it is a module (`ContextAttention`), and a run that uses it names it by
a `ContextSimilarity`, which holds the weights.

What is certain and what is not: the equations are those of public reading notes of the paper (its
authors released no code): H, its two normalisations, f and g, and the inner product at the end. Not
confirmed: the width of Q (`hidden`), what the second-order attention is normalised by, and whether
the two vectors are scaled before they are multiplied (here they are not, but elements are).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from facetwise.similarity.named import NamedSimilarity, Option, SetSimilarity
from facetwise.similarity.sets import check_sets, unit

__all__ = ["ContextAttention", "ContextSimilarity", "Weighed"]

_FLOATS: Final = 2**24
"""Numbers in the largest tensor that is made at once: 64 MB."""


class Weighed(NamedTuple):
    """How a pair's elements count."""

    f: Tensor  # (N, M, K) sums to 1 over the regions
    g: Tensor  # (N, M, L) sums to 1 over the words
    cosines: Tensor  # (N, M, K, L)


class ContextAttention(nn.Module):
    """CAAN's similarity of images' regions and captions' words.

    With V the regions and U the words of a pair, one in a row, and [.]+ cutting off below 0:

        H    = tanh(V K U')                                         (K, L)
        H_uv = [H]+, each column (a word's regions) scaled to length 1
        H_vu = [H]+, each row (a region's words) scaled to length 1
        H_v  = H_vu H_vu'       two regions are akin that align with the same words (second order)
        H_u  = H_uv' H_uv
        f    = softmax over the regions of tanh(H_v V Q1 + H_uv U Q2) W_v
        g    = softmax over the words of tanh(H_u U Q3 + H_vu' V Q4) W_u
        score = (f' V) . (g' U) = sum_ij f_i g_j cos(v_i, u_j)

    Args:
        dim: D of the elements.
        hidden: width of Q.
        generator: randomness of the start.
    """

    def __init__(
        self, dim: int, *, hidden: int = 256, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.K = nn.Parameter(torch.eye(dim))  # at the start H is tanh of the cosines
        self.Q = nn.Parameter(torch.empty(4, dim, hidden))
        self.W_v = nn.Parameter(torch.empty(hidden, 1))
        self.W_u = nn.Parameter(torch.empty(hidden, 1))
        for weight in (*self.Q.unbind(), self.W_v, self.W_u):
            nn.init.xavier_uniform_(weight, generator=generator)

    def forward(
        self,
        x: Tensor,
        y: Tensor,
        *,
        x_mask: Tensor | None = None,
        y_mask: Tensor | None = None,
        normalized: bool = False,
    ) -> Tensor:
        """Scores of images and captions, block by block; gradients compute each block again.

        Args:
            x: (N, K, D) regions; rows are scaled to length 1.
            y: (M, L, D) words.
            x_mask: (N, K) bool, true where a region is real.
            y_mask: (M, L) bool.
            normalized: the rows have length 1 already.

        Returns:
            (N, M) in [-1, 1], float32 (float64 for float64 input).

        Raises:
            ValueError: shapes do not fit.
        """
        check_sets(x, y, x_mask, y_mask)
        x, y = self._ready(x, x_mask, normalized), self._ready(y, y_mask, normalized)
        n, m = self._block(x.shape[1], y.shape[1], len(x))
        rows = []
        for i in range(0, max(len(x), 1), n):
            parts = [
                self._scores(x[i : i + n], y[j : j + m], _part(x_mask, i, n), _part(y_mask, j, m))
                for j in range(0, max(len(y), 1), m)
            ]
            rows.append(torch.cat(parts, dim=1))
        return torch.cat(rows)

    def weigh(
        self,
        x: Tensor,
        y: Tensor,
        *,
        x_mask: Tensor | None = None,
        y_mask: Tensor | None = None,
        normalized: bool = False,
    ) -> Weighed:
        """F and g of every pair, all at once; arguments as above."""
        check_sets(x, y, x_mask, y_mask)
        x, y = self._ready(x, x_mask, normalized), self._ready(y, y_mask, normalized)
        return self._weigh(x, y, x_mask, y_mask)

    # -- inside ---------------------------------------------------------------------------------

    def _ready(self, sets: Tensor, mask: Tensor | None, normalized: bool) -> Tensor:
        """Unit rows in float32 at least, zero where masked, so that those align with nothing."""
        sets = sets if sets.dtype == torch.float64 else sets.float()
        if mask is not None:
            sets = sets.masked_fill(~mask.unsqueeze(-1), 0)
        return sets if normalized else unit(sets)

    def _block(self, k: int, k_y: int, n: int) -> tuple[int, int]:
        """How many images and captions are compared at once."""
        pairs = max(1, _FLOATS // ((k + k_y) * max(self.Q.shape[2], k, k_y)))
        rows = min(max(n, 1), max(1, int(pairs**0.5)))
        return rows, max(1, pairs // rows)

    def _scores(self, x: Tensor, y: Tensor, x_mask: Tensor | None, y_mask: Tensor | None) -> Tensor:
        if torch.is_grad_enabled() and (x.requires_grad or self.K.requires_grad):
            out: Tensor = checkpoint(self._score, x, y, x_mask, y_mask, use_reentrant=False)
            return out
        return self._score(x, y, x_mask, y_mask)

    def _score(self, x: Tensor, y: Tensor, x_mask: Tensor | None, y_mask: Tensor | None) -> Tensor:
        f, g, cosines = self._weigh(x, y, x_mask, y_mask)
        with torch.autocast(x.device.type, enabled=False):
            return ((f.unsqueeze(-2) @ cosines).squeeze(-2) * g).sum(-1)

    def _weigh(self, x: Tensor, y: Tensor, x_mask: Tensor | None, y_mask: Tensor | None) -> Weighed:
        K, (Q1, Q2, Q3, Q4) = self.K.to(x), self.Q.to(x)
        # In the width of x again, under autocast, too: half precision has no small lengths.
        aligned = _products(x @ K, y).to(x.dtype).tanh().relu()  # (N, M, K, L)
        H_uv, H_vu = F.normalize(aligned, dim=2), F.normalize(aligned, dim=3)
        H_v, H_u = H_vu @ H_vu.transpose(2, 3), H_uv.transpose(2, 3) @ H_uv
        of_x = H_v @ (x @ Q1)[:, None] + H_uv @ (y @ Q2)[None]  # (N, M, K, hidden)
        of_y = H_u @ (y @ Q3)[None] + H_vu.transpose(2, 3) @ (x @ Q4)[:, None]
        f = (of_x.tanh() @ self.W_v.to(x)).squeeze(-1)
        g = (of_y.tanh() @ self.W_u.to(x)).squeeze(-1)
        if x_mask is not None:
            f = f.masked_fill(~x_mask[:, None], float("-inf"))
        if y_mask is not None:
            g = g.masked_fill(~y_mask[None], float("-inf"))
        f, g = (logits.to(x.dtype).softmax(-1) for logits in (f, g))
        return Weighed(f, g, _products(x, y).to(x.dtype))


@dataclass(frozen=True, eq=False, kw_only=True)
class ContextSimilarity(NamedSimilarity):
    """`ContextAttention` as a run names it: with its weights, which no table can hold.

    >>> module = ContextAttention(8, generator=torch.Generator().manual_seed(0))
    >>> similarity = ContextSimilarity(module=module)
    >>> similarity.name, similarity.symmetric, similarity(torch.ones(2, 3, 8), torch.ones(1, 5, 8))
    ('context_attention', False, tensor([[1.0000],
            [1.0000]], grad_fn=...))
    """

    name: str = "context_attention"
    """Not of `SIMILARITIES`: a name alone does not make it."""
    options: Mapping[str, Option] = field(default_factory=dict)
    """None."""
    module: ContextAttention
    """The weights."""

    def __post_init__(self) -> None:
        """Nothing is to be checked."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ContextSimilarity) and other.module is self.module

    def __hash__(self) -> int:
        return hash(self.module)

    @property
    def function(self) -> SetSimilarity:
        """The module."""
        function: SetSimilarity = partial(_call, self.module)
        return function

    @property
    def symmetric(self) -> bool:
        """No: x must be the images."""
        return False


def _call(module: ContextAttention, x: Tensor, y: Tensor, **masks: Any) -> Tensor:
    scores: Tensor = module(x, y, **masks)
    return scores


def _products(x: Tensor, y: Tensor) -> Tensor:
    """(N, K, D), (M, L, D) -> (N, M, K, L)."""
    (n, k, d), (m, k_y, _) = x.shape, y.shape
    flat = x.reshape(n * k, d) @ y.reshape(m * k_y, d).T
    return flat.view(n, k, m, k_y).transpose(1, 2)


def _part(mask: Tensor | None, start: int, count: int) -> Tensor | None:
    return None if mask is None else mask[start : start + count]
