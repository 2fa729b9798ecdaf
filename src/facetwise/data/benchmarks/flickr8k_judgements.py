"""Flickr8k's judgements: how well a caption fits a photo, said by experts and by a crowd.

``ExpertAnnotations.txt``: photo, caption id, three scores from 1 (has nothing to do with it) to 4
(describes it without errors). ``CrowdFlowerAnnotations.txt``: photo, caption id, share of yes, yes,
no. Tabs between; a caption id is ``IMAGE#N`` of the photo that it was written for, which may be
another than the one it is judged with. Source: Hodosh, Young, Hockenmaier, JAIR 2013.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from facetwise.data.benchmarks.checks import Damage, need_file
from facetwise.data.benchmarks.reading import text_lines
from facetwise.data.item import Problem
from facetwise.errors import InputError

__all__ = ["PUBLISHED", "Crowd", "Expert", "Judgements", "has_judgements", "judgements"]

PUBLISHED: Final = {"ExpertAnnotations.txt": 5_822, "CrowdFlowerAnnotations.txt": 47_830}
"""Lines of the two files."""

_PLACES: Final = ("", "Flickr8k_text/")
_CAPTION: Final = re.compile(r"(\S+\.\w+)#\d")
_SCORE: Final = re.compile("[1-4]")


class Expert(NamedTuple):
    """Three experts' scores, 1 to 4, of a caption for a photo."""

    image: str
    caption: str
    scores: tuple[int, int, int]

    @property
    def mean(self) -> float:
        """Of the three scores."""
        return sum(self.scores) / 3

    @property
    def own(self) -> bool:
        """Whether the caption was written for this photo."""
        return _is_own(self.image, self.caption)


class Crowd(NamedTuple):
    """How many say that a caption describes a photo."""

    image: str
    caption: str
    share: float
    yes: int
    no: int

    @property
    def own(self) -> bool:
        """Whether the caption was written for this photo."""
        return _is_own(self.image, self.caption)


@dataclass(frozen=True)
class Judgements:
    """Both kinds, in the order of the files; a kind whose file is not there is empty.

    Attributes:
        expert: of experts.
        crowd: of the crowd.
        problems: damaged lines that were skipped, a file that is missing, counts that differ.
    """

    expert: tuple[Expert, ...]
    crowd: tuple[Crowd, ...]
    problems: tuple[Problem, ...] = ()


def has_judgements(folder: Path) -> bool:
    """Whether any of the two files is there."""
    return any((Path(folder) / place / name).is_file() for place in _PLACES for name in PUBLISHED)


def judgements(folder: Path) -> Judgements:
    """Read the two files, or the one that is there.

    A damaged block is skipped and counted, up to a tenth of a file's lines.

    Args:
        folder: with the files, perhaps in ``Flickr8k_text/``.

    Raises:
        InputError: neither is there, or too much is damaged.
    """
    folder = Path(folder)
    names = [f"{place}{name}" for name in PUBLISHED for place in _PLACES]
    need_file(folder, *names, what="the judgements of experts or of the crowd")
    expert, first = _read(folder, "ExpertAnnotations.txt", _expert)
    crowd, second = _read(folder, "CrowdFlowerAnnotations.txt", _crowd)
    return Judgements(expert, crowd, (*first, *second))


_Row = TypeVar("_Row")


def _read(
    folder: Path, name: str, parse: Callable[[list[str]], _Row | None]
) -> tuple[tuple[_Row, ...], tuple[Problem, ...]]:
    file = next((folder / it / name for it in _PLACES if (folder / it / name).exists()), None)
    if file is None:
        said = f"{folder} has no {name}; its judgements are left out"
        return (), (Problem(str(folder / name), None, "", said, kind="missing"),)
    damage = Damage(file, limit=max(100, PUBLISHED[name] // 10))
    found = []
    for line in text_lines(file, damage):
        row = parse(line.text.split("\t"))
        if row is None:
            damage.add(line.row, "expected IMAGE, CAPTION#N and three numbers, tabs between")
        else:
            found.append(row)
    if not found:
        raise InputError(f"{file} holds no judgement that can be read; get it again")
    problems = list(damage.problems)
    if len(found) != PUBLISHED[name]:
        said = f"{file}: {len(found):,} of {PUBLISHED[name]:,} judgements (published count)"
        problems.append(Problem(str(file), None, "", said, kind="missing"))
    return tuple(found), tuple(problems)


def _expert(cells: list[str]) -> Expert | None:
    cells = [cell.strip() for cell in cells]
    if len(cells) != 5 or not _CAPTION.fullmatch(cells[1]) or not _is_image(cells[0]):
        return None
    if not all(_SCORE.fullmatch(cell) for cell in cells[2:]):
        return None
    first, second, third = (int(cell) for cell in cells[2:])
    return Expert(cells[0], cells[1], (first, second, third))


def _crowd(cells: list[str]) -> Crowd | None:
    cells = [cell.strip() for cell in cells]
    if len(cells) != 5 or not _CAPTION.fullmatch(cells[1]) or not _is_image(cells[0]):
        return None
    try:
        share, yes, no = float(cells[2]), int(cells[3]), int(cells[4])
    except ValueError:
        return None
    if not 0 <= share <= 1 or min(yes, no) < 0 or yes + no == 0:
        return None
    return Crowd(cells[0], cells[1], share, yes, no)


def _is_image(name: str) -> bool:
    return _CAPTION.fullmatch(f"{name}#0") is not None


def _is_own(image: str, caption: str) -> bool:
    return caption.rpartition("#")[0] == image
