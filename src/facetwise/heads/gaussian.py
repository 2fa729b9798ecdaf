"""Gaussian heads: an item as a distribution instead of a point (PCME, PCME++; METHODS 3.5, 3.6)."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facetwise.errors import InputError
from facetwise.heads.element_set import normal, start_weights
from facetwise.heads.gpo import GPO
from facetwise.heads.pie_net import LocalAttention, PIENet

__all__ = ["Gaussian", "GaussianEmbedding", "GaussianGPO", "gaussian_samples"]


class GaussianEmbedding(NamedTuple):
    """B Gaussians with diagonal covariance."""

    mu: Tensor
    """(B, D), rows of length 1."""
    log_sigma: Tensor
    """(B, D): of PCME log sigma, of PCME++ log sigma^2 (METHODS T-42); the losses say which."""
    attention: Tensor
    """(B, 1, N): where mu comes from; rows sum to 1 over the real locations."""


class Gaussian(nn.Module):
    """PCME's head: mu = PIE-Net with one attention, log sigma = fc(A psi) + fc2(phi).

    log sigma has an attention of its own; it is neither normalised nor scaled (METHODS 3.5).

    Args:
        dim: D.
        local_dim: width of the local features.
        pooled: what log sigma takes of the global feature: `"linear"`: fc2(phi), as PCME's image
            side; `"identity"`: phi itself, as its text side adds the Bi-GRU's state.
        hidden: of the attentions; half of `local_dim` in the paper.
        dropout: of PIE-Net's residual; 0 in the paper.
        log_sigma_start: where fc's bias starts; 0 in the paper. Samples are sigma sqrt(D) from mu,
            so at 0 they start far outside the unit sphere; a negative start saves steps.
        generator: randomness of the start.

    Raises:
        InputError: `pooled` is neither.
    """

    def __init__(
        self,
        dim: int,
        local_dim: int,
        *,
        pooled: Literal["linear", "identity"] = "linear",
        hidden: int | None = None,
        dropout: float = 0.0,
        log_sigma_start: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if pooled not in ("linear", "identity"):
            raise InputError(f'pooled must be "linear" or "identity", not {pooled!r}')
        self.mean = PIENet(dim, local_dim, K=1, hidden=hidden, dropout=dropout, generator=generator)
        self.attention = LocalAttention(local_dim, 1, hidden=hidden, generator=generator)
        self.fc = nn.Linear(local_dim, dim)
        self.fc2: nn.Module = nn.Linear(dim, dim) if pooled == "linear" else nn.Identity()
        start_weights(self.fc, generator)
        start_weights(self.fc2, generator)
        nn.init.constant_(self.fc.bias, log_sigma_start)

    def forward(self, psi: Tensor, phi: Tensor, mask: Tensor | None = None) -> GaussianEmbedding:
        """psi: (B, N, local_dim), phi: (B, D), mask: (B, N) -> `GaussianEmbedding`."""
        out = self.mean(psi, phi, mask)
        attended, _ = self.attention(psi, mask)
        log_sigma = self.fc(attended.squeeze(1)) + self.fc2(phi)
        return GaussianEmbedding(out.elements.squeeze(1), log_sigma, out.attention)


class GaussianGPO(nn.Module):
    """PCME++'s head: mu and log sigma^2, each a linear map of the locations pooled by a GPO.

    In the paper each of the two also has a last transformer layer of its own below it, which is the
    encoder's business; the global feature is not used.

    Args:
        dim: D.
        local_dim: width of the local features.
        log_variance_start: where the bias of log sigma^2 starts.
        generator: randomness of the start.
    """

    def __init__(
        self,
        dim: int,
        local_dim: int,
        *,
        log_variance_start: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.W_mu = nn.Linear(local_dim, dim)
        self.W_sigma = nn.Linear(local_dim, dim)
        for layer in (self.W_mu, self.W_sigma):
            start_weights(layer, generator)
        nn.init.constant_(self.W_sigma.bias, log_variance_start)
        self.pool_mu = GPO(generator=generator)
        self.pool_sigma = GPO(generator=generator)

    def forward(self, psi: Tensor, phi: Tensor, mask: Tensor | None = None) -> GaussianEmbedding:
        """psi: (B, N, local_dim), phi: not used, mask: (B, N) -> `GaussianEmbedding`.

        Its `attention` is zero while training: it means to sort once more, for nobody.
        """
        local = self.W_mu(psi)
        mu, _ = self.pool_mu(local, mask)
        log_variance, _ = self.pool_sigma(self.W_sigma(psi), mask)
        b, n, _ = psi.shape
        shares = mu.new_zeros(b, n) if self.training else self.pool_mu.shares(local, mask)
        return GaussianEmbedding(
            F.normalize(mu, dim=-1), log_variance, shares.to(mu.dtype).unsqueeze(1)
        )


def gaussian_samples(
    mu: Tensor,
    log_sigma: Tensor,
    *,
    draws: int = 7,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Samples z = mu + exp(log sigma) eps, eps standard normal; not scaled to length 1 again.

    mu, log_sigma: (B, D) -> (B, J, D), float32 at least. J is 7 in PCME, in training and after.
    Without a generator, as dropout, from the global one.

    >>> gaussian_samples(torch.ones(1, 2), torch.full((1, 2), -99.0), draws=1)
    tensor([[[1., 1.]]])
    """
    dtype = torch.float64 if mu.dtype == torch.float64 else torch.float32
    b, d = mu.shape
    eps = normal(b, draws, d, dtype=dtype, device=mu.device, generator=generator)
    return mu.to(dtype).unsqueeze(1) + log_sigma.to(dtype).exp().unsqueeze(1) * eps
