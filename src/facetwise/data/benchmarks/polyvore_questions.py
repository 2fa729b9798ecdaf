"""Polyvore's question files: which items they name, and which answer is the right one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch

from facetwise.data.benchmarks.checks import Damage, check_count
from facetwise.data.benchmarks.outfit_sets import Blanks, Compatibility, ItemSets
from facetwise.data.benchmarks.reading import text_lines
from facetwise.data.item import Problem
from facetwise.errors import InputError

__all__ = ["ITEMS", "OUTFITS", "SPLITS", "QuestionReader", "split_file"]

OUTFITS: Final = {
    **{("nondisjoint", "train"): 53_306, ("disjoint", "train"): 16_995},
    **{("nondisjoint", "valid"): 5_000, ("disjoint", "valid"): 3_000},
    **{("nondisjoint", "test"): 10_000, ("disjoint", "test"): 15_145},
}
"""Published counts by version and split."""
ITEMS: Final = {"train": 204_679, "valid": 25_132, "test": 47_854}
"""Published counts of the nondisjoint version."""
SPLITS: Final = {"valid": ("valid", "val"), "test": ("test",), "train": ("train",)}


def split_file(folder: Path, split: str, patterns: Sequence[str]) -> Path | None:
    """The first file that is there; a name holds ``{}`` for the split, ``valid`` or ``val``."""
    paths = [folder / pattern.format(name) for pattern in patterns for name in SPLITS[split]]
    return next((path for path in paths if path.exists()), None)


class QuestionReader:
    """Numbers the items as they are met, and keeps what is wrong."""

    def __init__(self, folder: Path, version: str, split: str, allow_partial: bool) -> None:
        self.folder, self.split, self.allow_partial = folder, split, allow_partial
        self.published = OUTFITS[version, split]
        self.items_published = ITEMS[split] if version == "nondisjoint" else None
        self.numbers: dict[str, int] = {}
        self.item_of: dict[str, str] | None = None
        self.members: dict[str, dict[int, None]] = {}
        self.problems: list[Problem] = []

    def read_outfits(self) -> None:
        """The split's own json: which item a ``SET_INDEX`` is."""
        file = split_file(self.folder, self.split, ("{}.json",))
        if file is None:
            said = (
                f"{self.folder} has no {self.split}.json: items are kept as SET_INDEX, and one "
                "that is in two outfits counts as two"
            )
            self.problems.append(Problem(str(self.folder), None, "", said, "missing"))
            return
        damage = Damage(file)
        self.item_of = {}
        for row, entry in enumerate(_entries(file), 1):
            try:
                name = str(entry["set_id"])
                own = {str(one["index"]): str(one["item_id"]) for one in entry["items"]}
            except (TypeError, KeyError):
                damage.add(row, 'expected {"set_id", "items": [{"item_id", "index"}]}')
                continue
            for index, item in own.items():
                self.item_of[f"{name}_{index}"] = item
                self._member(name, item)
        self._check("outfits", len(self.members), self.published, file)
        if self.items_published is not None:
            self._check("items", len(self.numbers), self.items_published, file)
        self.problems += damage.problems

    def blanks(self, file: Path | None, task: str) -> Blanks:
        """Fill in the blank."""
        given: list[list[int]] = []
        choices: list[list[int]] = []
        answers: list[int] = []
        positions: list[int] = []
        if file is not None:
            damage = Damage(file)
            for row, entry in enumerate(_entries(file), 1):
                try:
                    shown = [str(token) for token in entry["question"]]
                    offered = [str(token) for token in entry["answers"]]
                    position = int(entry.get("blank_position", 0))
                except (AttributeError, TypeError, KeyError, ValueError):
                    damage.add(row, 'expected {"question", "answers", "blank_position"}')
                    continue
                answer = _right(shown, offered, position)
                if answer is None:
                    damage.add(row, "not one of the answers is of the question's own set")
                    continue
                if not self._known([*shown, *offered], row, damage):
                    continue
                given.append(self._numbers(shown))
                choices.append(self._numbers(offered))
                answers.append(answer)
                positions.append(position)
            self._check(f"{task} questions", len(given), self.published, file)
            self.problems += damage.problems
        width = max(map(len, choices), default=0)
        padded = [row + [-1] * (width - len(row)) for row in choices]
        return Blanks(
            ItemSets.of(given),
            torch.tensor(padded, dtype=torch.long).reshape(len(padded), width),
            torch.tensor(answers, dtype=torch.long),
            torch.tensor(positions, dtype=torch.long),
        )

    def compatibility(self, file: Path | None, task: str, *, paired: bool) -> Compatibility:
        """Lines of a label and items; `paired`: negative k was made of positive k."""
        sets: list[list[int]] = []
        labels: list[bool] = []
        units: list[int] = []
        if file is not None:
            damage = Damage(file)
            for row, text in text_lines(file, damage):
                label, *tokens = text.split()
                if label not in ("0", "1") or not tokens or not all("_" in t for t in tokens):
                    damage.add(row, "expected 0 or 1 and then SET_INDEX, once or more")
                elif self._known(tokens, row, damage):
                    sets.append(self._numbers(tokens))
                    labels.append(label == "1")
                    units.append(row)
            if paired and False in labels and labels == sorted(labels, reverse=True):
                # The false lines come after all true ones, in the same order.
                shift = units[labels.index(False)] - 1
                units = [
                    row if label else row - shift for row, label in zip(units, labels, strict=True)
                ]
            self._check(f"{task} compatibility lines", len(sets), 2 * self.published, file)
            self.problems += damage.problems
        return Compatibility(
            ItemSets.of(sets),
            torch.tensor(labels, dtype=torch.bool),
            torch.tensor(units, dtype=torch.long),
        )

    def miss(self, name: str) -> None:
        """Note that a file of questions is not there, though its fellow is."""
        said = f"{self.folder} has no {name.format(self.split)}: these questions are not asked"
        self.problems.append(Problem(str(self.folder), None, "", said, "missing"))

    def sets(self) -> dict[str, tuple[int, ...]]:
        """The outfits met so far."""
        return {name: tuple(items) for name, items in self.members.items()}

    def _member(self, set_id: str, item: str) -> int:
        number = self.numbers.setdefault(item, len(self.numbers))
        self.members.setdefault(set_id, {})[number] = None
        return number

    def _known(self, tokens: Sequence[str], row: int, damage: Damage) -> bool:
        """Whether the split's json holds them all."""
        if self.item_of is None:
            return True
        lost = [token for token in tokens if token not in self.item_of]
        if lost:
            damage.add(row, f"{lost[0]} is in no outfit of {self.split}.json", id=lost[0])
        return not lost

    def _numbers(self, tokens: Sequence[str]) -> list[int]:
        if self.item_of is not None:
            return [self.numbers[self.item_of[token]] for token in tokens]
        return [self._member(_set_of(token), token) for token in tokens]

    def _check(self, what: str, found: int, published: int, where: Path) -> None:
        problem = check_count(what, found, published, where=where, allow_partial=self.allow_partial)
        if problem is not None:
            self.problems.append(problem)


def _set_of(token: str) -> str:
    return token.rpartition("_")[0]


def _right(given: Sequence[str], offered: Sequence[str], position: int) -> int | None:
    """The place of the candidate that is of the question's set; it should not be given already."""
    own = {_set_of(token) for token in given}
    same = [place for place, token in enumerate(offered) if _set_of(token) in own]
    hidden = [place for place in same if offered[place] not in given]
    fits = [p for p in hidden or same if offered[p].endswith(f"_{position}")]
    return next(iter(fits or hidden or same), None)


def _entries(file: Path) -> list[Any]:
    """The list in a json file."""
    try:
        entries = json.loads(file.read_text(encoding="utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{file} is no JSON ({error}); get the file again") from None
    if not isinstance(entries, list):
        raise InputError(f"{file} holds no list of entries; get the file again")
    return entries
