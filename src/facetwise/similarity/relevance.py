"""Does the relevance of conditions depend on the pair at all? Figures to report beside every PAN.

PAN's relevance tends to collapse: to one constant vector for all pairs, and onto the unsupervised
conditions (FIELDNOTES, PAN 5). Steering such a model does nothing and explaining it says nothing.
"""

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["RelevanceEntropy", "relevance_entropy", "relevance_mass"]


class RelevanceEntropy(NamedTuple):
    """Entropies in nats; equal when every pair has the same relevance, at most ln M."""

    pair: float  # mean over pairs of the entropy of a pair's relevance
    mean: float  # entropy of the mean relevance


def relevance_entropy(relevance: Tensor) -> RelevanceEntropy:
    """Entropy of a pair's relevance against that of the mean relevance; relevance: (P, M).

    Their difference is the mutual information of pair and condition: 0 means collapsed.

    >>> same_for_all = torch.tensor([[0.5, 0.5], [0.5, 0.5]])
    >>> relevance_entropy(same_for_all)
    RelevanceEntropy(pair=0.693..., mean=0.693...)
    >>> relevance_entropy(torch.eye(2))
    RelevanceEntropy(pair=0.0, mean=0.693...)
    """
    w = _checked(relevance)
    return RelevanceEntropy(_entropy(w).mean().item(), _entropy(w.mean(0)).item())


def relevance_mass(relevance: Tensor, start: int = 0, stop: int | None = None) -> float:
    """Mean share of the relevance (P, M) that goes to the conditions start ... stop - 1.

    `relevance_mass(w, A)` of a hybrid model with A supervised conditions is the mass on the free
    ones.

    >>> relevance_mass(torch.tensor([[0.25, 0.25, 0.5], [0.25, 0.75, 0.0]]), 2)
    0.25
    """
    return _checked(relevance)[:, start:stop].sum(1).mean().item()


def _entropy(w: Tensor) -> Tensor:
    entropy: Tensor = torch.special.entr(w).sum(-1)
    return entropy


def _checked(relevance: Tensor) -> Tensor:
    if relevance.dim() != 2 or len(relevance) == 0:
        raise ValueError(f"relevance must be (P, M) with P > 0, not {tuple(relevance.shape)}")
    return relevance.detach().double()
