"""What a step of a pair model's training looks at: items, and which pairs of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from facetwise.data.sampling import ClassBatches

__all__ = ["ClassPairs", "PairBatch", "PairBatches"]


class PairBatch(NamedTuple):
    """B items and P unordered pairs of them."""

    rows: Tensor
    """(B,) numbers of the items."""
    i: Tensor
    """(P,) one item of each pair, as its place in `rows`."""
    j: Tensor
    """(P,) the other."""
    y: Tensor
    """(P,) float: 1 similar, 0 not, -1 nothing is said."""
    labels: Tensor
    """(B,) the class that each item was drawn for, which means something within the batch only;
    -1 without."""
    types: Tensor | None = None
    """(B,) what the items are, where a negative must be of its positive's type; -1 for unknown."""


class PairBatches(Protocol):
    """Step t's batch depends on the seed and t alone, so that training can go on from any step."""

    def batch(self, step: int) -> PairBatch: ...


class ClassPairs:
    """All pairs within class-balanced batches (FIELDNOTES, PAN 3).

    Args:
        labellings: as in `ClassBatches`.
        classes: a batch.
        per_class: items of each.
        types: (N,) what the items are, -1 for unknown; then a pair of different classes is a
            negative only if both are of one type, as a wrong answer to "which one goes with these?"
        seed: of the draws.
    """

    def __init__(
        self,
        labellings: Sequence[Tensor],
        *,
        classes: int,
        per_class: int,
        types: Tensor | None = None,
        seed: int = 0,
    ) -> None:
        self._classes = ClassBatches(labellings, classes=classes, per_class=per_class, seed=seed)
        self._types = types

    def batch(self, step: int) -> PairBatch:
        """All pairs i < j of the batch."""
        rows, labels = self._classes.batch(step)
        i, j = torch.triu_indices(len(rows), len(rows), 1)
        y = (labels[i] == labels[j]).float()
        if self._types is not None:
            types = self._types[rows]
            alike = (types[i] == types[j]) & (types[i] >= 0)
            y = torch.where((y == 0) & ~alike, -1.0, y)
        return PairBatch(rows, i, j, y, labels)
