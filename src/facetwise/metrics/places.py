"""Where the best right answer of each query stands, and what ties make of it."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

__all__ = ["Places", "Ties", "check_ties"]

Ties = Literal["pessimistic", "optimistic", "mean"]


@dataclass(frozen=True)
class Places:
    """Of each query's best relevant item, all (Q,) float64: from these come all figures of ranks.

    Attributes:
        better: how many items score strictly more.
        tied_others: how many irrelevant items score the same.
        tied_relevant: how many relevant items score the same, itself too; 0: there is none at all.
    """

    better: Tensor
    tied_others: Tensor
    tied_relevant: Tensor

    def __len__(self) -> int:
        return len(self.better)

    def ranks(self, ties: Ties = "pessimistic") -> Tensor:
        """(Q,) float64 from 1; NaN for queries without any relevant item.

        `"mean"` with r relevant and t others tied adds t / (r + 1).

        >>> one = Places(*torch.tensor([[0.0], [3.0], [1.0]], dtype=torch.float64))
        >>> [one.ranks(ties).item() for ties in ("pessimistic", "optimistic", "mean")]
        [4.0, 1.0, 2.5]
        """
        check_ties(ties)
        rank = self.better + 1
        if ties == "pessimistic":
            rank = rank + self.tied_others
        elif ties == "mean":
            rank = rank + self.tied_others / (self.tied_relevant + 1)
        return rank.masked_fill(self.tied_relevant == 0, torch.nan)

    def hits(self, k: int, ties: Ties = "pessimistic") -> Tensor:
        """Is any relevant item among the first k? (Q,) float64, NaN without any relevant item.

        0 or 1; for `"mean"` the probability that it is when tied items are shuffled.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        if ties != "mean":
            rank = self.ranks(ties)
            return (rank <= k).double().masked_fill(rank.isnan(), torch.nan)
        t, r = self.tied_others, self.tied_relevant
        drawn = (k - self.better).clamp_min(0).minimum(t + r)  # of the tied, how many come first
        # P(all of them wrong) = C(t, drawn) / C(t + r, drawn); for r = 1 without a rounding error
        log_miss = _log_factorial(t) + _log_factorial(t + r - drawn)
        log_miss = log_miss - _log_factorial((t - drawn).clamp_min(0)) - _log_factorial(t + r)
        miss = log_miss.exp().masked_fill(drawn > t, 0).where(r != 1, 1 - drawn / (t + 1))
        return (1 - miss).clamp(0, 1).masked_fill(r == 0, torch.nan)

    @property
    def tied(self) -> Tensor:
        """(Q,) bool: does the rank hang on the tie rule (pessimistic differs from optimistic)?"""
        return (self.tied_others > 0) & (self.tied_relevant > 0)


def check_ties(ties: str) -> None:
    """Raise ValueError unless `ties` is one of the three rules."""
    if ties not in get_args(Ties):
        raise ValueError(f"ties must be one of {', '.join(get_args(Ties))}, not {ties!r}")


def _log_factorial(n: Tensor) -> Tensor:
    return torch.lgamma(n + 1)
