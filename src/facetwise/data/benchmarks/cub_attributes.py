"""What is known of birds: 312 attributes in 28 groups, by picture or only by class.

Two files can say it (METHODS 4.1), and neither says just yes or no:

- ``attributes/image_attribute_labels.txt``: every annotator's yes or no for every picture, with a
  certainty. Known is what was answered "probably" or "definitely" (certainty 3 and 4), as the
  official code of PAN has it (METHODS 1.4); the rest is unknown.
- ``attributes/class_attribute_labels_continuous.txt``: the percentage of a class's pictures that
  were said to have it. 30% is neither present nor absent in any one picture. Our rule: present from
  `PRESENT` percent, absent below `ABSENT` percent, **unknown between**. With 50 and 10 a class has
  on average 23 attributes present and 227 absent; 61 are unknown and teach nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv

from facetwise.data.benchmarks.checks import Damage, check_count
from facetwise.data.benchmarks.reading import text_lines
from facetwise.data.item import Problem
from facetwise.errors import InputError

__all__ = ["ABSENT", "PRESENT", "BirdAttributes", "attribute_names", "class_states", "image_states"]

PRESENT: Final = 50.0
"""Percent of a class's pictures from which an attribute holds for the class."""

ABSENT: Final = 10.0
"""Percent below which it does not."""

ATTRIBUTES: Final = 312
CLASSES: Final = 200
_CERTAIN: Final = 3  # probably


@dataclass(frozen=True)
class BirdAttributes:
    """States of A attributes for N things, pictures or classes.

    Attributes:
        groups: (A,) the group of each attribute: ``wing_color``.
        values: (A,) its value: ``blue``.
        states: (N, A) int8: 1 present, 0 absent, -1 unknown.
    """

    groups: tuple[str, ...]
    values: tuple[str, ...]
    states: NDArray[np.int8]

    def of(self, row: int) -> tuple[dict[str, tuple[str, ...] | None], tuple[str, ...]]:
        """Row `row` as an `Item` has it: present values of each group, and ``group=value`` unknown.

        A group of which nothing is known is None.
        """
        present: dict[str, list[str]] = {group: [] for group in self.groups}
        unknown: list[str] = []
        known: set[str] = set()
        for group, value, state in zip(
            self.groups, self.values, self.states[row].tolist(), strict=True
        ):
            if state == 1:
                present[group].append(value)
            elif state < 0:
                unknown.append(f"{group}={value}")
            if state >= 0:
                known.add(group)
        return {g: tuple(v) if g in known else None for g, v in present.items()}, tuple(unknown)


def attribute_names(file: Path, damage: Damage) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Groups and values of the attributes in ``attributes.txt``, in the order of their ids.

    ``10 has_wing_color::blue`` is the value ``blue`` of ``wing_color``.

    Raises:
        InputError: not 312 different names with the ids 1 to 312.
    """
    found: dict[int, tuple[str, str]] = {}
    for row, text in text_lines(file, damage):
        number, _, name = text.strip().partition(" ")
        group, separator, value = name.strip().partition("::")
        if not number.isdecimal() or not separator or int(number) in found:
            damage.add(row, "expected a new id and group::value")
            continue
        found[int(number)] = (group.removeprefix("has_"), value.replace("_", " "))
    if sorted(found) != list(range(1, ATTRIBUTES + 1)) or len(set(found.values())) < ATTRIBUTES:
        raise InputError(
            f"{file}: {len(found)} attributes, expected {ATTRIBUTES} different ones with the ids "
            f"1 to {ATTRIBUTES}; take the published file"
        )
    ordered = [found[number] for number in sorted(found)]
    return tuple(group for group, _ in ordered), tuple(value for _, value in ordered)


def class_states(
    file: Path, damage: Damage, *, present: float = PRESENT, absent: float = ABSENT
) -> NDArray[np.int8]:
    """Percentages of the classes to states (200, 312) by the rule of this module.

    A damaged line leaves its class unknown: all -1. The row is the class, so none may be missing.

    Raises:
        InputError: not 200 lines.
    """
    states = np.full((CLASSES, ATTRIBUTES), -1, dtype=np.int8)
    last = 0
    for row, text in text_lines(file, damage):
        last = row
        try:
            percent = np.array(text.split(), dtype=np.float64)
        except ValueError:
            damage.add(row, "expected numbers")
            continue
        if len(percent) != ATTRIBUTES or not ((percent >= 0) & (percent <= 100)).all():
            damage.add(row, f"expected {ATTRIBUTES} percentages, from 0 to 100")
        elif row <= CLASSES:
            states[row - 1] = np.where(percent >= present, 1, np.where(percent < absent, 0, -1))
    if last != CLASSES:
        raise InputError(
            f"{file}: {last} lines, expected {CLASSES}, one a class; take the published file"
        )
    return states


def image_states(
    file: Path, numbers: Sequence[int], damage: Damage, *, allow_partial: bool = False
) -> tuple[NDArray[np.int8], Problem | None]:
    """Labels of pictures to states (N, 312), unknown where nobody was certain.

    Only the first four fields of a line are read: some published lines have more (METHODS 4.1).

    Args:
        file: 312 lines for each picture.
        numbers: (N,) the ids of the pictures in ``images.txt``; lines of others are passed over.
        damage: gets the lines that are no labels.
        allow_partial: labels may be missing.

    Returns:
        The states, and what is missing.

    Raises:
        InputError: labels are missing (not `allow_partial`), or too many lines are damaged.
    """
    image, attribute, held, certainty = _fields(file, damage)
    place = np.full(max([*numbers, int(image.max(initial=0))]) + 1, -1, dtype=np.int64)
    place[np.asarray(numbers, dtype=np.int64)] = np.arange(len(numbers))
    row = place[image]
    ours = row >= 0
    states = np.full((len(numbers), ATTRIBUTES), -1, dtype=np.int8)
    known = ours & (certainty >= _CERTAIN)
    states[row[known], attribute[known] - 1] = held[known]
    said = np.zeros_like(states, dtype=bool)
    said[row[ours], attribute[ours] - 1] = True
    expected = len(numbers) * ATTRIBUTES
    problem = check_count(
        "attribute labels",
        int(said.sum()) + min(len(damage.problems), expected - int(said.sum())),
        expected,
        where=file,
        allow_partial=allow_partial,
    )
    return states, problem


def _fields(file: Path, damage: Damage) -> tuple[NDArray[np.int64], ...]:
    """Image, attribute, present, certainty of each good line; 3.7 million lines take seconds.

    Arrow splits the lines; those with another number of fields come one by one.
    """
    ragged: dict[int, tuple[int, ...] | None] = {}  # line number to label, None: damaged

    def keep(line: Any) -> str:  # called from C: an exception would not get through
        ragged[line.number] = _label(line.text.split()[:4])
        return "skip"

    names = ["image", "attribute", "held", "certainty", "seconds"]
    try:
        table = csv.read_csv(
            file,
            read_options=csv.ReadOptions(column_names=names, use_threads=False),
            parse_options=csv.ParseOptions(
                delimiter=" ", quote_char=False, invalid_row_handler=keep
            ),
            convert_options=csv.ConvertOptions(
                column_types={name: pa.string() for name in names},
                strings_can_be_null=False,
                check_utf8=False,
            ),
        )
    except pa.ArrowInvalid as error:
        raise InputError(f"{file} is no table of attribute labels: {error}") from error
    good = np.ones(table.num_rows, dtype=bool)
    columns: list[NDArray[np.int64]] = []
    limits: Mapping[str, tuple[int, int]] = {
        "image": (1, 10**6),
        "attribute": (1, ATTRIBUTES),
        "held": (0, 1),
        "certainty": (1, 4),
    }
    for name, (low, high) in limits.items():
        # a short number, so that the conversion cannot fail
        digits = pc.match_substring_regex(table[name], r"^[0-9]{1,7}\r?$")
        text = pc.if_else(digits, pc.ascii_trim_whitespace(table[name]), "-1")
        value = pc.cast(text, pa.int64()).to_numpy()
        good &= (value >= low) & (value <= high)
        columns.append(value)
    lines = np.setdiff1d(np.arange(1, len(good) + len(ragged) + 1), list(ragged))
    bad = [number for number, label in ragged.items() if label is None]
    for row in sorted([*lines[~good].tolist(), *bad]):
        damage.add(row, "expected image, attribute, 0 or 1, certainty from 1 to 4")
    odd = [label for label in ragged.values() if label is not None]
    extra = np.array(odd, dtype=np.int64).reshape(-1, 4)
    return tuple(
        np.concatenate([column[good], extra[:, place]]) for place, column in enumerate(columns)
    )


def _label(fields: Sequence[str]) -> tuple[int, ...] | None:
    if len(fields) < 4 or not all(field.isdecimal() and len(field) < 8 for field in fields):
        return None
    image, attribute, held, certainty = map(int, fields)
    fits = image >= 1 and 1 <= attribute <= ATTRIBUTES and held <= 1 and 1 <= certainty <= 4
    return (image, attribute, held, certainty) if fits else None
