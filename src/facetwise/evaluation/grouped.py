"""Pictures in groups, own ones or a benchmark's: which are measured on, and remarks on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from facetwise.data import Collection
from facetwise.data.benchmarks import Source
from facetwise.errors import InputError
from facetwise.evaluation.image_image import group_labels
from facetwise.evaluation.own import evaluated_rows
from facetwise.evaluation.request import Request
from facetwise.models import Model

__all__ = ["Grouped", "benchmark_groups", "own_groups"]


@dataclass(frozen=True, eq=False)
class Grouped:
    """Rows of a collection and what group each is in.

    Attributes:
        collection: where they are.
        rows: (N) those that are measured on.
        labels: (N,) int64 the group of each, -1 for items without.
        problems: sentences on what is missing, or makes the figures doubtful.
    """

    collection: Collection
    rows: Sequence[int]
    labels: Tensor
    problems: tuple[str, ...]

    def remarks(self) -> dict[str, Any]:
        """``problems`` for JSON, where there are any."""
        return {"problems": list(self.problems)} if self.problems else {}


def own_groups(request: Request, name: str) -> Grouped:
    """The groups of the collection that was asked for; by default of unseen pictures.

    Raises:
        InputError: it has no groups, or nothing is left to measure on.
    """
    _no_scores_to_save(request, name)
    collection = Collection.open(request.folder(name))
    chosen = [set(evaluated_rows(m, collection, request.split or "auto")[0]) for m in _all(request)]
    rows = sorted(set.intersection(*chosen))
    labels = group_labels([collection.groups[row] for row in rows])
    if not bool((labels >= 0).any()):
        raise InputError(
            f"{collection.path} has no groups among these pictures; import it with a group column"
        )
    return Grouped(collection, rows, labels, ())


def benchmark_groups(request: Request, source: Source, name: str) -> Grouped:
    """All pictures of a benchmark, in a collection that is made once."""
    _no_scores_to_save(request, name)
    collection = request.collection(source)
    problems = [str(problem) for problem in (*source.problems, *collection.skipped)]
    problems += request.seen(collection)
    labels = group_labels(collection.groups)
    return Grouped(collection, range(len(collection)), labels, tuple(problems))


def _all(request: Request) -> tuple[Model, ...]:
    return (*request.models, *(() if request.rival is None else (request.rival,)))


def _no_scores_to_save(request: Request, name: str) -> None:
    if request.save_scores is not None:
        raise InputError(f"--save-scores keeps scores of images with texts; {name} has none")
