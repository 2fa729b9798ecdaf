"""Outfits: fill in the blank and compatibility from the scores of pairs (METHODS 1.6 and 5).

A candidate scores the mean over the given items of p(item, candidate), an outfit the mean over all
pairs of its items. Each distinct pair of items is scored once, whatever asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from facetwise.data.benchmarks.outfit_sets import (
    Blanks,
    Compatibility,
    ItemSets,
    Questions,
)
from facetwise.errors import InputError
from facetwise.metrics import Ties, compatibility_auc, fitb_accuracy
from facetwise.metrics.bootstrap import Interval, bootstrap_difference, bootstrap_mean

__all__ = [
    "OutfitScores",
    "PairScorer",
    "auc_terms",
    "blank_hits",
    "outfit_figures",
    "paired_figures",
    "score_questions",
]


class PairScorer(Protocol):
    """Whatever says how well two items go together; higher is better."""

    def pairs(self, r: Tensor, c: Tensor) -> Tensor:
        """Item numbers (P,) and (P,) -> scores (P,); symmetric."""


@dataclass(frozen=True)
class OutfitScores:
    """What one scorer answered.

    Attributes:
        blanks: (Q, C) the candidates' scores, -inf where a question has fewer.
        outfits: (S,) the outfits' scores.
        pairs: distinct pairs that were scored.
    """

    blanks: Tensor
    outfits: Tensor
    pairs: int


def score_questions(scorer: PairScorer, questions: Questions) -> OutfitScores:
    """Score all candidates and all outfits, every distinct unordered pair of items once.

    An outfit with a single item has no pair and scores 0; so does a candidate without given items.

    Raises:
        InputError: a score is NaN.
    """
    blanks, outfits = questions.blanks, questions.compatibility.outfits
    # Equal sets must score equal to the last bit, or ties would be broken by rounding.
    given_owner, given = _sorted_sets(blanks.given)
    width = blanks.candidates.shape[1]
    candidate = blanks.candidates[given_owner]  # (T, C)
    answer = given_owner[:, None] * width + torch.arange(width)
    there = candidate >= 0
    set_owner, left, right = _pairs_within(outfits)
    r = torch.cat([given[:, None].expand_as(candidate)[there], left])
    c = torch.cat([candidate[there], right])
    span = int(torch.cat([r, c]).max()) + 1 if len(r) else 1
    code, place = torch.unique(
        torch.minimum(r, c) * span + torch.maximum(r, c), return_inverse=True
    )
    # float32 scores add up exactly in float64 where they are equal: a constant stays constant.
    scores = scorer.pairs(code // span, code % span).float().double()[place]
    if bool(scores.isnan().any()):
        raise InputError("the model scores some pair of items as NaN; its run is damaged")
    cut = len(r) - len(left)
    means = _segment_means(scores[:cut], answer[there], blanks.candidates.numel())
    return OutfitScores(
        means.view(-1, width).masked_fill(blanks.candidates < 0, -torch.inf),
        _segment_means(scores[cut:], set_owner, len(outfits)),
        len(code),
    )


def outfit_figures(
    scores: OutfitScores, questions: Questions, *, ties: Ties = "pessimistic"
) -> dict[str, Any]:
    """Fill-in-the-blank accuracy in percent and compatibility AUC, with 95% intervals.

    Returns:
        ``fitb``, ``fitb_ci95`` (half of the interval), ``fitb_by_chance`` (ties decided by lot),
        ``chance``, ``questions``, ``auc``, ``auc_ci95``, ``auc_pessimistic`` (equal outfits count
        as lost), ``outfits``. None where nothing of the kind was asked.
    """
    blanks, asked = questions.blanks, questions.compatibility
    figures: dict[str, Any] = dict.fromkeys(("fitb", "fitb_ci95", "fitb_by_chance", "chance"))
    if len(blanks):
        by_lot = fitb_accuracy(scores.blanks, blanks.answers, ties="mean")
        figures["fitb"] = 100 * fitb_accuracy(scores.blanks, blanks.answers, ties=ties)
        figures["fitb_ci95"] = _half(blank_hits(scores, blanks, ties))
        figures["fitb_by_chance"] = 100 * by_lot
        figures["chance"] = 100 * blanks.chance
    figures["questions"] = len(blanks)
    figures |= dict.fromkeys(("auc", "auc_ci95", "auc_pessimistic"))
    if bool(asked.labels.any()) and not bool(asked.labels.all()):
        figures["auc"] = compatibility_auc(scores.outfits, asked.labels)
        figures["auc_ci95"] = _half(*auc_terms(scores, asked))
        figures["auc_pessimistic"] = compatibility_auc(
            scores.outfits, asked.labels, ties="pessimistic"
        )
    return {**figures, "outfits": len(asked)}


def paired_figures(
    scores: OutfitScores,
    rival: OutfitScores,
    questions: Questions,
    *,
    ties: Ties = "pessimistic",
) -> dict[str, Any]:
    """By how much the first beats its rival on the same questions, with 95% intervals.

    Returns:
        ``fitb`` and ``auc``, each a mapping of ``difference``, ``low`` and ``high``; fitb in
        percent. A kind that was not asked is left out.
    """
    found: dict[str, Any] = {}
    if len(questions.blanks) > 1:
        mine, other = (blank_hits(one, questions.blanks, ties) for one in (scores, rival))
        found["fitb"] = _difference(bootstrap_difference(mine, other))
    asked = questions.compatibility
    if bool(asked.labels.any()) and not bool(asked.labels.all()):
        (mine, weights), (other, _) = (auc_terms(one, asked) for one in (scores, rival))
        found["auc"] = _difference(bootstrap_difference(mine, other, weights))
    return found


def _difference(interval: Interval) -> Mapping[str, float]:
    return {"difference": interval.value, "low": interval.low, "high": interval.high}


def _half(sums: Tensor, weights: Tensor | None = None) -> float | None:
    """Half of a 95% interval; None where there are too few units for one."""
    return 1.96 * bootstrap_mean(sums, weights).se if len(sums) > 1 else None


def blank_hits(scores: OutfitScores, blanks: Blanks, ties: Ties) -> Tensor:
    """(Q,) 100 where the right candidate wins, 0 where not; by lot a share of it."""
    right = scores.blanks.gather(1, blanks.answers[:, None])
    above = (scores.blanks > right).any(1)
    equal = (scores.blanks == right).sum(1) - 1
    won = {
        "pessimistic": (equal == 0).double(),
        "optimistic": torch.ones_like(equal, dtype=torch.double),
        "mean": 1 / (equal + 1).double(),
    }[ties]
    return 100 * won.masked_fill(above, 0)


def auc_terms(scores: OutfitScores, asked: Compatibility) -> tuple[Tensor, Tensor]:
    """Sums and weights (U, 2) whose two means add up to the AUC, to be resampled by units.

    The AUC is no mean over outfits, but to first order it is the mean over the true outfits of the
    share of false ones that they beat, plus the mean over the false ones of what they lose by,
    centred (DeLong, DeLong and Clarke-Pearson 1988).
    """
    label = asked.labels.bool()
    share = torch.empty(len(label), dtype=torch.double)
    for mine, sign in ((label, 1), (~label, -1)):
        others = (sign * scores.outfits[~mine]).sort().values
        own = (sign * scores.outfits[mine]).contiguous()
        below = torch.searchsorted(others, own) + torch.searchsorted(others, own, right=True)
        share[mine] = below.double() / (2 * len(others))
    share[~label] -= share[~label].mean()
    unit = asked.unit.unique(return_inverse=True)[1]
    column = (~label).long()
    shape = (int(unit.max()) + 1, 2)
    sums = torch.zeros(shape, dtype=torch.double).index_put_((unit, column), share, accumulate=True)
    weights = torch.zeros_like(sums)
    return sums, weights.index_put_((unit, column), torch.ones_like(share), accumulate=True)


def _sorted_sets(sets: ItemSets) -> tuple[Tensor, Tensor]:
    """Owner and item (T,) of all sets, each set's items in ascending order."""
    order = sets.items.argsort(stable=True)
    order = order[sets.owner[order].argsort(stable=True)]
    return sets.owner[order], sets.items[order]


def _pairs_within(sets: ItemSets) -> tuple[Tensor, Tensor, Tensor]:
    """All unordered pairs of each set's items: the set, the one item and the other, (P,) each.

    >>> [t.tolist() for t in _pairs_within(ItemSets.of([[3, 1, 2], [4], [6, 5]]))]
    [[0, 0, 0, 2], [1, 1, 2, 5], [2, 3, 3, 6]]
    """
    owner, items = _sorted_sets(sets)
    end = sets.sizes.cumsum(0)[owner]
    index = torch.arange(len(items))
    behind = end - index - 1  # items of the same set that come later
    first = torch.repeat_interleave(index, behind)
    start = torch.repeat_interleave(behind.cumsum(0) - behind, behind)
    second = first + 1 + torch.arange(len(first)) - start
    return owner[first], items[first], items[second]


def _segment_means(values: Tensor, segment: Tensor, count: int) -> Tensor:
    """(count,) the mean of each segment's values; 0 where there are none."""
    sums = torch.zeros(count, dtype=torch.double).index_add_(0, segment, values)
    return sums / torch.bincount(segment, minlength=count).clamp(min=1)
