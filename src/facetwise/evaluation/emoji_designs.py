"""Emoji by nine artists: the same thing by another hand, its words, and its tags (all public).

Three parts are measured: unseen concepts by seen artists (``concept``), seen concepts by unseen
artists (``artist``), and what is unseen in both ways (``both``); see the reader for the rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import torch
from torch import Tensor

from facetwise.data import Collection
from facetwise.data.benchmarks import emoji_designs
from facetwise.data.manifest import FILE
from facetwise.encoders import image_features
from facetwise.errors import InputError
from facetwise.evaluation.answers import Way
from facetwise.evaluation.both_ways import BothWays
from facetwise.evaluation.eccv import many_positives
from facetwise.evaluation.image_image import Retrieval, group_labels, retrieval
from facetwise.evaluation.image_text import Encoded, matches, scored
from facetwise.evaluation.probing import probe
from facetwise.evaluation.request import Request
from facetwise.evaluation.scorers import Scorer
from facetwise.metrics import Positives
from facetwise.metrics.bootstrap import bootstrap_difference

__all__ = ["PARTS", "run"]

PARTS: Final = {
    "concept": (("concept",), ("concept",)),
    "artist": (("artist",), ("train", "val")),
    "both": (("both",), ("concept",)),
}
"""For each part whose drawings ask, and among whose they are to find the same thing."""

_KS: Final = (1, 5, 10)
_TAG_CONCEPTS: Final = 5


def run(request: Request) -> dict[str, Any]:
    """Measure runs on the nine artists' drawings.

    ``--data`` is the collection that ``facetwise data get emoji-designs`` makes, or the folder of
    packages that it keeps.

    Returns:
        For each part ``images``: recalls and mAP@R of the same concept by another hand, with the
        controls' (``against``: the paired difference to a rival in mAP@R, concepts resampled); and,
        if the run has a set model, ``image_text``: mAP@R, R-Precision and recalls both ways over
        labels and tags. ``attributes``: mean average precision of a linear probe for tags on unseen
        concepts, with that of frozen features and of chance. ``seen``: measured pictures that a run
        was trained on. Percent.

    Raises:
        InputError: the data are no such collection.
    """
    collection = _collection(request)
    held: list[str] = collection.table(["held_out"])["held_out"].to_pylist()
    rows = {name: [row for row, part in enumerate(held) if part == name] for name in {*held}}
    asked = {
        name: [row for part in parts[0] for row in rows[part]] for name, parts in PARTS.items()
    }
    trained = frozenset[str]().union(*(model.trained_on for model in request.models))
    hashes = collection.image_hashes
    figures: dict[str, Any] = {
        "pictures": sum(map(len, asked.values())),
        "seen": sum(hashes[row] in trained for own in asked.values() for row in own),
    }
    for name, (_, gallery) in PARTS.items():
        among = [row for part in gallery for row in rows[part]]
        figures[name] = {"images": _images(request, collection, asked[name], among)}
        if request.models and all(model.has_sets for model in request.models):
            figures[name]["image_text"] = _image_text(request, collection, asked[name])
    figures["attributes"] = _attributes(request, collection, rows["train"], rows["concept"])
    return figures


def _collection(request: Request) -> Collection:
    folder = request.folder("emoji-designs")
    if not (folder / FILE).exists():
        return request.collection(emoji_designs.read(folder))
    collection = Collection.open(folder)
    if "held_out" not in collection.extras or "tag" not in collection.attribute_groups:
        raise InputError(
            f"{folder} is not the collection of `facetwise data get emoji-designs`; make it first"
        )
    if any(collection.splits.count(part) == 0 for part in ("train", "test")):
        raise InputError(f"{folder} does not hold all drawings; make it again")
    return collection


def _images(
    request: Request, collection: Collection, asked: Sequence[int], among: Sequence[int]
) -> dict[str, Any]:
    """The same concept by another hand: recalls, mAP@R, controls."""
    rows = sorted({*asked, *among})
    place = {row: index for index, row in enumerate(rows)}
    labels = group_labels([collection.groups[row] for row in rows])
    queries, gallery = (torch.tensor([place[row] for row in own]) for own in (asked, among))

    def found(scorer: Scorer) -> Retrieval:
        result = retrieval(scorer.matrix, labels, queries, gallery, ties=request.ties)
        if result is None:
            raise InputError(f"{collection.path}: no concept is drawn twice; make it again")
        return result

    scorer, *controls = request.scorers(collection, rows)
    own = found(scorer)
    figures = own.figures(_KS)
    figures["control"] = {
        one.name: {
            key: value
            for key, value in found(one).figures(_KS).items()
            if key in ("R@1", "map_at_r")
        }
        for one in controls
    }
    rival = request.rival_scorer(collection, rows)
    if rival is not None:
        concepts = labels[queries][_answerable(labels, queries, gallery)]
        sums, weights = (_by_concept(one, concepts) for one in (own.precisions, None))
        other = _by_concept(found(rival).precisions, concepts)
        gap = bootstrap_difference(100 * sums, 100 * other, weights)
        figures["against"] = {
            "map_at_r": round(gap.value, 2),
            "ci95": [round(gap.low, 2), round(gap.high, 2)],
        }
    return figures


def _answerable(labels: Tensor, queries: Tensor, gallery: Tensor) -> Tensor:
    """(Q,) whether the gallery holds another picture of the query's concept."""
    count = torch.bincount(labels[gallery], minlength=int(labels.max()) + 1)
    itself = torch.isin(queries, gallery).long()
    return count[labels[queries]] > itself


def _by_concept(values: Tensor | None, concepts: Tensor) -> Tensor:
    """Sums of each concept's values, or how many there are."""
    places = concepts.unique(return_inverse=True)[1]
    values = torch.ones(len(concepts)) if values is None else values
    sums = torch.zeros(int(places.max()) + 1, dtype=torch.double)
    return sums.index_add_(0, places, values.double())


def _image_text(request: Request, collection: Collection, rows: Sequence[int]) -> dict[str, Any]:
    """Labels and tags for a drawing, drawings for a label or tag; in English."""
    texts = [
        [
            text
            for text, code in zip(collection.texts[row], collection.languages[row], strict=True)
            if code == "en"
        ]
        for row in rows
    ]
    distinct, edges = matches(texts)
    runs: list[Encoded] = []
    for model in request.models:
        features = image_features(collection, model.image_encoder, rows)
        x = model.embed_features(features).sets
        y = model.embed_texts(distinct, cached_in=collection).sets
        assert x is not None and y is not None
        runs.append(Encoded(x, y, model.similarity_spec))
    what = scored(runs)
    i2t = Positives.of(edges, len(rows))
    ways: tuple[tuple[Way, Positives], ...] = (("i2t", i2t), ("t2i", i2t.flipped(len(distinct))))
    figures: dict[str, Any] = {"images": len(rows), "texts": len(distinct)}
    for way, positives in ways:
        figures[way] = many_positives(what.answers, way, positives, ties=request.ties).to_dict()
    figures["ties"] = BothWays.of(what.answers, i2t, request.ties).tied
    if what.control is not None:
        figures["control"] = {
            f"mean_vector_{way}_map_at_r": round(
                many_positives(what.control, way, positives, ties=request.ties).map_at_r, 2
            )
            for way, positives in ways
        }
    return figures


def _attributes(
    request: Request, collection: Collection, train: Sequence[int], test: Sequence[int]
) -> dict[str, Any]:
    """Tags of unseen concepts by a linear probe, which is fitted on what training may see."""
    rows = [*train, *test]
    table = collection.attributes
    states = table.states[:, table.slices["tag"]][rows] == 1
    seen, unseen = states[: len(train)], states[len(train) :]
    concepts = group_labels([collection.groups[row] for row in train])
    often = torch.zeros(int(concepts.max()) + 1, states.shape[1])
    often.index_put_((concepts,), seen.float())
    tags = ((often.sum(0) >= _TAG_CONCEPTS) & unseen.any(0)).nonzero().squeeze(1)
    own, *controls = (
        (scorer.name, 100 * probe(*_halves(scorer, len(train), seen[:, tags], unseen[:, tags])))
        for scorer in request.scorers(collection, rows)
    )
    return {
        "tags": len(tags),
        "map": round(own[1], 2),
        "chance": round(100 * unseen[:, tags].double().mean().item(), 2),
        "control": {name: {"map": round(value, 2)} for name, value in controls},
    }


def _halves(
    scorer: Scorer, count: int, seen: Tensor, unseen: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What `probe` takes: embeddings and tags of the first `count` items, and of the others."""
    return scorer.h[:count], seen, scorer.h[count:], unseen
