"""What the reader of a benchmark returns: items on disk that can become a Collection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

from facetwise.data.item import Item, Problem

__all__ = ["Source", "files_fingerprint"]


class Source(Protocol):
    """The items of one split of a benchmark, as its reader found them.

    A Collection made of it caches the features of its pictures, so that a second evaluation costs
    what the model costs. Readers add what else their protocol needs: caption ids, questions.
    """

    @property
    def name(self) -> str:
        """The benchmark and its split: ``flickr8k-dev``."""

    @property
    def folder(self) -> Path:
        """Where it was read from."""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Damaged lines that were skipped, and what is missing and was allowed to be."""

    def items(self) -> Iterator[Item]:
        """The items, with the bytes of their pictures; each file is read when it is reached."""

    def __len__(self) -> int:
        """How many items there are."""

    def fingerprint(self) -> str:
        """Another one when the files, or what is read of them, have changed."""


def files_fingerprint(files: Iterable[Path], *more: str) -> str:
    """A hash of names, sizes and times of change, and of what else makes a difference.

    Files that are not there count by their name alone.
    """
    digest = blake2b(digest_size=16)
    for word in more:
        digest.update(f"{word}\n".encode())
    for file in files:
        digest.update(f"{file.name}\n".encode())
        if file.is_file():
            about = file.stat()
            digest.update(f"{about.st_size} {about.st_mtime_ns}\n".encode())
    return digest.hexdigest()
