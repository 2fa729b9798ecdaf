"""Score matrices and rankings on disk: ours, and those of anybody's program.

- ``.npz``: ``scores`` (images x captions); ``owner`` (the row of each caption's image),
  ``image_ids`` and ``caption_ids`` where known. Or, instead of scores, ``i2t`` and ``t2i``: ids,
  best first, one line for each of ``image_ids`` and ``caption_ids``, padded by -1.
- ``.npy``: the scores alone; five captions an image, in order, or one each.
- ``.json``: ``{"i2t": {image id: [caption ids, best first]}, "t2i": {...}}``, as the eccv-caption
  package takes them, perhaps with ``"owner": {caption id: image id}``.

Nothing in them is ever executed: arrays of Python objects are refused.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facetwise.errors import InputError
from facetwise.evaluation.answers import Matrix, Rankings
from facetwise.evaluation.known import Known
from facetwise.evaluation.ranking_files import rankings_of_arrays, rankings_of_json
from facetwise.files import replacing
from facetwise.metrics import distinct_images

__all__ = ["ScoreFile", "check_savable", "load_scores", "save_scores"]

_CAPTIONS = 5


@dataclass(frozen=True)
class ScoreFile:
    """What a file said: images in rows, each of them once, in the benchmark's order.

    Attributes:
        answers: scores, or rankings by place.
        known: whose they are.
        notes: what had to be set right.
    """

    answers: Matrix | Rankings
    known: Known
    notes: tuple[str, ...] = ()


def check_savable(path: Path) -> None:
    """Raise InputError unless `save_scores` can write such a file: ask before a long run."""
    if path.suffix not in (".npz", ".npy"):
        raise InputError(f"{path}: scores are kept as .npz (with ids) or .npy; name it so")


def save_scores(
    path: Path,
    scores: Tensor,
    *,
    owner: Tensor | None = None,
    image_ids: Sequence[str] = (),
    caption_ids: Sequence[str] = (),
) -> None:
    """Write a score matrix that `load_scores` and numpy read.

    Args:
        path: `.npz`, or `.npy` for the scores alone.
        scores: (B, C).
        owner: (C,) the row of each caption's image.
        image_ids, caption_ids: of rows and columns.

    Raises:
        InputError: another kind of file.
    """
    check_savable(path)
    arrays: dict[str, Any] = {"scores": scores.cpu().numpy()}
    if owner is not None:
        arrays["owner"] = owner.cpu().numpy()
    for name, ids in (("image_ids", image_ids), ("caption_ids", caption_ids)):
        if ids:
            arrays[name] = np.array(list(ids), dtype=np.str_)
    with replacing(path) as beside, beside.open("wb") as file:
        if path.suffix == ".npy":
            np.save(file, arrays["scores"], allow_pickle=False)
        else:
            np.savez(file, **arrays)


def load_scores(
    path: Path, known: Known | None = None, *, allow_partial: bool = False
) -> ScoreFile:
    """Read a matrix or rankings; see the module for the formats.

    Args:
        path: the file.
        known: of the benchmark that they are for: a file with ids is put into its order, one
            without is in its order already.
        allow_partial: take a file that names only some of the benchmark's images and captions.

    Raises:
        InputError: it is no such file, shapes or ids do not fit, or a score is not a number.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} is no file; expected scores (.npz, .npy) or rankings (.json)")
    if path.suffix == ".json":
        answers, known = rankings_of_json(path, known)
        return ScoreFile(answers, known)
    if path.suffix not in (".npz", ".npy"):
        raise InputError(f"{path}: expected scores (.npz, .npy) or rankings (.json)")
    arrays = _arrays(path)
    if "scores" not in arrays and not {"i2t", "t2i"} <= set(arrays):
        raise InputError(
            f"{path} holds {', '.join(arrays) or 'nothing'}; expected `scores`, or `i2t` and `t2i`"
        )
    images, captions = (_ids(path, arrays, name) for name in ("image_ids", "caption_ids"))
    if "scores" not in arrays:
        lines = tuple(len(arrays[way]) if arrays[way].ndim else 0 for way in ("i2t", "t2i"))
        if known is None:
            known = _own(path, arrays, lines, images, captions)
        images, captions = images or known.image_ids, captions or known.caption_ids
        return ScoreFile(rankings_of_arrays(path, arrays, images, captions, known), known)
    scores = _numbers(path, arrays["scores"])
    if known is None:
        own = known = _own(path, arrays, scores.shape, images, captions)
    elif images or captions:
        own = Known(images or known.image_ids, captions or known.caption_ids, known.owner)
        known = known.of(path, own.image_ids, own.caption_ids, allow_partial=allow_partial)
    else:
        own = known
    scores, notes = _upright(path, scores, own)
    return ScoreFile(Matrix(_ordered(scores, own, known)), known, notes)


def _arrays(path: Path) -> dict[str, Any]:
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {"scores": loaded}
        with loaded:
            return {name: loaded[name] for name in loaded.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        said = " ".join(str(error).split())
        raise InputError(f"{path} is no readable numpy file of numbers: {said}") from error


def _numbers(path: Path, raw: Any) -> Tensor:
    """(rows, columns) float32; float64 where the file is finer. float16 is ranked as it is."""
    if raw.ndim != 2 or raw.size == 0 or raw.dtype.kind not in "fiu":
        raise InputError(
            f"{path}: scores must be numbers, images x captions, "
            f"not {raw.dtype} of shape {raw.shape}"
        )
    single = raw.dtype.kind == "f" and raw.dtype.itemsize <= 4
    scores = torch.from_numpy(np.ascontiguousarray(raw, dtype="=f4" if single else "=f8"))
    if bool(scores.amin().isnan()):
        row, column = scores.isnan().nonzero()[0].tolist()
        raise InputError(
            f"{path}: the score in row {row}, column {column} (from 0) is NaN, which has no rank"
        )
    return scores


def _own(
    path: Path,
    arrays: Mapping[str, Any],
    shape: Sequence[int],
    images: tuple[str, ...],
    captions: tuple[str, ...],
) -> Known:
    """Whose scores these are by the file alone."""
    if "owner" in arrays:
        raw = arrays["owner"]
        if raw.ndim != 1 or raw.dtype.kind not in "iu" or len(raw) not in shape:
            raise InputError(
                f"{path}: owner must be the row of each caption's image: integers, one for each "
                f"caption, not {raw.dtype} of {raw.shape} for scores of {tuple(shape)}"
            )
        owner = torch.from_numpy(raw.astype(np.int64))
        count = int(shape[0] if shape[1] == len(owner) else shape[1])
        low, high = int(owner.min()), int(owner.max())
        if low < 0 or high >= count:
            raise InputError(
                f"{path}: owner goes from {low} to {high}, expected rows 0 to {count - 1}"
            )
    else:
        owner, count = _guessed_owner(path, shape)
    for ids, name, size in (
        (images, "image_ids", count),
        (captions, "caption_ids", len(owner)),
    ):
        if ids and len(ids) != size:
            raise InputError(f"{path}: {len(ids):,} {name}, expected {size:,}")
    numbered = Known.numbered(owner, count)
    return Known(images or numbered.image_ids, captions or numbered.caption_ids, owner)


def _guessed_owner(path: Path, shape: Sequence[int]) -> tuple[Tensor, int]:
    rows, columns = sorted(shape)
    if rows and columns in (rows, rows * _CAPTIONS):
        return torch.arange(columns) // (columns // rows), rows
    raise InputError(
        f"{path}: {shape[0]:,} x {shape[1]:,} is neither five captions an image nor one; say whose "
        "each caption is: an .npz with `owner`, the row of each caption's image"
    )


def _upright(path: Path, scores: Tensor, own: Known) -> tuple[Tensor, tuple[str, ...]]:
    """Images in rows, each once (METHODS T-31)."""
    images, captions = len(own.image_ids), len(own.caption_ids)
    shape = tuple(scores.shape)
    said = f"{path.name} is {shape[0]:,} x {shape[1]:,}"
    if shape == (captions, captions):
        once = distinct_images(scores, captions)
        if images in (captions, captions // _CAPTIONS) and len(once) < captions:
            return once, (f"{said}: every image is repeated {_CAPTIONS} times; read once",)
    if shape == (images, captions):
        return scores, ()
    if shape == (captions, images):
        return scores.T, (f"{said}: transposed, captions in rows; read the other way round",)
    raise InputError(
        f"{path}: scores are {shape[0]:,} x {shape[1]:,}, expected "
        f"{images:,} images x {captions:,} captions"
    )


def _ordered(scores: Tensor, own: Known, known: Known) -> Tensor:
    """Rows and columns as the protocol wants them; itself where they are."""
    for axis, (has, wants) in enumerate(
        ((own.image_ids, known.image_ids), (own.caption_ids, known.caption_ids))
    ):
        if has != wants:
            place = {name: index for index, name in enumerate(has)}
            scores = scores.index_select(axis, torch.tensor([place[name] for name in wants]))
    return scores


def _ids(path: Path, arrays: Mapping[str, Any], name: str) -> tuple[str, ...]:
    if name not in arrays:
        return ()
    raw = arrays[name]
    if raw.ndim != 1 or raw.dtype.kind not in "iuU":
        raise InputError(f"{path}: {name} must be a list of numbers or words, not {raw.dtype}")
    ids = tuple(map(str, raw.tolist()))
    if len(set(ids)) != len(ids):
        raise InputError(f"{path}: {name} repeat; each image and caption stands there once")
    return ids
