"""Polyvore Outfits: outfits, fill-in-the-blank and compatibility questions (METHODS 1.6, 4.4).

The published tree, ``nondisjoint/`` and ``disjoint/`` with the original questions, and PAN's
resampled ("harder") questions beside them in ``nondisjoint/``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from facetwise.data.benchmarks.checks import check_count, need_file
from facetwise.data.benchmarks.outfit_sets import Questions
from facetwise.data.benchmarks.polyvore_metadata import Description, attribute_names, read_metadata
from facetwise.data.benchmarks.polyvore_questions import SPLITS, QuestionReader, split_file
from facetwise.data.benchmarks.source import files_fingerprint
from facetwise.data.item import Item, Problem
from facetwise.errors import InputError

__all__ = ["PolyvoreOutfits", "read"]


@dataclass(frozen=True)
class PolyvoreOutfits:
    """One split of one version; a `Source`.

    Attributes:
        version: ``nondisjoint`` or ``disjoint``: whether train and test share items.
        split: ``train``, ``valid`` or ``test``.
        folder: the version's.
        ids: (N,) item ids; ``SET_INDEX`` where the split's own json is missing.
        outfits: set id to the numbers of its items; without the json as far as the questions tell.
        tasks: the questions by name: ``original``, ``resampled``.
        described: item id to its words, types and attributes; empty without the metadata.
        problems: what was skipped, missing or left unresolved.
    """

    version: str
    split: str
    folder: Path
    ids: tuple[str, ...]
    outfits: Mapping[str, tuple[int, ...]]
    tasks: Mapping[str, Questions]
    described: Mapping[str, Description] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    @property
    def name(self) -> str:
        """``polyvore-nondisjoint-test``."""
        return f"polyvore-{self.version}-{self.split}"

    def __len__(self) -> int:
        return len(self.pictured)

    @property
    def pictures(self) -> Path:
        """Where the pictures are, ``ITEM.jpg`` each."""
        for root in (self.folder.parent, self.folder):
            if (root / "images").is_dir():
                return root / "images"
        return self.folder.parent / "images"

    @cached_property
    def pictured(self) -> tuple[int, ...]:
        """Numbers of the items that have a picture, ascending."""
        there: set[str] = set()
        if self.pictures.is_dir():
            there = {file.stem for file in self.pictures.iterdir() if file.suffix == ".jpg"}
        return tuple(number for number, id in enumerate(self.ids) if id in there)

    def missing_pictures(self, *, allow_partial: bool) -> Problem | None:
        """A remark if some item has no picture.

        Raises:
            InputError: likewise, unless that is allowed.
        """
        there = set(self.pictured)
        return check_count(
            "pictures",
            len(there),
            len(self.ids),
            where=self.pictures,
            missing=[f"{id}.jpg" for number, id in enumerate(self.ids) if number not in there],
            allow_partial=allow_partial,
        )

    def items(self) -> Iterator[Item]:
        """The items that have a picture, with their words, types and attributes."""
        members: dict[int, list[str]] = {}
        for name, items in self.outfits.items():
            for item in items:
                members.setdefault(item, []).append(name)
        part = "val" if self.split == "valid" else self.split
        for number in self.pictured:
            id = self.ids[number]
            file = self.pictures / f"{id}.jpg"
            about = self.described.get(id, Description())
            yield Item(
                id=id,
                image=file.read_bytes(),
                texts=about.texts,
                outfits=tuple(members.get(number, ())),
                split=part,
                attributes=about.item_attributes(),
                file=str(file),
            )

    def types(self) -> list[str | None] | None:
        """(N) the fine category of each item; None without the metadata."""
        if not self.described:
            return None
        return [self.described.get(id, Description()).category for id in self.ids]

    def fingerprint(self) -> str:
        """Of the pictures and what is said of them."""
        files = [self.pictures / f"{self.ids[number]}.jpg" for number in self.pictured]
        words = [repr(self.described.get(id)) for id in self.ids]
        return files_fingerprint(files, f"polyvore/1 {self.name}", *self.ids, *words)


def read(
    folder: Path,
    split: str = "test",
    *,
    version: str | None = None,
    allow_partial: bool = False,
) -> PolyvoreOutfits:
    """Read the outfits of a split, all questions about them and what is said of their items.

    ``SET_INDEX`` in the questions is resolved to item ids through the split's json. Where that is
    missing the tokens stay as they are, and an item in two outfits counts as two. The right answer
    of a blank is the candidate of the question's own set, wherever it stands.

    Args:
        folder: the whole tree, or ``nondisjoint`` or ``disjoint`` in it.
        split: ``train``, ``valid`` (or ``val``) or ``test``.
        version: of the tree; by default the folder's own, else ``nondisjoint`` if it is there.
        allow_partial: go on when the published counts are not reached.

    Raises:
        InputError: there are neither outfits nor questions, counts are wrong, pictures are missing
            (none at all may be), or too many lines are damaged.
    """
    split = "valid" if split == "val" else split
    if split not in SPLITS:
        raise InputError(f"polyvore has no split {split!r}; there are: {', '.join(SPLITS)}")
    folder, version = _version(Path(folder), version)
    reader = QuestionReader(folder, version, split, allow_partial)
    reader.read_outfits()
    tasks: dict[str, Questions] = {}
    for task, blank_names, set_names in (
        ("original", ("fill_in_blank_{}.json",), ("compatibility_{}.txt",)),
        (
            "resampled",
            ("fill_in_blank_{}_harder_new.json", "fill_in_blank_{}_harder.json"),
            ("fashion_compatibility_harder_{}.txt", "compatibility_{}_harder.txt"),
        ),
    ):
        blanks = split_file(folder, split, blank_names)
        sets = split_file(folder, split, set_names)
        if blanks is None and sets is None:
            continue
        for path, names in ((blanks, blank_names), (sets, set_names)):
            if path is None:
                reader.miss(names[0])
        tasks[task] = Questions(
            reader.blanks(blanks, task), reader.compatibility(sets, task, paired=task != "original")
        )
    if not tasks and not reader.numbers:
        need_file(folder, f"{split}.json", what=f"the outfits of the {split} split")
    listed, remark = attribute_names(folder)
    if remark is not None:
        reader.problems.append(remark)
    found = PolyvoreOutfits(
        version,
        split,
        folder,
        tuple(reader.numbers),
        reader.sets(),
        tasks,
        read_metadata(folder, listed, only=frozenset(reader.numbers)),
        tuple(reader.problems),
    )
    # The questions can be looked at without any picture; half of them is an unpacking gone wrong.
    missing = found.missing_pictures(allow_partial=allow_partial or not found.pictured)
    return replace(found, problems=(*found.problems, *([missing] if missing else [])))


def _version(folder: Path, version: str | None) -> tuple[Path, str]:
    names = ("nondisjoint", "disjoint")
    if version is not None and version not in names:
        raise InputError(f"polyvore has no version {version!r}; there are: {', '.join(names)}")
    for name in names if version is None else (version,):
        if (folder / name).is_dir():
            return folder / name, name
    if folder.name in names and version in (None, folder.name):
        return folder, folder.name
    raise InputError(
        f"{folder} has no folder {version or 'nondisjoint or disjoint'}; give the folder of "
        "Polyvore Outfits that holds it"
    )
