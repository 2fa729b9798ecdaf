"""The picture files of a folder: found by path, by name, or by stem; never outside the folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Final

from facetwise.data.images import SUFFIXES
from facetwise.errors import InputError

__all__ = ["MAX_BYTES", "PictureFolder"]

MAX_BYTES: Final = 200_000_000
"""A larger picture file is not read."""


class PictureFolder:
    """All picture files below a folder (hidden ones and collections left out).

    Attributes:
        root: the folder.
        files: their paths relative to `root` with forward slashes, sorted.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(os.path.abspath(root))
        if not self.root.is_dir():
            what = "is no folder" if self.root.exists() else "does not exist"
            raise InputError(f"{root} {what}; give the folder that holds the pictures")
        self.files: tuple[str, ...] = tuple(sorted(_walk(self.root)))
        self._by_name = _unique(self.files, lambda path: path.name)
        self._by_stem = _unique(self.files, lambda path: path.stem)

    def find(self, value: str) -> str | None:
        """The file that a cell means: a path from the root, else a file's name, else its stem.

        A name or stem that several files share means none of them.

        Raises:
            InputError: the path leads out of the folder.
        """
        inside = self._inside(value)
        try:
            if (self.root / inside).is_file():
                return inside
        except OSError:  # a name longer than the file system allows
            return None
        name = PurePosixPath(inside).name
        return self._by_name.get(name) or self._by_stem.get(name)

    def read(self, file: str) -> bytes:
        """The bytes of a file that `find` gave.

        Raises:
            InputError: it is too large or cannot be read.
        """
        path = self.root / file
        try:
            if path.stat().st_size > MAX_BYTES:
                raise InputError(f"{path} has more than {MAX_BYTES // 1_000_000} MB; scale it down")
            return path.read_bytes()
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror})") from error

    def _inside(self, value: str) -> str:
        parts = os.path.normpath(os.path.join(self.root, value.replace("\\", "/")))
        if os.path.commonpath((self.root, parts)) != str(self.root) or "\0" in value:
            raise InputError(
                f"{value!r} leads out of {self.root}; put the picture into that folder"
            )
        return PurePosixPath(os.path.relpath(parts, self.root)).as_posix()


def _walk(root: Path) -> list[str]:
    found: list[str] = []
    for folder, folders, names in os.walk(root):
        folders[:] = [
            name
            for name in folders
            if not name.startswith((".", "__MACOSX")) and not name.endswith(".collection")
        ]
        for name in names:
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES:
                found.append(os.path.relpath(os.path.join(folder, name), root).replace("\\", "/"))
    return found


def _unique(files: tuple[str, ...], key: Callable[[PurePosixPath], str]) -> dict[str, str]:
    """Key to file, for the keys that only one file has."""
    found: dict[str, str] = {}
    for file in files:
        name = key(PurePosixPath(file))
        found[name] = "" if name in found else file
    return {name: file for name, file in found.items() if file}
