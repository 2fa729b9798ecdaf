"""The paper's pairs: half of those that belong together, each with one drawn negative.

All pairs within a class (or an outfit) are shuffled. The first half are the edges over which a
graph encoder passes messages, the second half the positives; for each positive the negative is one
of its two items and a random item of another class (METHODS 1.5, 1.6). Without a graph encoder the
positives are the same half. Pairs are drawn once (T-10); `redraw` draws new negatives each epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import torch
from torch import Tensor

from facetwise.data.sampling import generator_of
from facetwise.errors import InputError
from facetwise.training.pair_batches import PairBatch

__all__ = ["EdgePairs", "SplitPairs", "pairs_together", "split_pairs"]

_MOST: Final = 1_000_000
"""Pairs that are listed; of more, so many are drawn. CUB's 100 base classes have 170,000."""

_ROUNDS: Final = 40
"""How often a negative is drawn again that belongs with its item."""


class SplitPairs(NamedTuple):
    """Pairs that belong together, i < j, each once."""

    message: Tensor
    """(E, 2) over which a graph encoder passes messages."""
    positive: Tensor
    """(E', 2) to learn from."""


def split_pairs(
    together: Tensor | Sequence[Tensor],
    generator: torch.Generator | None = None,
    *,
    most: int = _MOST,
) -> SplitPairs:
    """Half of the pairs that belong together as edges, the others as positives.

    Args:
        together: (N,) labels, -1 for unknown, or the items of each outfit.
        generator: randomness of the order.
        most: of more pairs, so many are drawn.

    >>> message, positive = split_pairs(torch.tensor([0, 0, 1, 1, 1, -1]))
    >>> len(message), len(positive)
    (2, 2)
    """
    pairs = pairs_together(_members(together), generator, most=most)
    pairs = pairs[torch.randperm(len(pairs), generator=generator)]
    half = len(pairs) // 2
    return SplitPairs(pairs[:half], pairs[half:])


def pairs_together(
    members: Sequence[Tensor], generator: torch.Generator | None = None, *, most: int = _MOST
) -> Tensor:
    """All pairs i < j of items that are members of one class or outfit, (E, 2), each once, sorted.

    Args:
        members: the items of each.
        generator: randomness of the draw, if there are too many.
        most: of more, so many are drawn (with repetitions, which then are left out), each pair with
            equal chance.
    """
    sizes = torch.tensor([len(own) for own in members], dtype=torch.double)
    counts = sizes * (sizes - 1) / 2
    if not len(members) or not counts.sum():
        return torch.empty(0, 2, dtype=torch.long)
    if counts.sum() <= most:
        parts = [own[torch.triu_indices(len(own), len(own), 1)] for own in members if len(own) > 1]
        i, j = torch.cat(parts, dim=1)
    else:
        # By inversion, not torch.multinomial: that takes no more than 2^24 classes.
        at = torch.rand(most, generator=generator, dtype=torch.double) * counts.sum()
        which = torch.searchsorted(counts.cumsum(0), at, right=True).clamp_max(len(members) - 1)
        start = (sizes.cumsum(0) - sizes).long()[which]
        size = sizes.long()[which]
        first = _below(size, generator)
        second = (first + 1 + _below(size - 1, generator)) % size  # never the first itself
        items = torch.cat(list(members))
        i, j = items[start + first], items[start + second]
    low, high = torch.minimum(i, j), torch.maximum(i, j)
    span = int(high.max()) + 1
    codes = (low * span + high)[low != high].unique()
    return torch.stack([codes // span, codes % span], dim=1)


class EdgePairs:
    """Positives of `split_pairs` with one negative each: all in each step, or some in turn.

    Args:
        labellings: ways to call items similar, each labels (N,) with -1 for unknown or the items of
            each outfit; steps take turns.
        splits: of each labelling, as from `split_pairs`.
        batch: pairs a step, half of them positives; 0 takes all (the paper).
        redraw: whether each epoch draws new negatives.
        types: (N,) what items are, -1 for unknown: the negative is then of the type of the item
            that it takes the place of, where others of it are. None: of any.
        seed: of the draws.

    Raises:
        InputError: there is no positive or no negative.

    >>> labels = torch.tensor([0, 0, 0, 1, 1, 1])
    >>> batch = EdgePairs([labels], [split_pairs(labels)], batch=0).batch(0)
    >>> len(batch.y), int(batch.y.sum())
    (6, 3)
    """

    def __init__(
        self,
        labellings: Sequence[Tensor | Sequence[Tensor]],
        splits: Sequence[SplitPairs],
        *,
        batch: int = 0,
        redraw: bool = False,
        types: Tensor | None = None,
        seed: int = 0,
    ) -> None:
        self._drawn = [
            _Drawn(together, split, types)
            for together, split in zip(labellings, splits, strict=True)
            if len(split.positive)
        ]
        self._batch, self._redraw, self._seed = batch, redraw, seed
        self._kept: tuple[tuple[int, int, int], tuple[Tensor, ...]] | None = None
        if not self._drawn:
            raise InputError(
                '[pairs.training] loss: "edges" needs items that belong together: a group or an '
                "attribute value that two have; import them, or train by another loss"
            )

    def batch(self, step: int) -> PairBatch:
        """The pairs of a step, positives and negatives mixed."""
        turn, which = divmod(step, len(self._drawn))
        drawn = self._drawn[which]
        total = 2 * len(drawn.positive)
        size = min(self._batch or total, total)
        epoch, place = divmod(turn, -(-total // size))
        i, j, y = self._epoch(which, epoch)
        some = slice(place * size, (place + 1) * size)
        rows, places = torch.cat([i[some], j[some]]).unique(return_inverse=True)
        left, right = places.chunk(2)
        labels = torch.full_like(rows, -1) if drawn.labels is None else drawn.labels[rows]
        return PairBatch(rows, left, right, y[some], labels)

    def _epoch(self, which: int, epoch: int) -> tuple[Tensor, ...]:
        """All pairs of a labelling in the order of an epoch."""
        drawn = self._drawn[which]
        total = 2 * len(drawn.positive)
        whole = not self._batch or self._batch >= total  # all at once: the order does not matter
        key = (which, epoch if self._redraw else 0, 0 if whole else epoch)
        if self._kept is None or self._kept[0] != key:
            g = generator_of(self._seed, -100 - which - len(self._drawn) * key[1])
            pairs: tuple[Tensor, ...] = drawn.with_negatives(g)
            if not whole:
                order = generator_of(self._seed, which + len(self._drawn) * epoch)
                mixed = torch.randperm(total, generator=order)
                pairs = tuple(part[mixed] for part in pairs)
            self._kept = (key, pairs)
        return self._kept[1]


class _Drawn:
    """Positives of a labelling, and negatives for them."""

    def __init__(
        self, together: Tensor | Sequence[Tensor], split: SplitPairs, types: Tensor | None
    ) -> None:
        self.positive = split.positive
        self.labels = together if isinstance(together, Tensor) else None
        self._members = _members(together)
        known = torch.cat([*self._members, torch.empty(0, dtype=torch.long)]).unique()
        # Items in the order of their types: those of one type are a run; of any, all are.
        kind = torch.zeros_like(known) if types is None else types[known]
        order = kind.argsort(stable=True)
        self._items, self._kinds = known[order], kind[order]
        self._types = types
        if self.labels is None:
            pairs = pairs_together(self._members, most=32 * _MOST)
            self._span = int(known.max()) + 1
            self._codes = pairs[:, 0] * self._span + pairs[:, 1]

    def with_negatives(self, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Items i and j (2E,) and labels y (2E,): the positives, then a negative for each.

        y is -1 where no item was found that does not belong with the other.
        """
        E = len(self.positive)
        side = torch.randint(2, (E,), generator=generator)
        kept = self.positive.gather(1, side[:, None]).squeeze(1)
        replaced = self.positive.gather(1, 1 - side[:, None]).squeeze(1)
        start = torch.zeros(E, dtype=torch.long)
        size = torch.full((E,), len(self._items))
        if self._types is not None:
            kind = self._types[replaced].contiguous()
            first = torch.searchsorted(self._kinds, kind)
            count = torch.searchsorted(self._kinds, kind, right=True) - first
            typed = kind >= 0
            start, size = torch.where(typed, first, start), torch.where(typed, count, size)
        drawn = kept.clone()
        open_ = torch.arange(E)
        for _ in range(_ROUNDS):
            found = self._items[start[open_] + _below(size[open_], generator)]
            drawn[open_] = found
            open_ = open_[self._belong(kept[open_], found)]
            if not len(open_):
                break
        y = torch.cat([torch.ones(E), torch.zeros(E)])
        y[E + open_] = -1
        return (
            torch.cat([self.positive[:, 0], kept]),
            torch.cat([self.positive[:, 1], drawn]),
            y,
        )

    def _belong(self, a: Tensor, b: Tensor) -> Tensor:
        """(P,) bool: one item, or two of one class or outfit."""
        if self.labels is not None:
            return self.labels[a] == self.labels[b]
        codes = torch.minimum(a, b) * self._span + torch.maximum(a, b)
        return (a == b) | torch.isin(codes, self._codes)


def _members(together: Tensor | Sequence[Tensor]) -> list[Tensor]:
    """The items of each class or outfit."""
    if not isinstance(together, Tensor):
        return [own.unique() for own in together if len(own)]
    order = together.argsort(stable=True)
    values, counts = torch.unique_consecutive(together[order], return_counts=True)
    parts = order.split(counts.tolist())
    return [part for value, part in zip(values.tolist(), parts, strict=True) if value >= 0]


def _below(size: Tensor, generator: torch.Generator | None) -> Tensor:
    """A random whole number below each of `size`, (P,), which are at least 1."""
    share = torch.rand(len(size), generator=generator, dtype=torch.double)
    return (share * size).long().minimum(size - 1)
