"""A plain transformer as a head: K learned queries behind the local features (DivE's ablation)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facetwise.heads.element_set import ElementSet, for_each, start_weights
from facetwise.heads.positions import Positions, check_positions, position_code

__all__ = ["TransformerHead"]


class _Layer(nn.Module):
    """Encoder layer, norms first: x + attention(LN(x)), then x + MLP(LN(x))."""

    def __init__(self, dim: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(dim)
        self.W_q, self.W_k, self.W_v, self.W_o = (nn.Linear(dim, dim) for _ in range(4))
        self.mlp = nn.Sequential(
            nn.LayerNorm(dim),
            nn.Linear(dim, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, dim),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, hidden: Tensor | None) -> tuple[Tensor, Tensor]:
        """x: (B, L, D), hidden: (B, L) true where nobody may look -> (B, L, D), (B, H, L, L)."""
        y = self.norm(x)
        q, k, v = (
            W(y).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for W in (self.W_q, self.W_k, self.W_v)
        )
        M: Tensor = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        if hidden is not None:
            M = M.masked_fill(hidden[:, None, None, :], float("-inf"))
        A = M.softmax(-1)
        x = x + self.dropout(self.W_o((self.dropout(A) @ v).transpose(1, 2).flatten(2)))
        return x + self.dropout(self.mlp(x)), A


class TransformerHead(nn.Module):
    """Local features and K learned queries through a transformer encoder, to K unit vectors.

    DivE compares its module with a "plain transformer" and gives no details: ours attends among
    locations and queries alike, where slots do not compete, and joins the global feature as the
    module does, S = LN(E) + LN(phi), so that only the attention differs.

    Args:
        dim: D.
        local_dim: width of the local features; a linear map brings them to D.
        K: elements of a set.
        T: layers, each with its own weights.
        positions: a sine code added to the local features: `"none"`, `"words"` or `"grid"`.
        global_weight: factor of LN(phi).
        slot_gain: where the learned gain of LN(E) starts, as in `SetPrediction`.
        heads: of the attention.
        hidden: inner width of the MLPs; 4 D by default.
        dropout: of the attention, its output and the MLP.
        generator: randomness of the start.

    Raises:
        ValueError: D is no multiple of `heads`.
    """

    def __init__(
        self,
        dim: int,
        local_dim: int,
        *,
        K: int = 4,
        T: int = 2,
        positions: Positions | bool = "none",
        global_weight: float = 1.0,
        slot_gain: float = 1.0,
        heads: int = 4,
        hidden: int | None = None,
        dropout: float = 0.1,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"dim must be a multiple of heads, not {dim} with {heads} heads")
        hidden = 4 * dim if hidden is None else hidden
        self.positions, self.global_weight = check_positions(positions), global_weight
        self.queries = nn.Parameter(torch.randn(K, dim, generator=generator))
        self.norm_local = nn.LayerNorm(local_dim)
        self.W_local = nn.Linear(local_dim, dim)
        self.layers = nn.ModuleList(_Layer(dim, heads, hidden, dropout) for _ in range(T))
        self.norm_slots = nn.LayerNorm(dim)
        nn.init.constant_(self.norm_slots.weight, slot_gain)
        self.norm_global = nn.LayerNorm(dim)
        start_weights(self, generator)

    def forward(self, psi: Tensor, phi: Tensor, mask: Tensor | None = None) -> ElementSet:
        """psi: (B, N, local_dim), phi: (B, D) or (B, K, D), mask: (B, N) -> `ElementSet`.

        Its `attention` is the last layer's from the queries to the locations, mean over heads,
        scaled so that rows sum to 1 (what the queries pay each other is left out).
        """
        b, n, _ = psi.shape
        k = len(self.queries)
        x = self.W_local(self.norm_local(psi))
        code = position_code(x, mask, self.positions)
        x = torch.cat([x if code is None else x + code, self.queries.expand(b, -1, -1)], 1)
        hidden = None if mask is None else F.pad(~mask, (0, k), value=False)
        attention = x.new_zeros(b, k, n)
        for layer in self.layers:
            x, A = layer(x, hidden)
            attention = A.mean(1)[:, n:, :n]
        slots = self.norm_slots(x[:, n:])
        S: Tensor = slots + self.global_weight * self.norm_global(for_each(phi))
        looked = attention.sum(-1, keepdim=True).clamp_min(torch.finfo(attention.dtype).tiny)
        return ElementSet(F.normalize(S, dim=-1), slots, attention / looked)
