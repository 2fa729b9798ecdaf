"""A progress bar with the time left, on stderr, so that stdout stays the result's."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TypeVar

__all__ = ["Bar", "bar", "track"]

T = TypeVar("T")


class Bar:
    """What `bar` gives: `advance` moves it, `note` shows a word beside it (a loss, a file)."""

    def __init__(self, show: Callable[[int, str], None] | None = None) -> None:
        self.done = 0
        self.text = ""
        self._show = show

    def advance(self, n: int = 1) -> None:
        """Count `n` more as done."""
        self.done += n
        if self._show is not None:
            self._show(self.done, self.text)

    def note(self, text: str) -> None:
        """Show `text` after the bar."""
        self.text = text
        if self._show is not None:
            self._show(self.done, self.text)


@contextmanager
def bar(what: str, total: int | None = None) -> Iterator[Bar]:
    """Show the progress of `what` while the block runs.

    On a terminal a bar with the time left; elsewhere one plain line at the end if it took more than
    a second; with `FACETWISE_PROGRESS=0` nothing at all.

    >>> with bar("counting", total=3) as progress:
    ...     progress.advance(3)
    >>> progress.done
    3
    """
    if os.environ.get("FACETWISE_PROGRESS") == "0":
        yield Bar()
    elif sys.stderr is not None and sys.stderr.isatty():
        with _rich_bar(what, total) as progress:
            yield progress
    else:
        start = time.monotonic()
        progress = Bar()
        yield progress
        seconds = time.monotonic() - start
        if seconds > 1 and sys.stderr is not None:
            after = f", {progress.text}" if progress.text else ""
            print(f"{what}: {progress.done} in {seconds:.1f} s{after}", file=sys.stderr, flush=True)


def track(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Yield `items` and show how far along they are; `total` is needed where they have no length.

    >>> list(track("ab", "letters"))
    ['a', 'b']
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    with bar(what, total) as progress:
        for item in items:
            yield item
            progress.advance()


@contextmanager
def _rich_bar(what: str, total: int | None) -> Iterator[Bar]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    shown = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}"),
        console=Console(file=sys.stderr),
        redirect_stdout=False,  # stdout may be a pipe that waits for JSON
        refresh_per_second=5,
    )
    with shown:
        task = shown.add_task(what, total=total, text="")
        yield Bar(lambda done, text: shown.update(task, completed=done, text=text))
