"""Crisscrossed Captions: people's scores of COCO pairs, 0 to 5 (METHODS 4.9).

``sits_*.csv`` caption and image, ``sts_*.csv`` two captions, ``sis_*.csv`` two images. Source:
Parekh, Baldridge, Cer, Waters, Yang, EACL 2021.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from facetwise.data.benchmarks.checks import Damage, check_count, need_file
from facetwise.data.benchmarks.reading import text_lines
from facetwise.data.item import Problem
from facetwise.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["COUNTS", "THRESHOLDS", "Judged", "read"]

Kind = Literal["sits", "sts", "sis"]

THRESHOLDS: Final[Mapping[str, float]] = MappingProxyType({"sits": 3.0, "sts": 3.0, "sis": 2.5})
"""A pair with at least this score is right."""

COUNTS: Final[Mapping[tuple[str, str], int]] = MappingProxyType(
    {
        ("sits", "val"): 44_722,
        ("sits", "test"): 44_833,
        ("sts", "val"): 44_009,
        ("sts", "test"): 44_045,
        ("sis", "val"): 42_767,
        ("sis", "test"): 46_719,
    }
)
"""Rows of each file, 267,095 in all (METHODS 4.9; the README prints another sum)."""

_COLUMNS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {"sits": ("caption", "image"), "sts": ("caption1", "caption2"), "sis": ("image1", "image2")}
)
_CAPTION: Final = re.compile(r"COCO_\w+:sentid:(\d+)")
_IMAGE: Final = re.compile(r"COCO_\w+_0*(\d+)\.jpg")


@dataclass(frozen=True)
class Judged:
    """P scored pairs of one kind.

    Attributes:
        kind: ``sits`` (caption, image), ``sts`` (two captions) or ``sis`` (two images).
        split: ``val`` or ``test``.
        left: (P,) COCO ids, of captions, or of images for ``sis``.
        right: (P,) COCO ids, of captions for ``sts``, else of images.
        scores: (P,) from 0 to 5.
        methods: (P,) how the pair came to be sampled.
        problems: damaged lines that were skipped, and what is missing and was allowed to be.
    """

    kind: Kind
    split: str
    left: tuple[str, ...]
    right: tuple[str, ...]
    scores: tuple[float, ...]
    methods: tuple[str, ...]
    problems: tuple[Problem, ...] = ()

    def __len__(self) -> int:
        return len(self.scores)

    def numbered(
        self, left: Sequence[str], right: Sequence[str], *, allow_partial: bool = False
    ) -> tuple[Tensor, Tensor]:
        """The pairs by number and their scores.

        Args:
            left: ids in the order in which their embeddings come.
            right: likewise; the same as `left` for ``sts`` and ``sis``.
            allow_partial: leave out pairs of which one side is not there.

        Returns:
            (P, 2) long and (P,) float64.

        Raises:
            InputError: an id is not there (not `allow_partial`).
        """
        import torch

        first = {name: number for number, name in enumerate(left)}
        second = {name: number for number, name in enumerate(right)}
        known = [
            (first[a], second[b], score)
            for a, b, score in zip(self.left, self.right, self.scores, strict=True)
            if a in first and b in second
        ]
        if len(known) < len(self) and not allow_partial:
            raise InputError(
                f"{len(self) - len(known):,} of {len(self):,} pairs of CxC {self.kind} "
                f"{self.split} are of captions or images that are not there; use COCO's whole "
                f"{self.split} split, or go on with these: --allow-partial"
            )
        pairs = torch.tensor([pair[:2] for pair in known], dtype=torch.long).reshape(-1, 2)
        return pairs, torch.tensor([score for *_, score in known], dtype=torch.float64)


def read(folder: Path, kind: Kind, split: str = "test", *, allow_partial: bool = False) -> Judged:
    """Read ``KIND_SPLIT.csv``.

    Args:
        folder: with the six files, perhaps in ``data/``.
        kind: ``sits``, ``sts`` or ``sis``.
        split: ``val`` (or ``dev``) or ``test``.
        allow_partial: go on when rows are missing.

    Raises:
        InputError: the file is missing, is none of these, or has too many damaged lines.
    """
    split = "val" if split == "dev" else split
    if (kind, split) not in COUNTS:
        names = ", ".join(f"{one} {part}" for one, part in COUNTS)
        raise InputError(f"CxC has no {kind} {split}; there are: {names}")
    name = f"{kind}_{split}.csv"
    file = need_file(Path(folder), name, f"data/{name}", what="Crisscrossed Captions")
    damage = Damage(file)
    rows = _rows(file, kind, damage)
    problem = check_count(
        f"{kind} {split} pairs",
        len(rows) + len(damage.problems),
        COUNTS[kind, split],
        where=file,
        allow_partial=allow_partial,
    )
    left, right, scores, methods = zip(*rows, strict=True) if rows else ((), (), (), ())
    problems = (*damage.problems, *((problem,) if problem else ()))
    return Judged(kind, split, left, right, scores, methods, problems)


def _rows(file: Path, kind: Kind, damage: Damage) -> list[tuple[str, str, float, str]]:
    columns = (*_COLUMNS[kind], "agg_score", "sampling_method")
    patterns = tuple(_CAPTION if name.startswith("caption") else _IMAGE for name in columns[:2])
    places: list[int] = []
    rows = []
    for row, text in text_lines(file, damage):
        cells = [cell.strip() for cell in text.replace('"', "").split(",")]
        if not places:
            if not set(columns) <= set(cells):
                raise InputError(
                    f"{file} line {row}: expected the header {','.join(columns)}, got "
                    f"{text[:80]!r}; is it the right file?"
                )
            places = [cells.index(name) for name in columns]
            continue
        found = _pair([cells[at] for at in places] if len(cells) > max(places) else [], patterns)
        if found is None:
            damage.add(row, f"expected {','.join(columns)} with a score from 0 to 5")
        else:
            rows.append(found)
    return rows


def _pair(
    cells: list[str], patterns: tuple[re.Pattern[str], ...]
) -> tuple[str, str, float, str] | None:
    if len(cells) < 4:
        return None
    left, right = (pattern.fullmatch(cell) for pattern, cell in zip(patterns, cells, strict=False))
    try:
        score = float(cells[2])
    except ValueError:
        return None
    if left is None or right is None or not 0 <= score <= 5:
        return None
    return left[1], right[1], score, cells[3]
