"""Rankings on disk, as the eccv-caption package takes them: lists of ids, best first."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facetwise.errors import InputError
from facetwise.evaluation.answers import Rankings
from facetwise.evaluation.known import Known
from facetwise.metrics.rankings import numbered

__all__ = ["rankings_of_arrays", "rankings_of_json"]

Lists = Mapping[str, Mapping[str, Sequence[Any]]]


def rankings_of_json(path: Path, known: Known | None) -> tuple[Rankings, Known]:
    """``{"i2t": {image id: [caption ids]}, "t2i": {caption id: [image ids]}}``.

    Args:
        path: the file; ``"owner": {caption id: image id}`` may be in it.
        known: of the benchmark; None: what is ranked for, with the file's owners.

    Raises:
        InputError: the file is damaged, or an id is unknown.
    """
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise InputError(f"{path} is no readable JSON: {' '.join(str(error).split())}") from error
    for way in ("i2t", "t2i"):
        lists = read.get(way) if isinstance(read, dict) else None
        if not isinstance(lists, dict) or not all(isinstance(one, list) for one in lists.values()):
            raise InputError(
                f'{path}: expected {{"i2t": {{image id: [caption ids]}}, "t2i": '
                f"{{caption id: [image ids]}}}}, and there is no such {way}"
            )
    owner = read.get("owner", {})
    if not isinstance(owner, dict):
        raise InputError(f'{path}: expected "owner": {{caption id: image id}}')
    if known is None:
        known = _owned(path, read, owner)
    return _placed(path, read, known), known


def rankings_of_arrays(
    path: Path,
    arrays: Mapping[str, Any],
    images: Sequence[str],
    captions: Sequence[str],
    known: Known,
) -> Rankings:
    """`i2t` and `t2i`: a line of ids for each of these images (captions), padded by -1."""
    lists: dict[str, dict[str, Sequence[Any]]] = {}
    for way, kind, ids in (("i2t", "images", images), ("t2i", "captions", captions)):
        raw = arrays[way]
        if raw.ndim != 2 or raw.dtype.kind not in "iu" or len(raw) != len(ids):
            raise InputError(
                f"{path}: {way} must hold a line of ids for each of {len(ids):,} {kind}, "
                f"not {raw.dtype} of {raw.shape}"
            )
        lists[way] = {name: row[row >= 0] for name, row in zip(ids, raw, strict=True)}
    return _placed(path, lists, known)


def _owned(path: Path, lists: Lists, owner: Mapping[str, Any]) -> Known:
    images, captions = tuple(lists["i2t"]), tuple(lists["t2i"])
    row = {name: place for place, name in enumerate(images)}
    image_of = {str(caption): str(image) for caption, image in owner.items()}
    lost = next((name for name in captions if image_of.get(name) not in row), None)
    if lost is not None or not captions:
        raise InputError(
            f"{path}: whose caption is {lost!r}? say which --benchmark these rankings are of, or "
            'add "owner": {caption id: image id} to the file'
        )
    return Known(images, captions, torch.tensor([row[image_of[name]] for name in captions]))


def _placed(path: Path, lists: Lists, known: Known) -> Rankings:
    """Lists of ids to lists of places; none for who was not asked."""
    return Rankings(
        _places(path, "i2t", lists["i2t"], known.image_ids, known.caption_ids),
        _places(path, "t2i", lists["t2i"], known.caption_ids, known.image_ids),
    )


def _places(
    path: Path,
    way: str,
    lists: Mapping[str, Sequence[Any]],
    asking: Sequence[str],
    asked: Sequence[str],
) -> Tensor:
    names = set(asking)
    stranger = next((name for name in lists if name not in names), None)
    if stranger is not None:
        raise InputError(f"{path}: {way} ranks for {stranger!r}, which is none of the queries")
    rows = [lists.get(name, ()) for name in asking]
    ids = [int(name) for name in asked if name.isdecimal() and str(int(name)) == name]
    if len(ids) == len(asked):
        try:
            return numbered([np.asarray(row, dtype=np.int64) for row in rows], ids)
        except (TypeError, ValueError, OverflowError):
            pass  # found again below, to be named
    place = {name: index for index, name in enumerate(asked)}
    found: list[list[int]] = []
    for query, row in zip(asking, rows, strict=True):
        places = [place.get(str(item), -1) for item in row]
        if -1 in places:
            item = row[places.index(-1)]
            raise InputError(f"{path}: {way} of {query!r} lists {item!r}, which is no known id")
        found.append(places)
    return numbered(found, range(len(asked)))
