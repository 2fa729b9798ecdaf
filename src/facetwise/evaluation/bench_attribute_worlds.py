"""What `facetwise bench attributes` trains on and asks, for each kind of data.

- **birds**, classes of many pictures: other classes are held out, and asked few-shot and by
  retrieval;
- **fashion**, things of few pictures each: whole things are held out (with ``data.by = "item"``
  single pictures, drawn at random), and asked by retrieval;
- **outfits**: whole outfits are held out; which item belongs to them, and which outfit is one?

Settings are chosen without the held-out part: ``choose`` asks a part of the training data instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, Literal, cast

import torch
from torch import Tensor

from facetwise.data import Collection
from facetwise.data.benchmarks import ccp, cub
from facetwise.data.manifest import FILE
from facetwise.data.outfit_types import outfit_types
from facetwise.data.splits import GROUP_SIZE, holdout, split_collection
from facetwise.errors import InputError
from facetwise.evaluation.bench_attribute_rows import WorldTable
from facetwise.evaluation.bench_questions import Episodic, Outfits, Question, Ranked
from facetwise.evaluation.image_image import group_labels
from facetwise.evaluation.request import Request
from facetwise.training.material import Material
from facetwise.training.recipe import DataConfig

__all__ = ["KINDS", "Kind", "World", "collection_of", "kind_of", "world_of"]

Kind = Literal["birds", "fashion", "outfits"]
KINDS: Final[tuple[Kind, ...]] = ("birds", "fashion", "outfits")

_CHOOSE: Final = 0.3
"""Share of the training classes, things or outfits that settings may be chosen on."""
_CHOOSE_SEED: Final = 5


@dataclass(frozen=True)
class World:
    """Data of the bench.

    Attributes:
        kind: which of the three.
        material: to train on.
        collection: where the reported pictures are.
        rows: (N) which.
        types: (N) what each item of an outfit is; None elsewhere.
        questions: what is asked of them.
        part: what the reported pictures are called: ``val``.
        problems: what is missing of the published data.
    """

    kind: Kind
    material: Material
    collection: Collection
    rows: tuple[int, ...]
    types: tuple[str | None, ...] | None
    questions: tuple[Question, ...]
    part: str
    problems: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """For JSON; equal where everything that is measured is equal."""
        hashes = self.collection.image_hashes
        groups = [self.collection.groups[row] for row in self.rows]
        digest = blake2b(digest_size=8)
        digest.update(self.material.fingerprint.encode())
        told = [(hashes[row], self.collection.outfits[row]) for row in self.rows]
        asked = [question.about for question in self.questions]
        digest.update(repr((told, groups, self.types, asked)).encode())
        return {
            "name": self.collection.name,
            "kind": self.kind,
            "part": self.part,
            "train": _counts(self.material.collection, self.material.rows),
            "reported": _counts(self.collection, self.rows),
            "questions": asked,
            "fingerprint": digest.hexdigest(),
            "problems": list(self.problems),
        }


def _counts(collection: Collection, rows: Sequence[int]) -> dict[str, int]:
    groups = {collection.groups[row] for row in rows} - {None}
    outfits = {outfit for row in rows for outfit in collection.outfits[row]}
    return {"images": len(rows), "groups": len(groups), "outfits": len(outfits)}


def collection_of(
    folder: Path, *, cache: Path, allow_partial: bool = False
) -> tuple[Collection, tuple[str, ...]]:
    """A collection, the folder of CUB-200-2011 or of Clothing Co-Parsing, and its problems.

    Raises:
        InputError: it is none of these, or not all of it is there.
    """
    if (folder / FILE).exists():
        return Collection.open(folder), ()
    request = Request((), data=folder, cache=cache)
    source: Any
    if (folder / "annotations" / "pixel-level").is_dir():
        source = ccp.read(folder, "all", allow_partial=allow_partial)
    elif any((folder / place / "images.txt").exists() for place in (".", "CUB_200_2011")):
        source = cub.read(folder, "all", allow_partial=allow_partial)
    else:
        raise InputError(
            f"--data {folder}: expected a collection (facetwise data import makes one), or the "
            "folder of CUB-200-2011 or Clothing Co-Parsing"
        )
    # Figures are passed on: they name the folder, not the way to it on this machine.
    said = [str(problem).replace(str(folder), folder.name) for problem in source.problems]
    more = [f"and {len(said) - 5} more"] if len(said) > 5 else []
    return request.collection(source), (*said[:5], *more)


def kind_of(collection: Collection) -> Kind:
    """What such data can be asked: outfits where there are some; else classes of many pictures, or
    things of few.
    """
    if 2 * sum(map(bool, collection.outfits)) >= len(collection):
        return "outfits"
    known = [group for group in collection.groups if group is not None]
    return "birds" if len(known) > GROUP_SIZE * len(set(known)) else "fashion"


def world_of(
    collection: Collection,
    kind: Kind,
    asked: WorldTable,
    how: DataConfig,
    *,
    problems: Sequence[str] = (),
    choose: bool = False,
) -> World:
    """Split a collection, and say what is asked of the part that is not trained on.

    A split that the collection brings wins: what is reported is its ``test``, or its ``val`` if
    there is no test.

    Args:
        collection: the data.
        kind: of them.
        asked: shots, episodes, candidates.
        how: how a collection without a split is split.
        problems: to be passed on.
        choose: ask a part of the training data, on which settings may be chosen, and train on the
            rest of it.

    Raises:
        InputError: there is too little of it.
    """
    parts = _parts(collection, kind, how)
    rows = _rows_by(parts)
    if choose:
        inner = _chosen(collection, kind, rows.get("train", []))
        rows = {"train": inner["train"], "chosen on": inner.get("test", [])}
    part = next((name for name in ("chosen on", "test", "val") if rows.get(name)), None)
    if part is None or not rows.get("train"):
        raise InputError(
            f"{collection.path}: nothing is left to {'train' if part else 'measure'} on; a bench "
            "needs a split train and a split val or test, or enough groups to hold some out"
        )
    reported = rows[part]
    types: tuple[str | None, ...] | None = None
    if kind == "outfits":
        found = outfit_types(collection, reported)[0]
        types = None if found is None else tuple(found)
    return World(
        kind,
        Material.of(collection, rows["train"], how.languages, 0),
        collection,
        tuple(reported),
        types,
        _questions(collection, reported, kind, types, asked),
        part,
        tuple(problems),
    )


def _questions(
    collection: Collection,
    rows: Sequence[int],
    kind: Kind,
    types: Sequence[str | None] | None,
    asked: WorldTable,
) -> tuple[Question, ...]:
    if kind == "outfits":
        drawn = [
            Outfits.of(
                collection, rows, types, candidates=count, draws=asked.draws, with_auc=not place
            )
            for place, count in enumerate(asked.candidates)
        ]
        kept = tuple(question for question in drawn if len(question.units) > 1)
        if not kept:
            raise InputError(
                f"{collection.path}: its {len(rows)} held-out items have no outfits to ask for"
            )
        return kept
    labels = group_labels([collection.groups[row] for row in rows])
    out: list[Question] = [Ranked(labels)]
    if kind == "birds":
        out[:0] = _episodes(labels, asked)
    return tuple(out)


def _episodes(labels: Tensor, asked: WorldTable) -> list[Question]:
    """5-way and all-way, as far as there are classes with enough pictures."""
    counts = torch.bincount(labels[labels >= 0])
    out: list[Question] = []
    for way, episodes in ((5, asked.episodes), (0, asked.all_way_episodes)):
        for shot in asked.shots:
            if int((counts >= shot + asked.query).sum()) > max(way, 1):
                out.append(
                    Episodic.of(labels, way=way, shot=shot, query=asked.query, episodes=episodes)
                )
    return out


def _parts(collection: Collection, kind: Kind, how: DataConfig) -> list[str | None]:
    if any(collection.splits):
        return list(collection.splits)
    test = how.test or 0.2
    if kind == "outfits":
        return _by_outfit(collection, range(len(collection)), {"test": test}, how.split_seed)
    grouped = sum(group is not None for group in collection.groups) > len(collection) // 2
    by: Literal["group", "item"] = "group" if grouped and how.by != "item" else "item"
    parts = split_collection(collection, test=test, by=by, seed=how.split_seed)
    return cast("list[str | None]", parts)


def _chosen(collection: Collection, kind: Kind, rows: Sequence[int]) -> dict[str, list[int]]:
    """The training part split once more."""
    shares = {"test": _CHOOSE}
    parts: Sequence[str | None]
    if kind == "outfits":
        parts = _by_outfit(collection, rows, shares, _CHOOSE_SEED)
    else:
        keys = [collection.groups[row] or f"item {collection.ids[row]}" for row in rows]
        parts = holdout(keys, shares, _CHOOSE_SEED)
    return {
        name: [row for row, part in zip(rows, parts, strict=True) if part == name]
        for name in ("train", "test")
    }


def _by_outfit(
    collection: Collection, rows: Sequence[int], shares: Mapping[str, float], seed: int
) -> list[str | None]:
    """Whole outfits are held out; an item of outfits of two parts is in neither."""
    names = sorted({outfit for row in rows for outfit in collection.outfits[row]})
    part = dict(zip(names, holdout(names, shares, seed), strict=True))
    out: list[str | None] = []
    for row in rows:
        own = {part[outfit] for outfit in collection.outfits[row]}
        out.append(own.pop() if len(own) == 1 else None)
    return out


def _rows_by(parts: Sequence[str | None]) -> dict[str, list[int]]:
    out: dict[str, list[int]] = {}
    for row, part in enumerate(parts):
        if part is not None:
            out.setdefault(part, []).append(row)
    return out
