"""Batches of outfits: what is worn together is alike, whatever it looks like.

An item may be in several outfits, so that similarity is no matter of classes: two items are a
positive pair where any outfit holds both. Which pairs are negatives decides what is learned. A
question about outfits asks which of several shoes goes with a dress; so a negative takes the place
of an item of the anchor's outfit, and is of its type. Any other item as a negative would teach
above all which types go together, which such a question does not ask.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from facetwise.data.sampling import generator_of
from facetwise.errors import InputError
from facetwise.training.pair_batches import PairBatch

__all__ = ["OutfitPairs"]


class OutfitPairs:
    """All pairs within batches of a few outfits, with some items of each.

    Args:
        outfits: the items of each; those with fewer than two are left out.
        classes: outfits a batch, at most.
        per_class: items of each, at most.
        types: (N,) what the items are, -1 for unknown; then only pairs of which one item could take
            the place of one of the other's outfit are negatives. None: all pairs are that no outfit
            holds.
        seed: of the draws.

    Raises:
        InputError: there are fewer than two outfits with two items.

    >>> batch = OutfitPairs([[0, 1], [1, 2], [3, 4]], classes=3, per_class=2).batch(0)
    >>> sorted(batch.rows.tolist())  # the item of two outfits is there once
    [0, 1, 2, 3, 4]
    >>> len(batch.y), int(batch.y.sum())
    (10, 3)
    """

    def __init__(
        self,
        outfits: Sequence[Sequence[int]],
        *,
        classes: int,
        per_class: int,
        types: Tensor | None = None,
        seed: int = 0,
    ) -> None:
        members = [torch.tensor(sorted(set(own)), dtype=torch.long) for own in outfits]
        self._members = [own for own in members if len(own) > 1]
        if len(self._members) < 2:
            raise InputError(
                f"[pairs.training] positives: {len(self._members)} outfits have two items or more; "
                'two such outfits are needed, or positives = "group" or "attribute"'
            )
        self._classes, self._per_class, self._types, self._seed = classes, per_class, types, seed
        self._span = 1 + max(int(own[-1]) for own in self._members)
        self._together = torch.cat([self._codes(own) for own in self._members]).unique()

    def batch(self, step: int) -> PairBatch:
        """All pairs i < j of the batch; of two items neither y = 1 nor 0 may hold: then -1."""
        g = generator_of(self._seed, step)
        chosen = torch.randperm(len(self._members), generator=g)[: self._classes].tolist()
        drawn = [self._some(self._members[outfit], g) for outfit in chosen]
        labels = torch.repeat_interleave(
            torch.tensor(chosen), torch.tensor([len(own) for own in drawn])
        )
        rows = torch.cat(drawn)
        # An item that was drawn for two outfits stands where it was drawn first.
        _, place = rows.unique(return_inverse=True)
        first = torch.full((int(place.max()) + 1,), len(rows)).scatter_reduce(
            0, place, torch.arange(len(rows)), "amin"
        )
        kept = first.sort().values
        rows, labels = rows[kept], labels[kept]
        i, j = torch.triu_indices(len(rows), len(rows), 1)
        together = torch.isin(self._code(rows[i], rows[j]), self._together)
        if self._types is None:
            return PairBatch(rows, i, j, together.float(), labels)
        types = self._types[rows]
        replaces = _replaces(together, i, j, types)
        y = torch.where(together, 1.0, torch.where(replaces, 0.0, -1.0))
        return PairBatch(rows, i, j, y, labels, types)

    def _some(self, members: Tensor, g: torch.Generator) -> Tensor:
        return members[torch.randperm(len(members), generator=g)[: self._per_class]]

    def _code(self, r: Tensor, c: Tensor) -> Tensor:
        return torch.minimum(r, c) * self._span + torch.maximum(r, c)

    def _codes(self, members: Tensor) -> Tensor:
        """Of all pairs of an outfit's items, which are in ascending order."""
        left, right = torch.triu_indices(len(members), len(members), 1)
        return self._code(members[left], members[right])


def _replaces(together: Tensor, i: Tensor, j: Tensor, types: Tensor) -> Tensor:
    """(P,) bool: one item is of a known type that the other one's company in the batch has, too.

    together: (P,) bool, of the pairs i (P,) and j (P,); types: (B,).
    """
    count = int(types.max()) + 1 if len(types) else 0
    if count < 1:
        return torch.zeros_like(together)
    company = torch.zeros(len(types), count, dtype=torch.bool)  # the types beside each item
    for one, other in ((i, j), (j, i)):
        known = together & (types[other] >= 0)
        company[one[known], types[other[known]]] = True
    fits = [
        company[one, types[other].clamp_min(0)] & (types[other] >= 0)
        for one, other in ((i, j), (j, i))
    ]
    return fits[0] | fits[1]
