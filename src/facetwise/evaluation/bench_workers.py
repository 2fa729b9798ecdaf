"""Trainings one after the other, or several at a time in processes of their own."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any, ClassVar, Protocol

import torch

from facetwise.progress import bar

__all__ = ["Work", "work_through"]


class Work(Protocol):
    """What a bench does; it is pickled, so that each process has it."""

    def open(self) -> Any:
        """What every task needs; once a process."""

    def needs(self, task: Any) -> str:
        """The name of what a task needs besides, and others of the same name as well."""

    def prepare(self, opened: Any, needed: str) -> Any:
        """What goes by that name; one at a time is in memory."""

    def do(self, opened: Any, prepared: Any, task: Any) -> None:
        """Train, measure and keep."""


def work_through(work: Work, tasks: Sequence[Any], jobs: int, opened: Any = None) -> None:
    """Do all tasks in their order; their ``name`` is shown.

    Args:
        work: what is done.
        tasks: which share what they need with their neighbours.
        jobs: how many at a time; above 1 each in a process with its share of the cores.
        opened: of `work`, if the caller has it already.

    Raises:
        KeyboardInterrupt: what is finished is kept.
    """
    if not tasks:
        return
    here = _Worker(work, opened)
    if jobs == 1 or len(tasks) == 1:
        with bar("trainings", len(tasks)) as progress:
            for task in tasks:
                progress.note(task.name)
                here.do(task)
                progress.advance()
        return
    for needed in dict.fromkeys(work.needs(task) for task in tasks):
        here.prepare(needed)  # two processes must not compute the same features
    del here
    threads = max(1, (os.cpu_count() or 1) // jobs)
    context = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(jobs, context, _Worker.start, (work, threads)) as pool,
        bar("trainings", len(tasks)) as progress,
    ):
        coming = [pool.submit(_Worker.work, task) for task in tasks]
        try:
            for done in as_completed(coming):
                done.result()
                progress.advance()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


class _Worker:
    """One process, perhaps of several: opens the data once."""

    here: ClassVar[_Worker]

    def __init__(self, work: Work, opened: Any = None) -> None:
        self.own = work
        self.opened = work.open() if opened is None else opened
        self.prepared: tuple[str, Any] | None = None

    def prepare(self, needed: str) -> Any:
        if self.prepared is None or self.prepared[0] != needed:
            self.prepared = None  # before the next one's features come
            self.prepared = needed, self.own.prepare(self.opened, needed)
        return self.prepared[1]

    def do(self, task: Any) -> None:
        self.own.do(self.opened, self.prepare(self.own.needs(task)), task)

    @classmethod
    def start(cls, work: Work, threads: int) -> None:
        """In a fresh process, before its first task."""
        os.environ["FACETWISE_PROGRESS"] = "0"
        torch.set_num_threads(threads)
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
        cls.here = cls(work)

    @classmethod
    def work(cls, task: Any) -> None:
        """Do a task."""
        cls.here.do(task)


def _end_with(parent: int) -> None:
    """Do not outlive a parent that was killed: nobody would collect what is found."""
    while os.getppid() == parent:
        time.sleep(5)
    os._exit(1)
