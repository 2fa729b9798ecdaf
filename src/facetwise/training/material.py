"""What there is to learn from: texts, labels and attributes of the training pictures."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import torch
from torch import Tensor

from facetwise.data import AttributeTable, Collection
from facetwise.data.sampling import clusters_by_text, generator_of

__all__ = ["FEWEST", "Material", "languages_of", "teachable_groups"]

FEWEST: Final = 8
"""Items with texts, or with labels, below which a model learns nothing worth keeping."""


@dataclass(frozen=True, eq=False)
class Material:
    """The N training pictures of a collection.

    Attributes:
        collection: where they are.
        rows: (N) which.
        texts: (N) the texts of each.
        by_group: (N,) their groups as integers, -1 for unknown; None where too few share one.
        by_attribute: the same of each taught attribute group with one value an item.
        outfits: the items of each outfit that has two or more, as places among the N. Of items with
            the very same picture the first stands for all.
        attributes: of the N, only the groups that conditions are taught.
        single: of the N, the attributes that may be taught one by one: all that differ.
    """

    collection: Collection
    rows: tuple[int, ...]
    texts: tuple[tuple[str, ...], ...]
    by_group: Tensor | None
    by_attribute: tuple[Tensor, ...]
    outfits: tuple[tuple[int, ...], ...]
    attributes: AttributeTable
    single: AttributeTable

    @classmethod
    def of(
        cls, collection: Collection, rows: Sequence[int], languages: Sequence[str], seed: int
    ) -> Material:
        """What the `rows` of a collection offer.

        Args:
            collection: where they are.
            rows: of the training pictures.
            languages: texts in others are left out; empty takes all.
            seed: of the random pairs by which attribute groups are judged.
        """
        texts = tuple(tuple(own) for own in languages_of(collection, rows, languages))
        table = collection.attributes.rows(torch.tensor(list(rows), dtype=torch.long))
        taught = teachable_groups(table, seed)
        return cls(
            collection,
            tuple(rows),
            texts,
            _by_group(collection, rows),
            _by_attribute(table, taught),
            _outfits(collection, rows),
            _only(table, taught),
            table.varying(),
        )

    @cached_property
    def clusters(self) -> list[list[int]]:
        """Pictures with texts that share one, or are one file, directly or through others.

        Two of them in a batch would be each other's negatives, though either fits.
        """
        hashes = [self.collection.image_hashes[row] for row in self.rows]
        return clusters_by_text(
            [
                (*own, f"file {hash}") if own else ()
                for own, hash in zip(self.texts, hashes, strict=True)
            ]
        )

    @cached_property
    def distinct(self) -> list[str]:
        """The texts, each once, in alphabetical order."""
        return sorted({text for own in self.texts for text in own})

    @property
    def distinct_texts(self) -> int:
        """How many pictures there are at most no two of which share a text."""
        return len(self.clusters)

    @property
    def shares_texts(self) -> bool:
        """Whether most pictures share texts with others: tags, not captions."""
        return 2 * len(self.clusters) < sum(map(bool, self.texts))

    @property
    def has_texts(self) -> bool:
        """Whether a set model can learn."""
        enough = len(self.distinct) >= FEWEST and self.shares_texts
        return enough or self.distinct_texts >= FEWEST

    def cluster_weights(self, clusters: Sequence[Sequence[int]]) -> Tensor:
        """How often each cluster of texts is drawn: 1 / sqrt(clusters of its group).

        A group of a hundred variants (a couple in every pair of skin tones) would else fill the
        batches; drawn evenly by group, its variants would hardly be told apart.
        """
        groups = [self.collection.groups[self.rows[cluster[0]]] for cluster in clusters]
        size = Counter(group for group in groups if group is not None)
        return torch.tensor([size.get(group, 1) ** -0.5 if group else 1.0 for group in groups])

    @property
    def labellings(self) -> tuple[Tensor, ...]:
        """Ways to call two items similar, each (N,) with -1 for unknown.

        Groups where there are enough; else every teachable attribute group with one value an item
        is a labelling of its own, and batches take turns.
        """
        return self.by_attribute if self.by_group is None else (self.by_group,)

    @property
    def in_outfits(self) -> int:
        """How many items are in an outfit with others."""
        return len({item for outfit in self.outfits for item in outfit})

    @property
    def has_outfits(self) -> bool:
        """Whether a pair model can learn from outfits."""
        return len(self.outfits) > 1 and self.in_outfits >= FEWEST

    @property
    def has_labels(self) -> bool:
        """Whether a pair model can learn."""
        return len(self.labellings) > 0 or self.has_outfits

    @property
    def fingerprint(self) -> str:
        """Hash of everything that training sees: equal means that training can go on."""
        digest = hashlib.blake2b(digest_size=16)
        hashes = self.collection.image_hashes
        a, b = self.attributes, self.single
        pictures = [(hashes[row], self.collection.groups[row]) for row in self.rows]
        names = (a.groups, a.kinds, a.names, a.group_index.tolist(), b.names)
        digest.update(repr((pictures, self.texts, names, self.outfits)).encode())
        for tensor in (*self.labellings, a.states, b.states):
            digest.update(f"{tuple(tensor.shape)}".encode())
            digest.update(tensor.contiguous().numpy().tobytes())
        return digest.hexdigest()


def teachable_groups(
    attributes: AttributeTable, seed: int, *, most: int = 24, pairs: int = 4096
) -> list[str]:
    """The attribute groups that a condition can learn "same value" of, at most `most`.

    Of random pairs that are known in the group, at least 1 in 100 must agree and 1 in 100 differ.

    Args:
        attributes: of the training items.
        seed: of the random pairs.
        most: more conditions than these would each get little of the relevance.
        pairs: how many random pairs are looked at.
    """
    n = len(attributes)
    if n < 2 or not attributes.groups:
        return []
    g = generator_of(seed, -3)
    r = torch.randint(n, (pairs,), generator=g)
    c = (r + torch.randint(1, n, (pairs,), generator=g)) % n
    targets, mask = attributes.same_value(r, c)
    known = mask.sum(0)
    rate = (targets * mask).sum(0) / known.clamp_min(1)
    usable = (known >= 0.01 * pairs) & (rate >= 0.01) & (rate <= 0.99)
    order = sorted(range(len(attributes.groups)), key=lambda index: (-float(known[index]), index))
    kept = sorted([index for index in order if bool(usable[index])][:most])
    return [attributes.groups[index] for index in kept]


def languages_of(
    collection: Collection, rows: Sequence[int], languages: Sequence[str]
) -> list[list[str]]:
    """The texts of the rows that are in one of the languages (all of them if none is named)."""
    texts, codes = collection.texts, collection.languages
    return [
        [
            text
            for text, code in zip(texts[row], codes[row], strict=True)
            if text.strip() and (not languages or not code or code in languages)
        ]
        for row in rows
    ]


def _by_group(collection: Collection, rows: Sequence[int]) -> Tensor | None:
    groups = [collection.groups[row] for row in rows]
    names = {name: index for index, name in enumerate(sorted({g for g in groups if g is not None}))}
    labels = torch.tensor(
        [-1 if group is None else names[group] for group in groups], dtype=torch.long
    )
    return labels if _contrasts(labels) else None


def _by_attribute(attributes: AttributeTable, taught: Sequence[str]) -> tuple[Tensor, ...]:
    labellings = []
    for name in taught:
        states = attributes.states[:, attributes.slices[name]]
        if attributes.kinds[attributes.groups.index(name)] == "flag":
            labels = states[:, 0].long()
        else:
            one = (states == 1).sum(1) == 1
            labels = torch.where(one, (states == 1).int().argmax(1), -1)
        if _contrasts(labels):
            labellings.append(labels)
    return tuple(labellings)


def _outfits(collection: Collection, rows: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Items with one picture cannot be told apart: none is wrong where another is right."""
    outfits, hashes = collection.outfits, collection.image_hashes
    first: dict[str, int] = {}
    members: dict[str, set[int]] = {}
    for place, row in enumerate(rows):
        for name in outfits[row]:
            members.setdefault(name, set()).add(first.setdefault(hashes[row], place))
    return tuple(tuple(sorted(members[name])) for name in sorted(members) if len(members[name]) > 1)


def _contrasts(labels: Tensor) -> bool:
    """Whether enough items share their label with another, and there are two such labels."""
    counts = torch.bincount(labels[labels >= 0])
    shared = counts[counts > 1]
    return len(shared) > 1 and int(shared.sum()) >= FEWEST


def _only(attributes: AttributeTable, groups: Sequence[str]) -> AttributeTable:
    """The table reduced to some of its groups."""
    wanted = torch.tensor([group in groups for group in attributes.groups], dtype=torch.bool)
    return attributes.columns(wanted[attributes.group_index].nonzero().squeeze(1))
