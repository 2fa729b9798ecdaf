"""Train, val and test: decided by a hash of each key, so that more items never move the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Final, Literal

from facetwise.data.collection import Collection
from facetwise.errors import InputError

__all__ = ["GROUP_SIZE", "choose_unit", "holdout", "split_collection"]

GROUP_SIZE: Final = 8
"""Groups of at most so many items on average are things (a product, a concept), not classes."""


def holdout(keys: Sequence[str], fractions: Mapping[str, float], seed: int = 0) -> list[str]:
    """The part of each key: about the given fractions of the distinct keys, the rest ``train``.

    A key's part depends on the seed and the key alone. So the parts' sizes are random, like draws
    from an urn: 20% of 100 keys are 20 plus or minus 4.

    Args:
        keys: equal keys get equal parts.
        fractions: name of the part to its share, together at most 1.
        seed: another seed is another split.

    >>> holdout(["a", "b", "c", "a"], {"test": 0.5}, seed=1)
    ['train', 'test', 'test', 'train']
    """
    if any(share < 0 for share in fractions.values()) or sum(fractions.values()) > 1 + 1e-9:
        raise InputError(f"parts of {dict(fractions)} are not shares of one whole; use 0 to 1")
    parts: dict[str, str] = {}
    for key in keys:
        if key not in parts:
            digest = blake2b(f"{seed}\n{key}".encode(), digest_size=8).digest()
            place = int.from_bytes(digest, "big") / 2**64
            parts[key] = _part(place, fractions)
    return [parts[key] for key in keys]


def choose_unit(collection: Collection) -> Literal["group", "item"]:
    """What is held out whole: groups that are things, else single items.

    Holding out groups tests on things never seen. Where the groups are classes with many items
    each (more than `GROUP_SIZE` on average), that would test on other classes than were learned.
    """
    known = [group for group in collection.groups if group is not None]
    distinct = len(set(known))
    grouped = 2 * len(known) >= len(collection) and distinct > 1
    return "group" if grouped and len(known) <= GROUP_SIZE * distinct else "item"


def split_collection(
    collection: Collection,
    *,
    test: float = 0.2,
    val: float = 0.0,
    by: Literal["auto", "group", "item", "outfit"] = "auto",
    seed: int = 0,
) -> list[str]:
    """The part (``train``, ``val``, ``test``) of each item, in row order.

    Items with the same picture, and (by group) items of the same group, end in the same part. By
    outfit, the items of one do, but for those that go with another of theirs before it. A
    split that the collection's source gave wins; there, items without one train, unless they belong
    with a held-out item.

    Args:
        collection: what to split.
        test: share of the groups or items to test on.
        val: share to choose on.
        by: hold out whole groups, items or outfits; ``auto`` as `choose_unit`.
        seed: another seed is another split.
    """
    unit = choose_unit(collection) if by == "auto" else by
    components = _components(collection, unit)
    given = collection.splits
    if any(given):
        held: dict[str, str] = {}
        for key, part in zip(components, given, strict=True):
            if part is not None and held.get(key, "train") == "train":
                held[key] = part
        return [part or held.get(key, "train") for key, part in zip(components, given, strict=True)]
    return holdout(components, {"test": test, "val": val}, seed)


def _part(place: float, fractions: Mapping[str, float]) -> str:
    end = 0.0
    for name, share in fractions.items():
        end += share
        if place < end:
            return name
    return "train"


def _components(collection: Collection, unit: str) -> list[str]:
    """A key for each item, equal for items that belong together: the first such item's own key."""
    groups: Sequence[str | None] = [None] * len(collection)
    if unit == "group":
        groups = collection.groups
    elif unit == "outfit":
        # All that share an item as one would often be everything.
        groups = [min(outfits, default=None) for outfits in collection.outfits]
    keys = [
        f"item {id}" if group is None else f"group {group}"
        for id, group in zip(collection.ids, groups, strict=True)
    ]
    parent = {key: key for key in keys}

    def root(key: str) -> str:
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    order = {key: place for place, key in reversed(list(enumerate(keys)))}
    first: dict[str, str] = {}
    for key, picture in zip(keys, collection.image_hashes, strict=True):
        a, b = sorted((root(key), root(first.setdefault(picture, key))), key=order.__getitem__)
        parent[b] = a
    return [root(key) for key in keys]
