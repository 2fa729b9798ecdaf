"""What a collection holds and what is wrong with it, counted from its columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from facetwise.data.collection import Collection
from facetwise.data.item import Problem

__all__ = ["AttributeGroup", "Extra", "Report", "Spread", "inspect"]

_TOP = 5


@dataclass(frozen=True)
class Spread:
    """Smallest, middle and largest of some numbers."""

    least: float
    middle: float
    most: float

    @classmethod
    def of(cls, numbers: Sequence[float]) -> Spread:
        """The spread of `numbers`; zeros if there are none."""
        if not numbers:
            return cls(0, 0, 0)
        return cls(min(numbers), float(median(numbers)), max(numbers))

    def __str__(self) -> str:
        if self.least == self.most:
            return f"{self.most:g}"
        return f"{self.least:g} to {self.most:g}, median {self.middle:g}"


@dataclass(frozen=True)
class AttributeGroup:
    """One attribute group: how many values, how many items it is known of, the most frequent."""

    name: str
    kind: str
    values: int
    known: int
    missing: int
    top: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Extra:
    """One column that is no attribute."""

    name: str
    kind: str
    known: int
    missing: int
    least: float | None
    most: float | None


@dataclass(frozen=True)
class Report:
    """What `inspect` found; `wrong` says in sentences what deserves a look."""

    name: str
    path: str
    source: str
    version: int
    items: int
    roles: dict[str, str]
    width: Spread
    height: Spread
    texts: int
    different_texts: int
    texts_per_item: Spread
    items_without_text: int
    languages: dict[str, int]
    groups: int
    group_size: Spread
    items_without_group: int
    groups_with_one_item: int
    outfits: int
    splits: dict[str, int]
    attributes: tuple[AttributeGroup, ...]
    extras: tuple[Extra, ...]
    same_picture: tuple[tuple[str, ...], ...]
    conflicting: tuple[tuple[str, ...], ...]
    left_out: dict[str, int]
    skipped: tuple[Problem, ...]
    notes: tuple[Problem, ...]
    renamed: dict[str, str]
    wrong: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values, for JSON."""
        return asdict(self)


def inspect(collection: Collection) -> Report:
    """Count a collection's contents and look for what is wrong, without reading pictures."""
    manifest = collection.manifest
    texts, groups = collection.texts, collection.groups
    sizes = Counter(group for group in groups if group is not None)
    table = collection.table(["width", "height", *manifest.attributes, *manifest.extras])
    attributes = tuple(
        _attribute(name, kind, table[name]) for name, kind in manifest.attributes.items()
    )
    same, conflicting = _same_pictures(collection)
    per_item = [len(own) for own in texts]
    report = Report(
        name=collection.name,
        path=str(collection.path),
        source=manifest.source,
        version=collection.version,
        items=len(collection),
        roles=dict(manifest.roles),
        width=Spread.of(table["width"].to_pylist()),
        height=Spread.of(table["height"].to_pylist()),
        texts=sum(per_item),
        different_texts=len({text for own in texts for text in own}),
        texts_per_item=Spread.of(per_item),
        items_without_text=per_item.count(0),
        languages=_counts(code for own in collection.languages for code in own),
        groups=len(sizes),
        group_size=Spread.of(list(sizes.values())),
        items_without_group=sum(group is None for group in groups),
        groups_with_one_item=sum(size == 1 for size in sizes.values()),
        outfits=len({outfit for own in collection.outfits for outfit in own}),
        splits=_counts(part for part in collection.splits if part is not None),
        attributes=attributes,
        extras=tuple(_extra(name, kind, table[name]) for name, kind in manifest.extras.items()),
        same_picture=same,
        conflicting=conflicting,
        left_out=dict(manifest.left_out),
        skipped=manifest.skipped,
        notes=manifest.notes,
        renamed=dict(manifest.renamed),
        wrong=(),
    )
    return Report(**{**vars(report), "wrong": tuple(_wrong(report))})


def _attribute(name: str, kind: str, column: Any) -> AttributeGroup:
    import pyarrow.compute as pc

    missing = column.null_count
    cells = pc.list_flatten(column) if kind == "several" else column
    counts = pc.value_counts(cells.drop_null()).to_pylist()
    counts.sort(key=lambda entry: (-entry["counts"], str(entry["values"])))
    words = {True: "yes", False: "no"} if kind == "flag" else {}
    return AttributeGroup(
        name=name,
        kind=kind,
        values=len(counts),
        known=len(column) - missing,
        missing=missing,
        top=tuple(
            (words.get(entry["values"], str(entry["values"])), entry["counts"])
            for entry in counts[:_TOP]
        ),
    )


def _extra(name: str, kind: str, column: Any) -> Extra:
    import pyarrow.compute as pc

    missing = column.null_count
    ends = pc.min_max(column).as_py() if kind == "number" else {"min": None, "max": None}
    return Extra(name, kind, len(column) - missing, missing, ends["min"], ends["max"])


def _same_pictures(
    collection: Collection,
) -> tuple[tuple[tuple[str, ...], ...], tuple[tuple[str, ...], ...]]:
    """Ids of items whose files are the same; and of those that differ in group or attributes."""
    by_hash: dict[str, list[int]] = {}
    for row, digest in enumerate(collection.image_hashes):
        by_hash.setdefault(digest, []).append(row)
    repeated = [rows for rows in by_hash.values() if len(rows) > 1]
    if not repeated:
        return (), ()
    columns = collection.table(["id", "group", *collection.attribute_groups])
    differing = []
    for rows in repeated:
        entries = columns.take(rows).to_pylist()
        first = {name: value for name, value in entries[0].items() if name != "id"}
        if any({**entry, "id": ""} != {**first, "id": ""} for entry in entries[1:]):
            differing.append(rows)

    def ids(sets: Iterable[list[int]]) -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(collection.ids[row] for row in rows) for rows in sets)

    return ids(repeated), ids(differing)


def _counts(words: Iterable[str]) -> dict[str, int]:
    return dict(Counter(words).most_common())


def _wrong(report: Report) -> Iterable[str]:
    if report.left_out:
        kinds = ", ".join(f"{kind}: {n}" for kind, n in report.left_out.items())
        yield f"rows left out: {sum(report.left_out.values())} ({kinds})"
    if report.items_without_text == report.items:
        yield "no item has a text: searching by text cannot be learned"
    elif report.items_without_text:
        yield f"items without text: {report.items_without_text}; they teach nothing about words"
    if report.texts > 1 == report.different_texts:
        yield "all texts are the same: they tell no item from another"
    if report.groups_with_one_item:
        yield (
            f"groups with one member: {report.groups_with_one_item} of {report.groups}; "
            "they give no pair to learn from"
        )
    if report.groups and report.items_without_group:
        yield f"items in no group: {report.items_without_group}"
    if not report.groups and not report.attributes:
        yield "there are neither groups nor attributes: only image-text similarity can be learned"
    for group in report.attributes:
        if group.values < 2:
            value = group.top[0][0] if group.top else "nothing"
            yield f"attribute {group.name} is constant ({value}): it cannot tell items apart"
        if group.missing > report.items / 2:
            yield f"attribute {group.name} is unknown for {group.missing} of {report.items} items"
    if report.same_picture:
        count = sum(len(ids) for ids in report.same_picture)
        example = ", ".join(report.same_picture[0][:3])
        yield (
            f"items whose picture is another item's, byte by byte: {count} "
            f"({len(report.same_picture)} pictures, the first of {example})"
        )
    if report.conflicting:
        example = ", ".join(report.conflicting[0][:3])
        yield (
            f"equal pictures whose items differ in group or attributes: {len(report.conflicting)} "
            f"(the first of {example})"
        )
