"""Other people's models: measure a score matrix or rankings, without the model."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

import torch

from facetwise.data.benchmarks import flickr8k, flickr30k
from facetwise.data.benchmarks.eccv import ground_truth, official_order
from facetwise.data.benchmarks.flickr8k_judgements import judgements
from facetwise.errors import InputError
from facetwise.evaluation.answers import Matrix
from facetwise.evaluation.coco import coco_1k, coco_5k
from facetwise.evaluation.eccv import eccv_caption
from facetwise.evaluation.flickr8k import judged
from facetwise.evaluation.image_text import Scored
from facetwise.evaluation.known import Known
from facetwise.evaluation.score_files import ScoreFile, load_scores
from facetwise.metrics import Ties

__all__ = ["SCORABLE", "evaluate_scores"]

_COCO: Final = ("coco-1k", "coco-5k", "eccv", "cxc")
SCORABLE: Final = (*_COCO, "flickr8k", "flickr30k", "flickr8k-judgements")
"""Benchmarks that ask nothing of a model but its scores of images and captions."""


def evaluate_scores(
    path: Path,
    benchmark: str | None = None,
    *,
    data: Path | None = None,
    split: str | None = None,
    ties: Ties = "pessimistic",
    seed: int = 0,
    allow_partial: bool = False,
) -> dict[str, Any]:
    """Figures of a file as `score_files` describes it.

    Args:
        path: the file.
        benchmark: whose protocol; None: all images against all captions. The COCO ones take their
            right answers, and the order of a file without ids, from the package eccv-caption.
        data: the folder of flickr8k or flickr30k, for its ids and its order (and judgements);
            without it the file's ``owner`` counts, or five captions an image. Of the COCO ones a
            folder that holds the package's json files, if the package is not installed.
        split: of `data`; ``test`` by default.
        ties: who stands first among equals.
        seed: of the bootstrap.
        allow_partial: measure scores of a part of the images.

    Returns:
        As `run_benchmark`, without what only a model can tell (control, variance).

    Raises:
        InputError: the file is not what it should be, or the benchmark needs a model.

    >>> import numpy as np, tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> np.save(folder / "theirs.npy", np.eye(20, 100))
    >>> evaluate_scores(folder / "theirs.npy")["images"]
    20
    """
    if benchmark is not None and benchmark not in SCORABLE:
        raise InputError(
            f"scores alone do not answer {benchmark!r}; --scores goes with {', '.join(SCORABLE)}"
        )
    start = time.monotonic()
    known = _known(benchmark, data, split, allow_partial)
    found = load_scores(path, known, allow_partial=allow_partial)
    if benchmark in ("eccv", "cxc"):
        figures = eccv_caption(
            found.answers,
            ground_truth("eccv" if benchmark == "eccv" else "cxc", _truths(data)),
            found.known.image_ids,
            found.known.caption_ids,
            ties=ties,
            allow_partial=allow_partial,
        )
    elif benchmark == "flickr8k-judgements":
        figures = _judged(path, found, data, allow_partial)
    else:
        protocol = coco_1k if benchmark == "coco-1k" else coco_5k
        what = Scored(found.answers)
        figures = protocol(what, found.known.owner, ties=ties, seed=seed).to_dict()
    notes = [*found.notes, *figures.pop("problems", [])]
    return {
        "benchmark": benchmark or "scores",
        "split": (split or "test") if benchmark else None,
        **figures,
        **({"problems": notes} if notes else {}),
        "seconds": round(time.monotonic() - start, 2),
    }


def _known(
    benchmark: str | None, data: Path | None, split: str | None, allow_partial: bool
) -> Known | None:
    """The benchmark's images and captions in the order that its protocol counts them in."""
    if benchmark in _COCO:
        if split not in (None, "test"):
            raise InputError(f"{benchmark}: only the order of the test split is known, not {split}")
        order = official_order(_truths(data))
        return Known(order.images, order.captions, torch.tensor(order.owner))
    if data is None:
        if split is not None:
            raise InputError(f"which images are of {split}? give the data: --data DIR")
        return None
    if benchmark is None:
        raise InputError("--data says nothing without --benchmark flickr8k or flickr30k")
    reader = flickr30k.read if benchmark == "flickr30k" else flickr8k.read
    read = reader(data, split or "test", allow_partial=allow_partial)
    return Known(read.images, read.caption_ids, torch.tensor(read.owner))


def _judged(path: Path, found: ScoreFile, data: Path | None, allow_partial: bool) -> dict[str, Any]:
    if data is None:
        raise InputError("flickr8k-judgements needs ExpertAnnotations.txt and the ids: --data DIR")
    if not isinstance(found.answers, Matrix):
        raise InputError(f"{path} holds rankings; judgements are correlated with a score matrix")
    return judged(
        judgements(data),
        found.answers.scores,
        found.known.image_ids,
        found.known.caption_ids,
        allow_partial=allow_partial,
    )


def _truths(data: Path | None) -> Path | None:
    """A folder that holds the json files; None: the package eccv-caption."""
    return data if data is not None and (data / "coco_test_ids.npy").exists() else None
