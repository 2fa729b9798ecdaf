"""Which items a training step sees.

Step t's batch depends on the seed and t alone, so that training can go on from any step.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["ClassBatches", "TextBatches", "clusters_by_text", "generator_of"]


def generator_of(seed: int, step: int) -> torch.Generator:
    """The generator of a step's randomness."""
    return torch.Generator().manual_seed((seed * 1_000_003 + step + 1) % (2**63 - 1))


def clusters_by_text(texts: Sequence[Sequence[str]]) -> list[list[int]]:
    """Rows that share a text, directly or through others; rows without texts are in none.

    Two pictures of one text in a batch would be each other's negatives, though either fits. Upper
    and lower case and blanks make no difference.

    >>> clusters_by_text([["a red shoe"], ["a hat"], ["a red shoe", "a shoe"], [], ["a shoe"]])
    [[0, 2, 4], [1]]
    """
    owner: dict[str, int] = {}
    parent = list(range(len(texts)))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for row, own in enumerate(texts):
        for text in own:
            words = " ".join(text.casefold().split())
            a, b = root(row), root(owner.setdefault(words, row))
            parent[max(a, b)] = min(a, b)
    found: dict[int, list[int]] = {}
    for row, own in enumerate(texts):
        if own:
            found.setdefault(root(row), []).append(row)
    return list(found.values())


class TextBatches:
    """Batches of items no two of which share a text, each with some of its texts.

    Args:
        texts: (N) for each item the indices of its texts.
        clusters: items that share texts, as from `clusters_by_text`; a batch takes one of each.
        items: B, at most.
        texts_per_item: at most so many texts of each item.
        weights: (clusters,) how often each is drawn, relative to the others; evenly by default.
        seed: of the draws.
    """

    def __init__(
        self,
        texts: Sequence[Sequence[int]],
        clusters: Sequence[Sequence[int]],
        *,
        items: int,
        texts_per_item: int = 1,
        weights: Tensor | None = None,
        seed: int = 0,
    ) -> None:
        self.texts, self.clusters = texts, clusters
        self.weights = torch.ones(len(clusters)) if weights is None else weights
        self.items, self.texts_per_item, self.seed = items, texts_per_item, seed

    def batch(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """Rows (B,), texts (C,), and which row each text belongs to (C,)."""
        g = generator_of(self.seed, step)
        count = min(self.items, len(self.clusters))
        chosen = torch.multinomial(self.weights, count, generator=g).tolist()
        rows: list[int] = []
        texts: list[int] = []
        owner: list[int] = []
        for index, cluster in enumerate(chosen):
            members = self.clusters[cluster]
            row = members[int(torch.randint(len(members), (1,), generator=g))]
            own = self.texts[row]
            order = torch.randperm(len(own), generator=g)[: self.texts_per_item].tolist()
            rows.append(row)
            texts += [own[place] for place in order]
            owner += [index] * len(order)
        return torch.tensor(rows), torch.tensor(texts), torch.tensor(owner)


class ClassBatches:
    """Batches of a few classes with a few items each.

    There may be several labellings (attribute groups, where no product ids are known); each step
    takes one of them, drawn evenly.

    Args:
        labellings: for each labelling (N,) integer labels, -1 for items without.
        classes: C classes a batch, at most.
        per_class: items of each, at most; a class needs two to be drawn.
        seed: of the draws.
    """

    def __init__(
        self, labellings: Sequence[Tensor], *, classes: int, per_class: int, seed: int = 0
    ) -> None:
        self.labellings = [
            members for members in (_members(labels) for labels in labellings) if len(members) > 1
        ]
        self.classes, self.per_class, self.seed = classes, per_class, seed

    def __bool__(self) -> bool:
        """Whether there is anything to draw: two classes with two items each."""
        return bool(self.labellings)

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Rows (B,) and their labels (B,), which mean something within the batch only."""
        g = generator_of(self.seed, step)
        which = int(torch.randint(len(self.labellings), (1,), generator=g))
        members = self.labellings[which]
        rows: list[Tensor] = []
        labels: list[Tensor] = []
        chosen = torch.randperm(len(members), generator=g)[: self.classes].tolist()
        for label in chosen:
            own = members[label]
            some = own[torch.randperm(len(own), generator=g)[: self.per_class]]
            rows.append(some)
            labels.append(torch.full((len(some),), label))
        return torch.cat(rows), torch.cat(labels)


def _members(labels: Tensor) -> list[Tensor]:
    """The rows of each class that has at least two."""
    order = labels.argsort(stable=True)
    values, counts = torch.unique_consecutive(labels[order], return_counts=True)
    parts = torch.split(order, counts.tolist())
    return [
        part
        for value, part in zip(values.tolist(), parts, strict=True)
        if value >= 0 and len(part) > 1
    ]
