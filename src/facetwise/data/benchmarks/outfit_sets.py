"""Outfits as sets of item numbers, and what can be asked of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import torch
from torch import Tensor

__all__ = ["Blanks", "Compatibility", "ItemSets", "Questions", "cleaned"]


@dataclass(frozen=True)
class ItemSets:
    """S sets of item numbers, one after the other.

    Attributes:
        items: (T,) the numbers of all sets' items.
        sizes: (S,) how many of them belong to each set.

    >>> sets = ItemSets.of([[0, 1, 2], [4, 3]])
    >>> len(sets), sets.owner.tolist(), sets.tolist()
    (2, [0, 0, 0, 1, 1], [[0, 1, 2], [4, 3]])
    """

    items: Tensor
    sizes: Tensor

    @classmethod
    def of(cls, sets: Iterable[Sequence[int]]) -> ItemSets:
        """From lists of numbers."""
        sets = list(sets)
        return cls(
            torch.tensor([item for one in sets for item in one], dtype=torch.long),
            torch.tensor([len(one) for one in sets], dtype=torch.long),
        )

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def owner(self) -> Tensor:
        """(T,) the set of each item."""
        return torch.repeat_interleave(torch.arange(len(self.sizes)), self.sizes)

    def tolist(self) -> list[list[int]]:
        """As lists of numbers."""
        items = iter(self.items.tolist())
        return [list(islice(items, size)) for size in self.sizes.tolist()]

    def select(self, keep: Tensor) -> ItemSets:
        """The sets where `keep` (S,) is true."""
        return ItemSets(self.items[keep[self.owner]], self.sizes[keep])


@dataclass(frozen=True)
class Blanks:
    """Q fill-in-the-blank questions.

    Attributes:
        given: the items of each outfit that are shown.
        candidates: (Q, C) item numbers to choose from; -1 pads a question that has fewer.
        answers: (Q,) the place of the right one among the candidates.
        position: (Q,) where the blank is in the outfit, counted from 1; 0 where it is not known.
    """

    given: ItemSets
    candidates: Tensor
    answers: Tensor
    position: Tensor

    def __len__(self) -> int:
        return len(self.candidates)

    @property
    def chance(self) -> float:
        """What guessing gets: the mean of 1 / number of candidates; NaN without questions."""
        return (1 / (self.candidates >= 0).sum(1).double()).mean().item()

    def select(self, keep: Tensor) -> Blanks:
        """The questions where `keep` (Q,) is true."""
        return Blanks(
            self.given.select(keep), self.candidates[keep], self.answers[keep], self.position[keep]
        )


@dataclass(frozen=True)
class Compatibility:
    """S sets of items, true outfits and false ones.

    Attributes:
        outfits: the sets.
        labels: (S,) bool, true for a real outfit.
        unit: (S,) sets with one number belong together, such as a negative and the outfit that it
            was made of: they are drawn together when an interval is estimated.
    """

    outfits: ItemSets
    labels: Tensor
    unit: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, keep: Tensor) -> Compatibility:
        """The sets where `keep` (S,) is true."""
        return Compatibility(self.outfits.select(keep), self.labels[keep], self.unit[keep])


@dataclass(frozen=True)
class Questions:
    """What is asked about outfits, over the numbers of one list of items.

    Attributes:
        blanks: fill in the blank.
        compatibility: outfits to tell from false ones.
        left_out: outfits that no question could be made of.
    """

    blanks: Blanks
    compatibility: Compatibility
    left_out: int = 0


def cleaned(questions: Questions) -> Questions:
    """Questions that can be answered: what is wrong with released files is taken out.

    False outfits that are, as sets, some true outfit (METHODS T-1) go; so do candidates that are
    given items or stand there twice, and questions whose right answer is a given item.

    >>> asked = Compatibility(
    ...     ItemSets.of([[0, 1], [1, 0], [1, 2]]),
    ...     torch.tensor([True, False, False]),
    ...     torch.tensor([0, 0, 1]),
    ... )
    >>> blanks = Blanks(
    ...     ItemSets.of([[0, 1], [3]]),
    ...     torch.tensor([[2, 1, 4, 4], [3, 1, 2, 4]]),
    ...     torch.tensor([0, 0]),
    ...     torch.tensor([3, 1]),
    ... )
    >>> kept = cleaned(Questions(blanks, asked))
    >>> kept.compatibility.outfits.tolist(), kept.blanks.candidates.tolist()
    ([[0, 1], [1, 2]], [[2, -1, 4, -1]])
    """
    asked, blanks = questions.compatibility, questions.blanks
    labels = asked.labels.tolist()
    sets = [frozenset(one) for one in asked.outfits.tolist()]
    true = {one for one, label in zip(sets, labels, strict=True) if label}
    keep = [label or one not in true for one, label in zip(sets, labels, strict=True)]
    candidates = blanks.candidates.clone()
    answerable: list[bool] = []
    rows = zip(blanks.given.tolist(), candidates.tolist(), blanks.answers.tolist(), strict=True)
    for row, (given, choices, answer) in enumerate(rows):
        right = choices[answer]
        answerable.append(right not in given)
        seen = {*given, right}
        for place, item in enumerate(choices):
            if place != answer and item in seen:
                candidates[row, place] = -1
            seen.add(item)
    return Questions(
        replace(blanks, candidates=candidates).select(torch.tensor(answerable, dtype=torch.bool)),
        asked.select(torch.tensor(keep, dtype=torch.bool)),
        questions.left_out,
    )
