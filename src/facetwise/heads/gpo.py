"""GPO, the generalised pooling operator of VSE-infinity (METHODS 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facetwise.heads.element_set import start_weights
from facetwise.heads.positions import waves

__all__ = ["GPO"]


class GPO(nn.Module):
    """Weighted sum of each dimension's sorted values; the weights know only rank and set size.

    v_i = sum_k theta_k * (k-th largest of phi^i),  theta = softmax_k(score_k / temperature), the
    score of rank k of N from a Bi-GRU over sine codes p_0 ... p_{N-1} (two directions averaged) and
    a linear map without bias. Mean pooling is theta = 1/N, max pooling theta = (1, 0, ...), and
    what lies between them is learned. The paper says MLP, its code has the linear map (T-43).

    Args:
        code_dim: width of the codes; 32 in the paper.
        hidden: of the GRU, per direction; 32 in the paper.
        temperature: of the softmax; .1 in the paper's code.
        generator: randomness of the start.
    """

    def __init__(
        self,
        *,
        code_dim: int = 32,
        hidden: int = 32,
        temperature: float = 0.1,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.code_dim, self.temperature = code_dim, temperature
        self.gru = nn.GRU(code_dim, hidden, batch_first=True, bidirectional=True)
        self.score = nn.Linear(hidden, 1, bias=False)
        start_weights(self, generator)

    def forward(self, psi: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Pool each item's local features.

        Args:
            psi: (B, N, C).
            mask: (B, N) true where real, anywhere in a row; None: everywhere. Only real locations
                are sorted and counted (METHODS T-44); what the others hold does not matter.

        Returns:
            The pooled (B, C), zero where nothing is real, and theta (B, N): the weight of each
            *rank*, rows sum to 1, zero beyond the item's size. `shares` says it of locations.
        """
        lengths = _lengths(psi, mask)
        theta = self.coefficients(lengths, psi.shape[1])
        if mask is not None:
            psi = psi.masked_fill(~mask.unsqueeze(-1), float("-inf"))
        ranked = psi.sort(dim=1, descending=True).values
        ranked = ranked.masked_fill(_beyond(lengths, psi.shape[1]).unsqueeze(-1), 0)
        return (theta.to(psi.dtype).unsqueeze(-1) * ranked).sum(1), theta

    def coefficients(self, lengths: Tensor, width: int) -> Tensor:
        """The theta of sets of these sizes. lengths: (B,) -> (B, width), zero beyond each size."""
        sizes, back = lengths.clamp_min(1).unique(return_inverse=True)
        if len(sizes) == 0:
            return torch.zeros(0, width, device=lengths.device)
        # Once for each size, not for each item: the features play no part. In float32, autocast or
        # not: a tenth of a rounding error becomes a whole one under the softmax.
        with torch.autocast(lengths.device.type, enabled=False):
            place = torch.arange(width, device=lengths.device)
            codes = waves(place.float(), self.code_dim).to(self.score.weight.dtype)
            packed = nn.utils.rnn.pack_padded_sequence(
                codes.expand(len(sizes), -1, -1),
                sizes.cpu(),
                batch_first=True,
                enforce_sorted=False,
            )
            states, _ = nn.utils.rnn.pad_packed_sequence(
                self.gru(packed)[0], batch_first=True, total_length=width
            )
            score = self.score(states.unflatten(-1, (2, -1)).mean(-2)).squeeze(-1)  # (sizes, N)
            score = score.masked_fill(_beyond(sizes, width), float("-inf"))
            theta: Tensor = (score / self.temperature).softmax(1)
        return theta[back]

    @torch.no_grad()
    def shares(self, psi: Tensor, mask: Tensor | None = None) -> Tensor:
        """How much each location counted: theta at its rank, mean over the C dimensions.

        psi: (B, N, C), mask: (B, N) -> (B, N), rows sum to 1 over the real locations.
        """
        b, n, c = psi.shape
        theta = self.coefficients(_lengths(psi, mask), n)
        if mask is not None:
            psi = psi.masked_fill(~mask.unsqueeze(-1), float("-inf"))
        places = psi.argsort(dim=1, descending=True)
        counted = theta.new_zeros(b, n, c).scatter_(1, places, theta.unsqueeze(-1).expand(b, n, c))
        shares = counted.mean(-1)
        return shares if mask is None else shares.masked_fill(~mask, 0)


def _lengths(psi: Tensor, mask: Tensor | None) -> Tensor:
    b, n, _ = psi.shape
    if mask is None:
        return torch.full((b,), n, device=psi.device)
    if mask.shape != (b, n):
        raise ValueError(f"mask must be {(b, n)}, not {tuple(mask.shape)}")
    return mask.sum(1)


def _beyond(lengths: Tensor, width: int) -> Tensor:
    """(B, width) bool: ranks that a set of this size does not have."""
    return torch.arange(width, device=lengths.device) >= lengths.unsqueeze(1)
