"""What a model answers: a matrix of scores, or rankings of ids, asked the same questions.

Protocols ask only where the right answers stand, images asking for texts or texts for images; so
they measure a model of ours and anybody's file by the same lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Protocol

import torch
from torch import Tensor

from facetwise.errors import InputError
from facetwise.metrics.from_ranks import first_ranks
from facetwise.metrics.places import Places, Ties
from facetwise.metrics.positives import Positives, first_places, positive_ranks
from facetwise.metrics.rankings import fold_ranking_ranks, ranking_ranks

__all__ = ["DEPTH", "Answers", "Matrix", "Rankings", "Way"]

DEPTH: Final = 10
"""R@10 is the deepest recall: a ranking that was cut shorter says less than what is asked."""

Way = Literal["i2t", "t2i"]
"""Images ask for texts, or texts for images."""


class Answers(Protocol):
    """Ranked texts for each image and ranked images for each text."""

    @property
    def images(self) -> int:
        """How many images there are."""

    @property
    def texts(self) -> int:
        """How many texts there are."""

    def block(self, images: range, texts: range) -> Answers:
        """As if there were only these images and texts, numbered from 0: a fold."""

    def first(self, way: Way, positives: Positives) -> Places:
        """Where the best positive of every query stands."""

    def every(self, way: Way, positives: Positives, *, ties: Ties = "pessimistic") -> Tensor:
        """The rank of every positive, (E,) float64 from 1."""


@dataclass(frozen=True)
class Matrix:
    """Scores of every image with every text.

    Attributes:
        scores: (B, C), higher is better.

    >>> answers = Matrix(torch.tensor([[0.9, 0.8, 0.1], [0.3, 0.4, 0.2]]))
    >>> answers.first("t2i", Positives.of_owner(torch.tensor([0, 0, 1]), 2).flipped(3)).ranks()
    tensor([1., 1., 1.], dtype=torch.float64)
    """

    scores: Tensor

    @property
    def images(self) -> int:
        """B."""
        return self.scores.shape[0]

    @property
    def texts(self) -> int:
        """C."""
        return self.scores.shape[1]

    def block(self, images: range, texts: range) -> Matrix:
        """A view of these rows and columns."""
        return Matrix(self.scores[images.start : images.stop, texts.start : texts.stop])

    def first(self, way: Way, positives: Positives) -> Places:
        """Where the best positive of every query stands."""
        return first_places(self._asked(way), positives)

    def every(self, way: Way, positives: Positives, *, ties: Ties = "pessimistic") -> Tensor:
        """The rank of every positive, (E,) float64 from 1.

        Raises:
            InputError: ties is ``mean``, which is no single order.
        """
        if ties == "mean":
            raise InputError(
                "shuffled ties give no order of many positives; take --ties pessimistic"
            )
        return positive_ranks(self._asked(way), positives, ties=ties)

    def _asked(self, way: Way) -> Tensor:
        return self.scores if way == "i2t" else self.scores.T


@dataclass(frozen=True)
class Rankings:
    """Lists of items, best first, possibly cut short: what other people's programs write.

    Attributes:
        i2t: (B, L) integers: texts for each image; -1 pads short lists at their end.
        t2i: (C, M) integers: images for each text.
        fold: the images and texts that count; None: all. Lists keep all items' numbers.

    >>> answers = Rankings(torch.tensor([[0, 2, 1], [2, 1, 0]]), torch.tensor([[0, 1]] * 3))
    >>> answers.first("i2t", Positives.of_owner(torch.tensor([0, 0, 1]), 2)).ranks()
    tensor([1., 1.], dtype=torch.float64)
    """

    i2t: Tensor
    t2i: Tensor
    fold: tuple[range, range] | None = None

    @property
    def images(self) -> int:
        """B."""
        return len(self.i2t) if self.fold is None else len(self.fold[0])

    @property
    def texts(self) -> int:
        """C."""
        return len(self.t2i) if self.fold is None else len(self.fold[1])

    def block(self, images: range, texts: range) -> Rankings:
        """A fold of all images and texts; folds are not cut again."""
        return Rankings(self.i2t, self.t2i, (images, texts))

    def first(self, way: Way, positives: Positives) -> Places:
        """Where the best positive of every query stands; lists know no ties.

        Raises:
            InputError: as `every`.
        """
        rank = first_ranks(self.every(way, positives), positives)
        known = (~rank.isnan()).double()
        return Places(rank.nan_to_num(nan=1.0) - 1, torch.zeros_like(rank), known)

    def every(self, way: Way, positives: Positives, *, ties: Ties = "pessimistic") -> Tensor:
        """The rank of every positive, (E,) float64 from 1; inf: not in the list.

        Raises:
            InputError: a list is missing, names an item twice, or is too short for R@10, for the
                first R places, or (any but a whole one) for a fold: METHODS T-35.
        """
        lists = self.i2t if way == "i2t" else self.t2i
        items = len(self.t2i) if way == "i2t" else len(self.i2t)
        if self.fold is not None:
            asked, inside = self.fold if way == "i2t" else self.fold[::-1]
            lists = lists[asked.start : asked.stop]
        self._check(lists, items, way, positives)
        try:
            if self.fold is None:
                return ranking_ranks(lists, positives, items=items)
            moved = Positives(positives.queries, positives.items + inside.start, positives.starts)
            return fold_ranking_ranks(lists, moved, [(range(len(lists)), inside)])
        except ValueError as error:
            raise InputError(f"{way}: {error}") from error

    def _check(self, lists: Tensor, items: int, way: Way, positives: Positives) -> None:
        if len(lists) != len(positives):
            raise ValueError(f"{len(positives)} queries ask {len(lists)} rankings")
        need = positives.counts.clamp_min(DEPTH).clamp_max(items)
        if self.fold is not None:
            need = torch.full_like(need, items)
        length = (lists >= 0).sum(1)
        short = (length < need) & (positives.counts > 0)
        if not bool(short.any()):
            return
        row = int(short.int().argmax())
        what = f"{way}: {int(short.sum()):,} of {int((positives.counts > 0).sum()):,} rankings"
        if int(length[row]) == 0:
            raise InputError(f"{what} are missing or too short; query {row} (from 0) has none")
        why = "COCO 1K asks within folds" if self.fold is not None else "R@10 and mAP@R look so far"
        raise InputError(
            f"{what} are too short: query {row} (from 0) lists {int(length[row]):,} of the "
            f"{int(need[row]):,} places needed ({why}); give longer rankings, or the score matrix"
        )
