"""Where the first right answers stand, both ways, and the figures that follow from that alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from facetwise.evaluation.answers import Answers
from facetwise.metrics.bootstrap import rsum_terms
from facetwise.metrics.from_ranks import median_from_ranks
from facetwise.metrics.places import Places, Ties
from facetwise.metrics.positives import Positives

__all__ = ["KS", "BothWays", "Recalls", "joined_places", "recalls"]

KS: Final = (1, 5, 10)


@dataclass(frozen=True)
class Recalls:
    """Percent of queries with a right answer among the first 1, 5, 10; median rank of the first."""

    r1: float
    r5: float
    r10: float
    medr: float
    queries: int

    @classmethod
    def of(cls, places: Places, ties: Ties = "pessimistic") -> Recalls:
        """Of places; queries without a right answer do not count."""
        known = places.tied_relevant > 0
        if not bool(known.any()):
            return cls(0.0, 0.0, 0.0, 0.0, 0)
        at = [100 * places.hits(k, ties)[known].mean().item() for k in KS]
        median = median_from_ranks(places.ranks(ties))
        return cls(at[0], at[1], at[2], median, int(known.sum()))

    @property
    def total(self) -> float:
        """The three recalls together: this way's half of RSUM."""
        return self.r1 + self.r5 + self.r10

    def to_dict(self) -> dict[str, float | None]:
        """With the field's names; a median rank that short rankings do not reach is None."""
        return {
            "R@1": round(self.r1, 2),
            "R@5": round(self.r5, 2),
            "R@10": round(self.r10, 2),
            "medr": self.medr if math.isfinite(self.medr) else None,
        }


def recalls(rank: Tensor) -> Recalls:
    """(Q,) ranks from 1, NaN for queries without a right answer, which do not count."""
    known = rank[~rank.isnan()]
    if len(known) == 0:
        return Recalls(0.0, 0.0, 0.0, 0.0, 0)
    at = [100 * (known <= k).double().mean().item() for k in KS]
    return Recalls(at[0], at[1], at[2], median_from_ranks(rank), len(known))


@dataclass(frozen=True)
class BothWays:
    """Images asking for texts and texts asking for images.

    Attributes:
        images: places of the B images' best texts.
        texts: places of the C texts' best images.
        unit: (C,) int64, the image that each text is resampled with: its first; 0 without one.
        ties: who stands first among equals.
    """

    images: Places
    texts: Places
    unit: Tensor
    ties: Ties = "pessimistic"

    @classmethod
    def of(cls, answers: Answers, positives: Positives, ties: Ties = "pessimistic") -> BothWays:
        """Rank one matrix by rows and by columns.

        Args:
            answers: of B images and C texts.
            positives: B queries, the texts that are right for each image.
            ties: who stands first among equals.
        """
        back = positives.flipped(answers.texts)
        unit = torch.zeros(answers.texts, dtype=torch.long)
        some = back.counts > 0
        unit[some] = back.items[back.starts[:-1][some]]
        return cls(answers.first("i2t", positives), answers.first("t2i", back), unit, ties)

    @classmethod
    def joined(cls, parts: Sequence[BothWays]) -> BothWays:
        """Folds one behind the other; what hangs on them is then a mean over all queries."""
        if len(parts) == 1:
            return parts[0]
        units: list[Tensor] = []
        before = 0
        for part in parts:
            units.append(part.unit + before)
            before += len(part.images)
        return cls(
            joined_places([part.images for part in parts]),
            joined_places([part.texts for part in parts]),
            torch.cat(units),
            parts[0].ties,
        )

    @property
    def i2t(self) -> Recalls:
        """Of images asking for texts."""
        return Recalls.of(self.images, self.ties)

    @property
    def t2i(self) -> Recalls:
        """Of texts asking for images."""
        return Recalls.of(self.texts, self.ties)

    @property
    def tied(self) -> int:
        """How many queries' first rank hangs on what is done about ties."""
        return int(self.images.tied.sum()) + int(self.texts.tied.sum())

    @property
    def terms(self) -> tuple[Tensor, Tensor]:
        """What `bootstrap` resamples RSUM by: images, each with its texts."""
        return rsum_terms(self.images, self.texts, self.unit, ks=KS, ties=self.ties)


def joined_places(parts: Sequence[Places]) -> Places:
    """Places of tiles or folds, one behind the other."""
    return Places(
        torch.cat([part.better for part in parts]),
        torch.cat([part.tied_others for part in parts]),
        torch.cat([part.tied_relevant for part in parts]),
    )
