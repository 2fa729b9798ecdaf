"""Any collection: image-text retrieval where it has texts, image retrieval where it has groups."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from torch import Tensor

from facetwise.data import Collection
from facetwise.encoders import image_features
from facetwise.errors import InputError
from facetwise.evaluation.answers import Matrix
from facetwise.evaluation.image_image import Retrieval, group_labels, retrieval
from facetwise.evaluation.image_text import (
    Encoded,
    ImageText,
    image_text,
    matches,
    measured,
    scored,
)
from facetwise.evaluation.pair_figures import pair_figures
from facetwise.evaluation.report import Report
from facetwise.evaluation.rerank import RERANKED, Reranked, pair_scorer, two_stages
from facetwise.metrics.positives import Positives
from facetwise.models import Model

__all__ = ["Split", "evaluate", "evaluated_rows", "set_figures"]

Split = Literal["auto", "held-out", "train", "all"]


def evaluate(
    model: Model,
    collection: Collection,
    *,
    split: str = "auto",
    languages: Sequence[str] = ("en",),
    rerank: Model | None = None,
    depth: int = RERANKED,
) -> Report:
    """Measure a run on a collection.

    Args:
        model: the run.
        collection: the one it was trained on, or another.
        split: ``held-out``: pictures that were not seen in training (known by their content, in
            whatever collection they are); ``train``: those that were; ``all``; ``auto``: held-out.
        languages: texts in other languages are left out; empty takes all.
        rerank: a run that puts each text's best pictures, and each picture's best texts, in order
            (`evaluation.rerank`); held-out pictures are then those that neither has seen.
        depth: how many these are.

    Raises:
        InputError: nothing is left to measure on, or to rank again.
    """
    start = time.monotonic()
    rows, name = evaluated_rows(model, collection, split)
    if rerank is not None:
        both = set(evaluated_rows(rerank, collection, split)[0])
        rows = [row for row in rows if row in both]
        if len(rows) < 2:
            raise InputError(f"{collection.path}: the two runs have no {name} pictures in common")
    features = image_features(collection, model.image_encoder, rows)
    embedding = model.embed_features(features, model.known(collection, rows))
    groups = group_labels([collection.groups[row] for row in rows])
    texts = [
        [
            text
            for text, code in zip(collection.texts[row], collection.languages[row], strict=True)
            if text.strip() and (not languages or not code or code in languages)
        ]
        for row in rows
    ]
    text_figures: ImageText | None = None
    stages: dict[str, Any] | None = None
    sets_images: Retrieval | None = None
    if embedding.sets is not None:
        if rerank is None:
            text_figures = set_figures(model, collection, embedding.sets, texts)
        else:
            text_figures, stages = _two_stages(
                model, rerank, collection, rows, embedding.sets, texts, depth
            )
        sets = embedding.sets
        sets_images = retrieval(lambda q, g: model.similarity(sets[q], sets[g]), groups)
    elif rerank is not None:
        raise InputError(f"--rerank: {model.name or 'the run'} has no set model to rank texts by")
    pairs = None
    if model.pairs is not None:
        assert embedding.pairs is not None
        pairs = pair_figures(model.pairs, collection, rows, features, embedding.pairs, groups)
    return Report(
        collection=collection.name,
        split=name,
        items=len(rows),
        image_text=text_figures,
        pairs=pairs,
        sets_images=sets_images,
        seconds=time.monotonic() - start,
        rerank=stages,
    )


def evaluated_rows(model: Model, collection: Collection, split: str) -> tuple[list[int], str]:
    """The rows of a split, and its name.

    Raises:
        InputError: there is no such split, or it is empty.
    """
    seen = [name in model.trained_on for name in collection.image_hashes]
    if split in ("auto", "held-out"):
        rows = [row for row, known in enumerate(seen) if not known]
        name = "held-out"
        way_out = "every picture was seen in training: fit with data.test above 0, or --split all"
    elif split == "train":
        rows = [row for row, known in enumerate(seen) if known]
        name, way_out = "train", "no picture was seen in training"
    elif split == "all":
        rows, name, way_out = list(range(len(seen))), "all", "the collection is empty"
    else:
        raise InputError(f"no split {split!r}; there are auto, held-out, train, all")
    if len(rows) < 2:
        raise InputError(f"{collection.path}: fewer than two items to measure on; {way_out}")
    return rows, name


def set_figures(
    model: Model, collection: Collection, sets: Tensor, texts: Sequence[Sequence[str]]
) -> ImageText | None:
    """Image-text retrieval of pictures with texts; None where there are none."""
    rows = [row for row, own in enumerate(texts) if own]
    if not rows:
        return None
    distinct, edges = matches([texts[row] for row in rows])
    run = _encoded(model, collection, sets[rows], distinct)
    return image_text(run.x, run.y, edges, run.similarity)


def _two_stages(
    model: Model,
    rerank: Model,
    collection: Collection,
    rows: Sequence[int],
    sets: Tensor,
    texts: Sequence[Sequence[str]],
    depth: int,
) -> tuple[ImageText, dict[str, Any]]:
    """The figures of both stages, and what `two_stages` says of them."""
    kept = [place for place, own in enumerate(texts) if own]
    again = rerank.embed_collection(collection, [rows[place] for place in kept]).sets
    if not kept or again is None:
        why = "there are no texts to rank" if again is not None else "it has no set model"
        raise InputError(f"--rerank {rerank.name}: {why}")
    distinct, edges = matches([texts[place] for place in kept])
    first = _encoded(model, collection, sets[kept], distinct)
    second = _encoded(rerank, collection, again, distinct)
    what, positives = scored([first]), Positives.of(edges, len(kept))
    assert isinstance(what.answers, Matrix)
    alone = measured(what, positives)
    pairs = pair_scorer(second.x, second.y, rerank.similarity_spec)
    answers = Reranked(what.answers.scores, pairs, depth)
    found = measured(replace(what, answers=answers), positives)
    return found, two_stages(found, alone, by=rerank.name, depth=depth)


def _encoded(model: Model, collection: Collection, x: Tensor, texts: Sequence[str]) -> Encoded:
    y = model.embed_texts(texts, cached_in=collection).sets
    return Encoded(x, y, model.similarity_spec)
