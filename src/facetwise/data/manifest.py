"""``collection.toml``: a collection's name, how its columns are meant, what was left out."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, cast

from facetwise.data.item import Problem
from facetwise.data.schema import ExtraKind, Kind
from facetwise.errors import InputError, VersionError
from facetwise.files import write_text

__all__ = ["FILE", "FORMAT", "LISTED", "Manifest"]

FILE: Final = "collection.toml"
FORMAT: Final = 1
LISTED: Final = 1000
"""Problems that are kept in words: a table may be wrong in every row."""


@dataclass(frozen=True)
class Manifest:
    """What is known of a collection besides its rows.

    Attributes:
        name: for titles.
        source: the table or folder that it was made from.
        roles: role (``id``, ``image``, ``texts``, ...) to what played it, for `inspect`.
        attributes: attribute group, which is the column's name, to its kind.
        extras: further columns to filter by, to their kind.
        renamed: a column's name in the source to its name here, where they differ.
        skipped: rows that were left out, the first `LISTED` of them.
        notes: remarks on rows that were kept, the first `LISTED` of them.
        left_out: how many rows were left out, by kind of problem; counts all of them.
    """

    name: str
    source: str = ""
    roles: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, Kind] = field(default_factory=dict)
    extras: Mapping[str, ExtraKind] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    skipped: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)

    def having(self, skipped: Iterable[Problem], notes: Iterable[Problem]) -> Manifest:
        """The same manifest with further problems."""
        new = tuple(skipped)
        counts = Counter(self.left_out)
        counts.update(problem.kind for problem in new)
        return replace(
            self,
            skipped=(*self.skipped, *new)[:LISTED],
            notes=(*self.notes, *notes)[:LISTED],
            left_out=dict(counts.most_common()),
        )

    def write(self, folder: Path) -> None:
        """Write ``collection.toml`` into `folder`."""
        import tomli_w

        content = {
            "format": FORMAT,
            "name": self.name,
            "source": self.source,
            "roles": dict(self.roles),
            "attributes": dict(self.attributes),
            "extras": dict(self.extras),
            "renamed": dict(self.renamed),
            "left_out": dict(self.left_out),
            "skipped": [_to_dict(problem) for problem in self.skipped],
            "notes": [_to_dict(problem) for problem in self.notes],
        }
        write_text(folder / FILE, tomli_w.dumps(content))

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read ``collection.toml`` from `folder`.

        Raises:
            InputError: `folder` is no collection, or the file is damaged.
            VersionError: a newer facetwise made it.
        """
        try:
            content = tomllib.loads((folder / FILE).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError) as error:
            what = "is no collection" if folder.exists() else "does not exist"
            raise InputError(
                f"{folder} {what} (no {FILE} there); make one with: "
                "facetwise data import DIR --out NAME.collection"
            ) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            raise InputError(
                f"{folder / FILE} cannot be read ({error}); make the collection again"
            ) from error
        made = content.get("format")
        if isinstance(made, int) and made > FORMAT:
            raise VersionError(
                f"{folder} has format {made}, this facetwise reads up to {FORMAT}; "
                "update it with: pip install --upgrade facetwise"
            )
        try:
            return cls._from_dict(content)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"{folder / FILE} is not as expected ({error!r}); make the collection again"
            ) from error

    @classmethod
    def _from_dict(cls, content: Mapping[str, Any]) -> Manifest:
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']!r}")
        return cls(
            name=str(content["name"]),
            source=str(content.get("source", "")),
            roles=dict(content.get("roles", {})),
            attributes=cast("dict[str, Kind]", dict(content["attributes"])),
            extras=cast("dict[str, ExtraKind]", dict(content["extras"])),
            renamed=dict(content.get("renamed", {})),
            skipped=_problems(content.get("skipped", ())),
            left_out={str(kind): int(n) for kind, n in content.get("left_out", {}).items()},
            notes=_problems(content.get("notes", ())),
        )


def _to_dict(problem: Problem) -> dict[str, str | int]:
    entry: dict[str, str | int] = {"file": problem.file}
    if problem.row is not None:
        entry["row"] = problem.row
    return entry | {"id": problem.id, "kind": problem.kind, "what": problem.what}


def _problems(entries: Iterable[Mapping[str, Any]]) -> tuple[Problem, ...]:
    return tuple(
        Problem(
            file=str(entry["file"]),
            row=entry.get("row"),
            id=str(entry["id"]),
            what=str(entry["what"]),
            kind=str(entry.get("kind", "row")),
        )
        for entry in entries
    )
