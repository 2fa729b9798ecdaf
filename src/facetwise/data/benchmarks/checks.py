"""Is a benchmark on disk the one that was published? Counts, files and damaged lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from facetwise.data.item import Problem
from facetwise.errors import InputError

__all__ = ["Damage", "check_count", "need_file"]

_WAY_OUT = "get them, or go on with what is there: --allow-partial"


def check_count(
    what: str,
    found: int,
    published: int,
    *,
    where: Path,
    missing: Sequence[str] = (),
    allow_partial: bool = False,
) -> Problem | None:
    """Compare a count with the published one.

    Args:
        what: what is counted, in the plural: ``photos``.
        found: how many there are.
        published: how many there should be.
        where: the folder or file, for the message.
        missing: names of what is missing, where they are known; the first is shown.
        allow_partial: report the difference instead of raising.

    Returns:
        None if the counts are equal, else (with `allow_partial`) what to report.

    Raises:
        InputError: the counts differ.

    >>> check_count("photos", 5, 5, where=Path("data"))
    >>> str(check_count("photos", 4, 5, where=Path("data"), allow_partial=True))
    'data: 4 of 5 photos (published count)'
    """
    if found == published:
        return None
    said = f"{where}: {found:,} of {published:,} {what} (published count)"
    if missing:
        more = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
        said += f"; missing: {missing[0]}{more}"
    if not allow_partial:
        way_out = _WAY_OUT
        if found > published:
            way_out = "take the published files, or go on with these: --allow-partial"
        raise InputError(f"{said}; {way_out}")
    return Problem(file=str(where), row=None, id="", what=said, kind="missing")


def need_file(folder: Path, *names: str, what: str) -> Path:
    """The first of `names` that exists below `folder`.

    Args:
        folder: of the benchmark.
        names: where the file may lie, relative to the folder; the usual place first.
        what: what is in it, for the message.

    Raises:
        InputError: none exists; the message names all.
    """
    for name in names:
        if (folder / name).exists():
            return folder / name
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; give the one that holds {names[0]} ({what})")
    raise InputError(f"{folder} has no {' or '.join(names)} ({what}); put it there")


class Damage:
    """Collects the damaged lines of a file, which are skipped as long as there are few.

    Args:
        file: for the messages.
        limit: a file with more damaged lines is not what it should be.
    """

    def __init__(self, file: Path, limit: int = 100) -> None:
        self.file, self.limit = file, limit
        self._problems: list[Problem] = []

    def add(self, row: int, what: str, id: str = "") -> None:
        """Note that line `row` (1 is the first of the file) was skipped.

        Raises:
            InputError: there are too many.
        """
        said = f"{self.file.name} line {row}: {what}; skipped"
        self._problems.append(Problem(file=str(self.file), row=row, id=id, what=said, kind="row"))
        if len(self._problems) > self.limit:
            first = self._problems[0]
            raise InputError(
                f"{self.file} is damaged: more than {self.limit} bad lines, the first is "
                f"line {first.row} ({first.what}); get the file again"
            )

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What was skipped, in the order of the file."""
        return tuple(self._problems)
