"""PAN's loss: is the pair similar, and do the supervised conditions say what the attributes say."""

import torch
from torch import Tensor

from facetwise.similarity.conditional import PairScore

__all__ = ["attribute_loss", "conditional"]


def conditional(
    pairs: PairScore,
    y: Tensor,
    targets: Tensor | None = None,
    mask: Tensor | None = None,
    *,
    weight: float = 1.0,
    supervised: int | None = None,
) -> Tensor:
    """L = L_edge + lambda L_attr (METHODS 1.4).

    L_edge is the mean binary cross-entropy of the score p and the label y. L_attr is the mean over
    pairs of sum_m c_m BCE(s_m, t_m) / (sum_m c_m + 1e-6) over the supervised conditions: it acts on
    the condition scores s and never on the relevance w. The conditions after the first A are
    unsupervised: no gradient of L_attr reaches them.

    Args:
        pairs: what `ConditionalSimilarity` returns.
        y: (P,) 1 for similar pairs, 0 for others.
        targets: (P, A) of the first A conditions, as from `combine_attributes`; None: none.
        mask: (P, A) 1 where a target is certain, as from `attribute_mask`; None: everywhere. What
            `targets` holds elsewhere does not matter.
        weight: lambda; 10 on Polyvore, 1e-5 on CUB in the paper.
        supervised: use only the first so many columns of `targets` (the paper's attribute subset).

    Returns:
        A scalar in float32 at least.

    Raises:
        ValueError: shapes do not fit, or there are more targets than conditions.

    >>> half = torch.full((1, 2), 0.5)
    >>> conditional(PairScore(torch.tensor([0.5]), half, half), torch.tensor([1.0]))
    tensor(0.6931)
    """
    p, s, _ = pairs
    if y.shape != p.shape or len(y) == 0:
        raise ValueError(f"y must be ({len(p)},) and not empty, not {tuple(y.shape)}")
    edge = _cross_entropy(p, y).mean()
    if targets is None:
        return edge
    return edge + weight * attribute_loss(s, targets, mask, supervised=supervised)


def attribute_loss(
    s: Tensor,
    targets: Tensor,
    mask: Tensor | None = None,
    *,
    supervised: int | None = None,
) -> Tensor:
    """L_attr alone: do the supervised conditions say what the attributes say (METHODS 1.4).

    Args:
        s: (P, M) condition scores.
        targets: (P, A), as in `conditional`.
        mask: (P, A), as in `conditional`.
        supervised: as in `conditional`.

    Returns:
        A scalar in float32 at least; 0 where nothing is certain.

    Raises:
        ValueError: shapes do not fit, or there are more targets than conditions.
    """
    a = targets.shape[1] if supervised is None else supervised
    if targets.shape[0] != len(s) or not 0 <= a <= min(s.shape[1], targets.shape[1]):
        raise ValueError(
            f"{a} supervised conditions do not fit targets {tuple(targets.shape)} "
            f"and condition scores {tuple(s.shape)}"
        )
    if mask is not None and mask.shape != targets.shape:
        raise ValueError(f"mask must be {tuple(targets.shape)}, not {tuple(mask.shape)}")
    t = targets[:, :a]
    c = torch.ones_like(t) if mask is None else mask[:, :a].to(s.dtype)
    # The score of a masked node is replaced before the logarithm, so that nothing flows back from
    # it.
    each = _cross_entropy(s[:, :a].where(c > 0, 0.5), t.where(c > 0, 0))
    return ((c * each).sum(1) / (c.sum(1) + 1e-6)).mean()


def _cross_entropy(p: Tensor, y: Tensor) -> Tensor:
    """BCE of probabilities; the logs stop at the smallest float, so 0 and 1 have a finite loss.

    Not PyTorch's own, which refuses to run under autocast.
    """
    p = p if p.dtype == torch.float64 else p.float()
    y = y.to(p.dtype)
    tiny = torch.finfo(p.dtype).tiny
    return -(y * p.clamp_min(tiny).log() + (1 - y) * (1 - p).clamp_min(tiny).log())
