"""DivE's set prediction module: K element slots share out the local features (METHODS 2.2, 2.3)."""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facetwise.errors import InputError
from facetwise.heads.element_set import ElementSet, for_each, start_weights
from facetwise.heads.positions import Positions, check_positions, position_code
from facetwise.heads.slot_attention import SampledSlots, gru_step

__all__ = ["AggregationBlock", "SetPrediction"]


class AggregationBlock(nn.Module):
    """One step of slots over locations: they compete for each location (METHODS 2.2, steps 1-6).

    Args:
        dim: D, width of the slots.
        local_dim: width of the local features psi.
        heads: H.
        head_dim: D_h; the inner width is H * D_h.
        hidden: inner width of the MLP; 4 D by default, as in the paper.
        dropout: after the attention's output and inside the MLP.
        update: how a slot takes in what it gathered: `"residual"`, the paper's sum, or `"gru"`, a
            GRU with the slot as its state, as in Slot Attention.
        legacy_padding: see `forward`.
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
        update: Literal["residual", "gru"] = "residual",
        legacy_padding: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if update not in ("residual", "gru"):
            raise InputError(f'update must be "residual" or "gru", not {update!r}')
        hidden = 4 * dim if hidden is None else hidden
        inner = heads * head_dim
        self.legacy_padding = legacy_padding
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
        self.gru = nn.GRUCell(dim, dim) if update == "gru" else None
        start_weights(self, generator)

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
        normalised (METHODS T-15): padding never changes a set. With `legacy_padding`, as in DivE's
        release, its logits are made equal instead: it keeps 1 / K of every slot and counts among
        the keys, so a set depends on the longest one of its batch. A_hat then says so.
        """
        q = self._split(self.W_q(self.norm_slots(E)))  # (B, H, K, D_h)
        M: Tensor = k @ q.transpose(-1, -2) / math.sqrt(self.head_dim)  # (B, H, N, K)
        if mask is not None and self.legacy_padding:
            M = M.masked_fill(~mask[:, None, :, None], 0)
        A = M.softmax(-1)  # over the slots: they compete for each location
        if mask is not None and not self.legacy_padding:
            A = A.masked_fill(~mask[:, None, :, None], 0)
        A_hat = A / (A.sum(2, keepdim=True) + 1e-7)
        gathered = (A_hat.transpose(-1, -2) @ v).transpose(1, 2).flatten(2)  # (B, K, H * D_h)
        taken = self.dropout(self.W_o(gathered))
        E = E + taken if self.gru is None else gru_step(self.gru, taken, E)
        return E + self.mlp(E), A_hat.mean(1).transpose(-1, -2)

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], self.heads, self.head_dim).transpose(1, 2)


class SetPrediction(nn.Module):
    """Local features and a global one to a set of K unit vectors (DivE; METHODS 2.2, 2.3).

    The slots are learned, not sampled; one block is applied T times (shared weights); the result is
    S = LN(E_T) + LN(phi), each row scaled to length 1. With `slots="sampled", update="gru"` the
    block is Slot Attention's, but for several heads and the map W_o behind them.

    Args:
        dim: D.
        local_dim: width of the local features.
        K: elements of a set.
        T: how often the block is applied.
        positions: a sine code added to the keys: `"none"` (the paper's choice for images),
            `"words"` by the place in the text, `"grid"` by row and column of a square grid of
            cells. True is "words", False is "none".
        global_weight: factor of LN(phi); 1 in the paper. It is the same vector for every element,
            so less of it lets the elements differ.
        slot_gain: where the learned gain of LN(E_T) starts; 1 in the paper. A small one starts a
            set as its global feature and lets the slots grow as far as they pay.
        heads: H of the block.
        head_dim: D_h of the block.
        hidden: inner width of the block's MLP; 4 D by default.
        dropout: in the block.
        slots: `"learned"`, the paper's, or `"sampled"`: see `SampledSlots`.
        update: of the block: `"residual"` or `"gru"`.
        legacy_padding: padding counts as in DivE's release (METHODS T-15, T-17).
        legacy_positions: the code of words is scaled by the padded length, as there (T-16).
        generator: randomness of the start.

    Raises:
        InputError: `positions`, `slots` or `update` is none of the above.
    """

    def __init__(
        self,
        dim: int,
        local_dim: int,
        *,
        K: int = 4,
        T: int = 4,
        positions: Positions | bool = "none",
        global_weight: float = 1.0,
        slot_gain: float = 1.0,
        heads: int = 4,
        head_dim: int = 64,
        hidden: int | None = None,
        dropout: float = 0.1,
        slots: Literal["learned", "sampled"] = "learned",
        update: Literal["residual", "gru"] = "residual",
        legacy_padding: bool = False,
        legacy_positions: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if slots not in ("learned", "sampled"):
            raise InputError(f'slots must be "learned" or "sampled", not {slots!r}')
        self.T, self.global_weight = T, global_weight
        self.positions, self.legacy_positions = check_positions(positions), legacy_positions
        self.sampled = SampledSlots(K, dim, generator=generator) if slots == "sampled" else None
        if self.sampled is None:
            self.E_0 = nn.Parameter(torch.randn(K, dim, generator=generator))
        self.block = AggregationBlock(
            dim,
            local_dim,
            heads=heads,
            head_dim=head_dim,
            hidden=hidden,
            dropout=dropout,
            update=update,
            legacy_padding=legacy_padding,
            generator=generator,
        )
        self.norm_slots = nn.LayerNorm(dim)
        nn.init.constant_(self.norm_slots.weight, slot_gain)
        self.norm_global = nn.LayerNorm(dim)

    def forward(
        self,
        psi: Tensor,
        phi: Tensor,
        mask: Tensor | None = None,
        *,
        generator: torch.Generator | None = None,
    ) -> ElementSet:
        """psi: (B, N, local_dim), phi: (B, D) or (B, K, D), mask: (B, N) -> `ElementSet`.

        `generator` is for slots that are sampled while training.
        """
        if self.sampled is None:
            E = self.E_0.expand(len(psi), -1, -1)
        else:
            E = self.sampled(len(psi), generator)
        code = position_code(psi, mask, self.positions, legacy=self.legacy_positions)
        k, v = self.block.read(psi, code)
        attention = psi.new_zeros(len(psi), E.shape[1], psi.shape[1])
        for _ in range(self.T):
            E, attention = self.block(E, k, v, mask)
        slots = self.norm_slots(E)
        S: Tensor = slots + self.global_weight * self.norm_global(for_each(phi))
        return ElementSet(F.normalize(S, dim=-1), slots, attention)
