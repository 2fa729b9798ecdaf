"""Where does the first right answer stand? Ranks, recall@k, median rank, RSUM (METHODS section 5).

Ties decide what a collapsed model looks like, so every function takes a side:

- `"pessimistic"` (the default): everything wrong that ties with the right answer stands before it;
- `"optimistic"`: everything wrong that ties stands behind it;
- `"mean"`: the expected figure when tied items are shuffled.
"""

from collections.abc import Sequence
from typing import overload

import torch
from torch import Tensor

from facetwise.metrics.places import Places, Ties, check_ties

__all__ = [
    "Ties",
    "check_scores",
    "distinct_images",
    "hits_at_k",
    "median_rank",
    "owner_relevance",
    "ranks",
    "recall_at_k",
    "rsum",
]


def ranks(scores: Tensor, relevant: Tensor, *, ties: Ties = "pessimistic") -> Tensor:
    """Rank of each query's best-placed relevant item; 1 is first.

    Args:
        scores: (Q, N), higher is better; -inf takes an item (the query itself, say) out of the
            race.
        relevant: (Q, N) bool, or (Q,) int64: the index of the one relevant item.
        ties: see the module; "mean" with r relevant and t others tied adds t / (r + 1).

    Returns:
        (Q,) float64; NaN for queries without any relevant item.

    Raises:
        ValueError: shapes do not fit, an index is out of range, or a score is NaN.

    >>> scores = torch.tensor([[0.9, 0.9, 0.1], [0.5, 0.2, 0.3]])
    >>> ranks(scores, torch.tensor([1, 2]))
    tensor([2., 2.], dtype=torch.float64)
    >>> ranks(scores, torch.tensor([1, 2]), ties="optimistic")
    tensor([1., 2.], dtype=torch.float64)
    """
    return _places(scores, relevant, ties).ranks(ties)


def hits_at_k(scores: Tensor, relevant: Tensor, k: int, *, ties: Ties = "pessimistic") -> Tensor:
    """Is any relevant item among the first k? (Q,) float64; arguments as for `ranks`.

    0 or 1, a probability for `ties="mean"`, NaN for queries without any relevant item.
    """
    return _places(scores, relevant, ties).hits(k, ties)


@overload
def recall_at_k(
    scores: Tensor, relevant: Tensor, k: int = 1, *, ties: Ties = "pessimistic"
) -> float: ...
@overload
def recall_at_k(
    scores: Tensor, relevant: Tensor, k: Sequence[int], *, ties: Ties = "pessimistic"
) -> dict[int, float]: ...
def recall_at_k(
    scores: Tensor, relevant: Tensor, k: int | Sequence[int] = 1, *, ties: Ties = "pessimistic"
) -> float | dict[int, float]:
    """Share of queries with at least one relevant item among the first k; arguments as for `ranks`.

    Queries without any relevant item do not count (as in ECCV Caption and CxC). One k gives a
    fraction, several give `{k: fraction}`.

    >>> constant = torch.zeros(2, 10)
    >>> recall_at_k(constant, torch.tensor([0, 7]), [1, 5, 10])
    {1: 0.0, 5: 0.0, 10: 1.0}
    >>> recall_at_k(constant, torch.tensor([0, 7]), 5, ties="mean")
    0.5
    """
    if isinstance(k, int):
        return _mean(hits_at_k(scores, relevant, k, ties=ties))
    return {one: _mean(hits_at_k(scores, relevant, one, ties=ties)) for one in k}


def median_rank(scores: Tensor, relevant: Tensor, *, ties: Ties = "pessimistic") -> float:
    """Median over queries of `ranks`; 1 is best. With an even number of queries the middle's mean.

    >>> median_rank(torch.eye(3), torch.arange(3))
    1.0
    """
    rank = ranks(scores, relevant, ties=ties)
    known = rank[~rank.isnan()]
    if len(known) == 0:
        raise ValueError("no query has a relevant item")
    return known.quantile(0.5).item()


def rsum(
    scores: Tensor,
    owner: Tensor,
    *,
    ks: Sequence[int] = (1, 5, 10),
    ties: Ties = "pessimistic",
) -> float:
    """Sum of R@k in percent, image to text plus text to image (at most 600 for the usual three k).

    Args:
        scores: (B, C) of B distinct images (see `distinct_images`) and C captions.
        owner: (C,) which image each caption belongs to.
        ks: the k.
        ties: see the module.

    >>> rsum(torch.eye(10), torch.arange(10))
    600.0
    """
    images = recall_at_k(scores, owner_relevance(owner, len(scores)), ks, ties=ties)
    captions = recall_at_k(scores.T, owner, ks, ties=ties)
    return 100 * (sum(images.values()) + sum(captions.values()))


def owner_relevance(owner: Tensor, images: int) -> Tensor:
    """(B, C) bool for B images and the owners (C,) of C captions: what image queries should find.

    The other way, captions asking for their image, `owner` itself is the `relevant` of `ranks`.

    >>> owner_relevance(torch.tensor([0, 0, 1]), 2).tolist()
    [[True, True, False], [False, False, True]]
    """
    if owner.dim() != 1 or owner.dtype != torch.long:
        raise ValueError(f"owner must be (C,) int64, not {owner.dtype} of {tuple(owner.shape)}")
    return owner == torch.arange(images, device=owner.device).unsqueeze(1)


def distinct_images(images: Tensor, captions: int, *, per_image: int = 5) -> Tensor:
    """Undo the repetition of some published arrays, which hold each image once per caption (T-31).

    images: (n, ...) features, sets or rows of scores. If there are as many as captions and each run
    of `per_image` rows is identical, every first one of a run; otherwise all of them as they are.
    Ranked with the repetition, a caption would find its image five times and R@k would measure
    R@(k/5).

    >>> distinct_images(torch.arange(4).repeat_interleave(5), captions=20)
    tensor([0, 1, 2, 3])
    >>> distinct_images(torch.arange(20), captions=20).shape
    torch.Size([20])
    """
    if len(images) != captions or captions % per_image:
        return images
    runs = images.reshape(-1, per_image, *images.shape[1:])
    return runs[:, 0] if bool((runs == runs[:, :1]).all()) else images


def _places(scores: Tensor, relevant: Tensor, ties: str) -> Places:
    check_scores(scores, ties)
    q, n = scores.shape
    if relevant.dtype == torch.bool and relevant.shape == (q, n):
        best = scores.masked_fill(~relevant, float("-inf")).amax(1, keepdim=True)
        tied = scores == best
        tied_relevant = (tied & relevant).sum(1)
    elif relevant.dtype == torch.long and relevant.shape == (q,):
        if bool(((relevant < 0) | (relevant >= n)).any()):
            raise ValueError(f"relevant items must be in 0 ... {n - 1}")
        best = scores.gather(1, relevant.unsqueeze(1))
        tied = scores == best
        tied_relevant = torch.ones_like(relevant)
    else:
        raise ValueError(
            f"relevant must be bool ({q}, {n}) or int64 ({q},), "
            f"not {relevant.dtype} of shape {tuple(relevant.shape)}"
        )
    better = (scores > best).sum(1)
    tied_others = tied.sum(1) - tied_relevant
    return Places(better.double(), tied_others.double(), tied_relevant.double())


def check_scores(scores: Tensor, ties: str) -> None:
    """Raise ValueError unless scores is (Q, N), not empty and without NaN, and `ties` is known."""
    if scores.dim() != 2 or scores.numel() == 0:
        raise ValueError(f"scores must be (Q, N) and not empty, not {tuple(scores.shape)}")
    check_ties(ties)
    if bool(scores.isnan().any()):
        raise ValueError(f"scores {tuple(scores.shape)} contain NaN, which has no rank")


def _mean(hits: Tensor) -> float:
    known = hits[~hits.isnan()]
    if len(known) == 0:
        raise ValueError("no query has a relevant item")
    return known.mean().item()
