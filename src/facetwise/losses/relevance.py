"""Keeps PAN's relevance from collapsing: onto few conditions, or onto one vector for all pairs."""

import math

import torch
from torch import Tensor

__all__ = ["relevance_kl", "relevance_truth"]


def relevance_kl(relevance: Tensor) -> Tensor:
    """KL(w || uniform) = ln M - H(w) of each pair's relevance, mean over pairs.

    relevance: (P, M), rows sum to 1 -> a scalar between 0 (all conditions count alike) and ln M.
    Not in the paper; with weight .3 it made steering change what is found.

    >>> relevance_kl(torch.tensor([[0.5, 0.5], [1.0, 0.0]]))
    tensor(0.3466)
    """
    if relevance.dim() != 2 or relevance.numel() == 0:
        raise ValueError(f"relevance must be (P, M) and not empty, not {tuple(relevance.shape)}")
    w = relevance if relevance.dtype == torch.float64 else relevance.float()
    # Not torch.special.entr: its gradient at 0 is infinite.
    entropy = -(w * w.clamp_min(torch.finfo(w.dtype).tiny).log()).sum(1)
    return math.log(w.shape[1]) - entropy.mean()


def relevance_truth(relevance: Tensor, targets: Tensor, mask: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy of the relevance of different pairs with what they truly differ in. Ours.

    Of a pair of different things (y = 0) the target is even over those of the first T conditions
    that should say no (target 0, mask 1): of attribute groups, those in which the two are known to
    differ, which is why they are different. (Of single attributes it depends on f_a what no means;
    with ``or`` that neither has it.) Pairs of which there is no such condition, and similar pairs,
    say nothing.

    Args:
        relevance: (P, M), rows sum to 1.
        targets: (P, T) what the taught conditions should say, T <= M.
        mask: (P, T) 1 where that is known.
        y: (P,) 1 similar, 0 not, -1 not known.

    Returns:
        A scalar, the mean over the pairs that say something; 0 without any.

    >>> w = torch.tensor([[0.9, 0.1], [0.5, 0.5]])
    >>> differ = torch.tensor([[0.0, 1.0], [0.0, 0.0]])
    >>> relevance_truth(w, differ, torch.ones(2, 2), torch.tensor([0.0, 1.0]))  # -ln .9
    tensor(0.1054)
    """
    if (
        targets.shape != mask.shape
        or len(targets) != len(relevance)
        or y.shape != targets.shape[:1]
    ):
        raise ValueError(
            f"expected targets and mask (P, T) and y (P,) for relevance {tuple(relevance.shape)}, "
            f"not {tuple(targets.shape)}, {tuple(mask.shape)} and {tuple(y.shape)}"
        )
    w = relevance if relevance.dtype == torch.float64 else relevance.float()
    differ = ((targets == 0) & (mask > 0) & (y == 0)[:, None]).to(w.dtype)
    count = differ.sum(1)
    logs = w[:, : targets.shape[1]].clamp_min(torch.finfo(w.dtype).tiny).log()
    each = -(differ * logs).sum(1) / count.clamp_min(1)
    return each.sum() / (count > 0).sum().clamp_min(1)
