"""Where does the first right answer stand? Ranks, recall@k, median rank, RSUM (METHODS section 5).

Ties decide what a collapsed model looks like, so every function takes a side:

- `"pessimistic"` (the default): everything wrong that ties with the right answer stands before it;
- `"optimistic"`: everything wrong that ties stands behind it;
- `"mean"`: the expected figure when tied items are shuffled.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args, overload

import torch
from torch import Tensor

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

Ties = Literal["pessimistic", "optimistic", "mean"]


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
    place = _place(scores, relevant, ties)
    rank = place.better + 1
    if ties == "pessimistic":
        rank = rank + place.tied_others
    elif ties == "mean":
        rank = rank + place.tied_others / (place.tied_relevant + 1)
    return rank.masked_fill(place.tied_relevant == 0, torch.nan)


def hits_at_k(scores: Tensor, relevant: Tensor, k: int, *, ties: Ties = "pessimistic") -> Tensor:
    """Is any relevant item among the first k? (Q,) float64; arguments as for `ranks`.

    0 or 1, a probability for `ties="mean"`, NaN for queries without any relevant item.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    if ties != "mean":
        rank = ranks(scores, relevant, ties=ties)
        return (rank <= k).double().masked_fill(rank.isnan(), torch.nan)
    place = _place(scores, relevant, ties)
    t, r = place.tied_others, place.tied_relevant
    drawn = (k - place.better).clamp_min(0).minimum(t + r)  # of the tied, how many come first
    # P(all of them wrong) = C(t, drawn) / C(t + r, drawn); for r = 1 without a rounding error
    log_miss = _log_factorial(t) + _log_factorial(t + r - drawn)
    log_miss = log_miss - _log_factorial((t - drawn).clamp_min(0)) - _log_factorial(t + r)
    miss = log_miss.exp().masked_fill(drawn > t, 0).where(r != 1, 1 - drawn / (t + 1))
    return (1 - miss).clamp(0, 1).masked_fill(r == 0, torch.nan)


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


class _Place(NamedTuple):
    """Of each query's best relevant score, all (Q,) float64."""

    better: Tensor  # how many items score strictly more
    tied_others: Tensor  # how many irrelevant items score the same
    tied_relevant: Tensor  # how many relevant items score the same; 0: there is none at all


def _place(scores: Tensor, relevant: Tensor, ties: str) -> _Place:
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
    return _Place(better.double(), tied_others.double(), tied_relevant.double())


def check_scores(scores: Tensor, ties: str) -> None:
    """Raise ValueError unless scores is (Q, N), not empty and without NaN, and `ties` is known."""
    if scores.dim() != 2 or scores.numel() == 0:
        raise ValueError(f"scores must be (Q, N) and not empty, not {tuple(scores.shape)}")
    if ties not in get_args(Ties):
        raise ValueError(f"ties must be one of {', '.join(get_args(Ties))}, not {ties!r}")
    if bool(scores.isnan().any()):
        raise ValueError(f"scores {tuple(scores.shape)} contain NaN, which has no rank")


def _mean(hits: Tensor) -> float:
    known = hits[~hits.isnan()]
    if len(known) == 0:
        raise ValueError("no query has a relevant item")
    return known.mean().item()


def _log_factorial(n: Tensor) -> Tensor:
    return torch.lgamma(n + 1)
