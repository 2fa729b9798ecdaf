"""DivE's set prediction module: K element slots share out the local features (METHODS 2.2, 2.3)."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["AggregationBlock", "ElementSet", "SetPrediction", "sine_positions"]


class ElementSet(NamedTuple):
    """B sets of K elements."""

    elements: Tensor
    """S: (B, K, D), rows of length 1."""
    slots: Tensor
    """LN(E_T): (B, K, D), before the global feature is added; the diversity term is about these."""
    attention: Tensor
    """(B, K, N): where each slot looked in the last block, mean over heads; rows sum to 1."""


class AggregationBlock(nn.Module):
    """One step of slots over locations: they compete for each location (METHODS 2.2, steps 1-6).

    Args:
        dim: D, width of the slots.
        local_dim: width of the local features psi.
        heads: H.
        head_dim: D_h; the inner width is H * D_h.
        hidden: inner width of the MLP; 4 D by default, as in the paper.
        dropout: after the attention's output and inside the MLP.
        generator: randomness of the start.
    """

    def __init__(
        self,
        dim: int,
        local_dim: int,
        *,
        heads: int = 4,
        head_dim: int = 64,
        hidden: int | None = None,
        dropout: float = 0.1,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        hidden = 4 * dim if hidden is None else hidden
        inner = heads * head_dim
        self.heads, self.head_dim = heads, head_dim
        self.norm_slots = nn.LayerNorm(dim)
        self.norm_local = nn.LayerNorm(local_dim)
        self.W_q = nn.Linear(dim, inner, bias=False)
        self.W_k = nn.Linear(local_dim, inner, bias=False)
        self.W_v = nn.Linear(local_dim, inner, bias=False)
        self.W_o = nn.Linear(inner, dim)
        self.mlp = nn.Sequential(
            nn.LayerNorm(dim),
            nn.Linear(dim, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, dim),
        )
        self.dropout = nn.Dropout(dropout)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight, generator=generator)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def read(self, psi: Tensor, positions: Tensor | None) -> tuple[Tensor, Tensor]:
        """psi: (B, N, local_dim) -> keys and values (B, H, N, D_h), the same for all T steps.

        Positions, (B, N, local_dim), are added to the keys only.
        """
        x = self.norm_local(psi)
        k = self._split(self.W_k(x if positions is None else x + positions))
        return k, self._split(self.W_v(x))

    def forward(
        self, E: Tensor, k: Tensor, v: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """E: (B, K, D), k and v as from `read`, mask: (B, N) -> E_t (B, K, D), A_hat (B, K, N).

        A padded location is zeroed after the softmax over the slots and before the keys are
        normalised (METHODS T-15): padding never changes a set.
        """
        q = self._split(self.W_q(self.norm_slots(E)))  # (B, H, K, D_h)
        M: Tensor = k @ q.transpose(-1, -2) / math.sqrt(self.head_dim)  # (B, H, N, K)
        A = M.softmax(-1)  # over the slots: they compete for each location
        if mask is not None:
            A = A.masked_fill(~mask[:, None, :, None], 0)
        A_hat = A / (A.sum(2, keepdim=True) + 1e-7)
        gathered = (A_hat.transpose(-1, -2) @ v).transpose(1, 2).flatten(2)  # (B, K, H * D_h)
        E = E + self.dropout(self.W_o(gathered))
        return E + self.mlp(E), A_hat.mean(1).transpose(-1, -2)

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], self.heads, self.head_dim).transpose(1, 2)


class SetPrediction(nn.Module):
    """Local features and a global one to a set of K unit vectors (DivE; METHODS 2.2, 2.3).

    The slots are learned, not sampled; one block is applied T times (shared weights); the result is
    S = LN(E_T) + LN(phi), each row scaled to length 1.

    Args:
        dim: D.
        local_dim: width of the local features.
        K: elements of a set.
        T: how often the block is applied.
        positions: add a sine code to the keys (for words; none for regions and grids).
        global_weight: factor of LN(phi); 1 in the paper. It is the same vector for every element,
            so less of it lets the elements differ.
        slot_gain: where the learned gain of LN(E_T) starts; 1 in the paper. A small one starts a
            set as its global feature and lets the slots grow as far as they pay.
        heads: H of the block.
        head_dim: D_h of the block.
        hidden: inner width of the block's MLP; 4 D by default.
        dropout: in the block.
        generator: randomness of the start.
    """

    def __init__(
        self,
        dim: int,
        local_dim: int,
        *,
        K: int = 4,
        T: int = 4,
        positions: bool = False,
        global_weight: float = 1.0,
        slot_gain: float = 1.0,
        heads: int = 4,
        head_dim: int = 64,
        hidden: int | None = None,
        dropout: float = 0.1,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.T, self.positions, self.global_weight = T, positions, global_weight
        self.E_0 = nn.Parameter(torch.randn(K, dim, generator=generator))
        self.block = AggregationBlock(
            dim,
            local_dim,
            heads=heads,
            head_dim=head_dim,
            hidden=hidden,
            dropout=dropout,
            generator=generator,
        )
        self.norm_slots = nn.LayerNorm(dim)
        nn.init.constant_(self.norm_slots.weight, slot_gain)
        self.norm_global = nn.LayerNorm(dim)

    def forward(self, psi: Tensor, phi: Tensor, mask: Tensor | None = None) -> ElementSet:
        """psi: (B, N, local_dim), phi: (B, D), mask: (B, N) true where real -> `ElementSet`."""
        E = self.E_0.expand(len(psi), -1, -1)
        code = sine_positions(psi, mask) if self.positions else None
        k, v = self.block.read(psi, code)
        attention = psi.new_zeros(len(psi), E.shape[1], psi.shape[1])
        for _ in range(self.T):
            E, attention = self.block(E, k, v, mask)
        slots = self.norm_slots(E)
        S: Tensor = slots + self.global_weight * self.norm_global(phi).unsqueeze(1)
        return ElementSet(F.normalize(S, dim=-1), slots, attention)


def sine_positions(psi: Tensor, mask: Tensor | None = None) -> Tensor:
    """Sine code of the place in a sequence, scaled to 2 pi by its *true* length (METHODS T-16).

    psi: (B, N, C), mask: (B, N) -> (B, N, C).

    >>> short = sine_positions(torch.zeros(1, 3, 8))
    >>> padded = sine_positions(torch.zeros(1, 5, 8), torch.arange(5)[None] < 3)
    >>> torch.allclose(short, padded[:, :3])
    True
    """
    b, n, c = psi.shape
    if mask is None:
        mask = torch.ones(b, n, dtype=torch.bool, device=psi.device)
    length = mask.sum(1, keepdim=True).clamp_min(1)
    place = torch.arange(1, n + 1, device=psi.device) / length * 2 * math.pi  # (B, N)
    half = torch.arange(c // 2, device=psi.device)
    angle = place[..., None] / 10_000 ** (2 * half / c)
    code = torch.stack([angle.sin(), angle.cos()], -1).flatten(2)
    return F.pad(code, (0, c - code.shape[-1])).to(psi.dtype)
