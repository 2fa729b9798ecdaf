"""Slot Attention (Locatello et al., NeurIPS 2020): sampled slots, refined by a GRU (METHODS 2.3).

DivE's module (`heads.set_prediction`) comes from it and differs: learned slots, a residual update,
several heads. Both halves of the difference are also options there.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facetwise.heads.element_set import ElementSet, for_each, normal, start_weights
from facetwise.heads.positions import Positions, check_positions, position_code

__all__ = ["SampledSlots", "SlotAttention", "gru_step"]

_EPS = 1e-8


class SampledSlots(nn.Module):
    """First slots, drawn from one learned Gaussian: mu + sigma eps, the same mu, sigma for all K.

    While training every item of every step has new eps, from the global generator as dropout has
    (the training loop seeds it step by step) or from the one that is given. Afterwards eps is one
    (K, D) draw, made with the module and stored with its weights, the same for all items: an item's
    set depends neither on its batch nor on when it was encoded.

    Args:
        K: slots.
        dim: D.
        generator: randomness of the start and of the fixed draw.
    """

    fixed: Tensor

    def __init__(self, K: int, dim: int, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.mu = nn.Parameter(torch.empty(1, dim))
        self.log_sigma = nn.Parameter(torch.empty(1, dim))
        for parameter in (self.mu, self.log_sigma):
            nn.init.xavier_uniform_(parameter, generator=generator)
        self.register_buffer("fixed", torch.randn(K, dim, generator=generator))

    def forward(self, items: int, generator: torch.Generator | None = None) -> Tensor:
        """-> (items, K, D)."""
        eps = self.fixed.expand(items, -1, -1)
        if self.training:
            eps = normal(*eps.shape, dtype=eps.dtype, device=eps.device, generator=generator)
        return self.mu + self.log_sigma.exp() * eps


class SlotAttention(nn.Module):
    """Local features to K unit vectors by T rounds of competition (their Algorithm 1).

    Each round: A = softmax over the slots of k(psi) q(LN(E)) / sqrt(D); the mean of v(psi) over the
    locations, weighted by A + 1e-8, goes into a GRU whose state is E; then E + MLP(LN(E)). The
    result is joined to the global feature as in DivE: S = LN(E_T) + LN(phi), rows scaled to length
    1; ours, so that heads can be compared.

    Args:
        dim: D.
        local_dim: width of the local features.
        K: slots.
        T: rounds; 3 in the paper.
        hidden: inner width of the MLP; 2 D by default, 128 for D = 64 in the paper.
        positions: a sine code added to the keys: `"none"`, `"words"` or `"grid"`.
        global_weight: factor of LN(phi); 0 leaves it out.
        slot_gain: where the learned gain of LN(E) starts, as in `SetPrediction`.
        generator: randomness of the start, and of the draw used after training.
    """

    def __init__(
        self,
        dim: int,
        local_dim: int,
        *,
        K: int = 4,
        T: int = 3,
        hidden: int | None = None,
        positions: Positions | bool = "none",
        global_weight: float = 1.0,
        slot_gain: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        hidden = 2 * dim if hidden is None else hidden
        self.T, self.global_weight = T, global_weight
        self.positions = check_positions(positions)
        self.slots = SampledSlots(K, dim, generator=generator)
        self.norm_local = nn.LayerNorm(local_dim)
        self.norm_state = nn.LayerNorm(dim)
        self.W_q = nn.Linear(dim, dim, bias=False)
        self.W_k = nn.Linear(local_dim, dim, bias=False)
        self.W_v = nn.Linear(local_dim, dim, bias=False)
        self.gru = nn.GRUCell(dim, dim)
        self.mlp = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, dim)
        )
        self.norm_slots = nn.LayerNorm(dim)
        nn.init.constant_(self.norm_slots.weight, slot_gain)
        self.norm_global = nn.LayerNorm(dim)
        start_weights(self, generator)

    def forward(
        self,
        psi: Tensor,
        phi: Tensor,
        mask: Tensor | None = None,
        *,
        generator: torch.Generator | None = None,
    ) -> ElementSet:
        """psi: (B, N, local_dim), phi: (B, D) or (B, K, D), mask: (B, N) -> `ElementSet`.

        `generator` is for the slots that are drawn while training.
        """
        x = self.norm_local(psi)
        code = position_code(x, mask, self.positions)
        k, v = self.W_k(x if code is None else x + code), self.W_v(x)  # (B, N, D)
        E = self.slots(len(psi), generator)
        A_hat = psi.new_zeros(len(psi), E.shape[1], psi.shape[1])
        for _ in range(self.T):
            M: Tensor = k @ self.W_q(self.norm_state(E)).transpose(1, 2) / math.sqrt(E.shape[-1])
            A = M.float().softmax(-1) + _EPS  # (B, N, K); half precision does not have 1e-8
            if mask is not None:
                A = A.masked_fill(~mask.unsqueeze(-1), 0)
            A_hat = (A / A.sum(1, keepdim=True).clamp_min(_EPS)).transpose(1, 2).to(v.dtype)
            E = gru_step(self.gru, A_hat @ v, E)
            E = E + self.mlp(E)
        slots = self.norm_slots(E)
        S: Tensor = slots + self.global_weight * self.norm_global(for_each(phi))
        return ElementSet(F.normalize(S, dim=-1), slots, A_hat)


def gru_step(gru: nn.GRUCell, seen: Tensor, state: Tensor) -> Tensor:
    """One step of a GRU for each slot; seen, state: (B, K, D) -> (B, K, D)."""
    # Under autocast what was seen is in half precision and the state is not.
    dtype = gru.weight_hh.dtype
    out: Tensor = gru(seen.flatten(0, 1).to(dtype), state.flatten(0, 1).to(dtype))
    return out.view(state.shape).to(state.dtype)
