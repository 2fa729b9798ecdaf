"""PIE-Net, PVSE's head: K attentions over the locations, each added to the global feature (3.4)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facetwise.heads.element_set import ElementSet, for_each, start_weights

__all__ = ["LocalAttention", "PIENet"]


class LocalAttention(nn.Module):
    """A = softmax over the N locations of W_2 tanh(W_1 psi), one row for each of K attentions.

    Args:
        local_dim: d, width of the local features.
        K: how many attentions.
        hidden: width between W_1 and W_2; d / 2 in the paper.
        generator: randomness of the start.
    """

    def __init__(
        self,
        local_dim: int,
        K: int = 1,
        *,
        hidden: int | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        hidden = max(1, local_dim // 2) if hidden is None else hidden
        self.W_1 = nn.Linear(local_dim, hidden, bias=False)
        self.W_2 = nn.Linear(hidden, K, bias=False)
        start_weights(self, generator)

    def forward(self, psi: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """psi: (B, N, d), mask: (B, N) -> attended A psi (B, K, d), A (B, K, N).

        Rows of A sum to 1 over the real locations, and are zero where there is none. What padded
        locations hold does not matter.
        """
        if mask is not None:
            psi = psi.masked_fill(~mask.unsqueeze(-1), 0)
        M: Tensor = self.W_2(torch.tanh(self.W_1(psi))).transpose(1, 2)
        if mask is not None:
            M = M.masked_fill(~mask.unsqueeze(1), torch.finfo(M.dtype).min)
        A = M.softmax(-1)
        if mask is not None:
            A = A.masked_fill(~mask.unsqueeze(1), 0)
        return A @ psi, A


class PIENet(nn.Module):
    """Local features and a global one to K unit vectors (PVSE; METHODS 3.4).

    r_k = sigmoid(W (A_k psi) + b),  out_k = LN(phi + r_k), scaled to length 1. The attentions do
    not compete for locations as in DivE's module, and nothing but the loss keeps them apart.

    Args:
        dim: D.
        local_dim: width of the local features.
        K: elements of a set; 2 in the paper on COCO.
        hidden: of the attention; half of `local_dim` in the paper.
        dropout: of the residuals r; 0 in the paper.
        generator: randomness of the start.
    """

    def __init__(
        self,
        dim: int,
        local_dim: int,
        *,
        K: int = 2,
        hidden: int | None = None,
        dropout: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.attention = LocalAttention(local_dim, K, hidden=hidden, generator=generator)
        self.W = nn.Linear(local_dim, dim)
        start_weights(self.W, generator)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(dim)

    def forward(self, psi: Tensor, phi: Tensor, mask: Tensor | None = None) -> ElementSet:
        """psi: (B, N, local_dim), phi: (B, D) or (B, K, D), mask: (B, N) -> `ElementSet`.

        Its `slots` are the residuals r, which PVSE's diversity term is about.
        """
        attended, A = self.attention(psi, mask)
        r = self.dropout(torch.sigmoid(self.W(attended)))
        S = self.norm(for_each(phi) + r)
        return ElementSet(F.normalize(S, dim=-1), r, A)
