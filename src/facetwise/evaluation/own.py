"""Any collection: image-text retrieval where it has texts, image retrieval where it has groups."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from facetwise.data import Collection
from facetwise.encoders import ImageFeatures, image_features
from facetwise.errors import InputError
from facetwise.evaluation.image_image import Retrieval, agreement, group_labels, retrieval
from facetwise.evaluation.image_text import ImageText, image_text, matches
from facetwise.evaluation.report import PairFigures, Report
from facetwise.evaluation.scorers import cosine_scorer
from facetwise.models import PAN, Model
from facetwise.similarity import relevance_entropy, relevance_mass

__all__ = ["Split", "evaluate", "evaluated_rows", "pair_figures", "set_figures"]

Split = Literal["auto", "held-out", "train", "all"]
_ENTROPY_PAIRS = 10_000


def evaluate(
    model: Model,
    collection: Collection,
    *,
    split: str = "auto",
    languages: Sequence[str] = ("en",),
) -> Report:
    """Measure a run on a collection.

    Args:
        model: the run.
        collection: the one it was trained on, or another.
        split: ``held-out``: pictures that were not seen in training (known by their content, in
            whatever collection they are); ``train``: those that were; ``all``; ``auto``: held-out.
        languages: texts in other languages are left out; empty takes all.

    Raises:
        InputError: nothing is left to measure on.
    """
    start = time.monotonic()
    rows, name = evaluated_rows(model, collection, split)
    features = image_features(collection, model.image_encoder, rows)
    embedding = model.embed_features(features)
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
    sets_images: Retrieval | None = None
    if embedding.sets is not None:
        text_figures = set_figures(model, collection, embedding.sets, texts)
        sets = embedding.sets
        sets_images = retrieval(lambda q, g: model.similarity(sets[q], sets[g]), groups)
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
    y = model.embed_texts(distinct, cached_in=collection).sets
    return image_text(sets[rows], y, edges, model.similarity_spec)


def pair_figures(
    pan: PAN,
    collection: Collection,
    rows: Sequence[int],
    features: ImageFeatures,
    h: Tensor,
    groups: Tensor,
) -> PairFigures:
    """PAN, its controls, and what weighing does."""
    plain = pan.norm(features.pooled)
    cosine = F.normalize(h, dim=-1)

    def by_features(q: Tensor, g: Tensor) -> Tensor:
        scores: Tensor = plain[q] @ plain[g].T
        return scores

    def by_head(q: Tensor, g: Tensor) -> Tensor:
        return cosine[q] @ cosine[g].T

    def by_model(q: Tensor, g: Tensor, factors: Tensor | None = None) -> Tensor:
        return pan.against(h[q], h[g], factors)

    last_layer = cosine_scorer("last layer", plain[:, : pan.norm.widths[0]])
    pair_entropy, mean_entropy, free = _relevance(pan, h)
    attributes = collection.attributes.rows(torch.tensor(list(rows)))
    some = torch.arange(len(rows))[:: max(1, len(rows) // 500)]  # enough for a percent
    shares: dict[str, tuple[float, float, float]] = {}
    for index, condition in enumerate(pan.conditions):
        if condition.group is None or condition.group not in attributes.groups:
            continue
        factors = torch.ones(len(pan.conditions))
        factors[index] = 3.0
        present, known = _values(attributes.states[:, attributes.slices[condition.group]])
        shares[condition.group] = (
            agreement(by_features, present, known, queries=some),
            agreement(by_model, present, known, queries=some),
            agreement(partial(by_model, factors=factors), present, known, queries=some),
        )
    return PairFigures(
        found=retrieval(by_model, groups),
        head_cosine=retrieval(by_head, groups),
        untrained=retrieval(by_features, groups),
        last_layer=retrieval(last_layer.matrix, groups),
        pair_entropy=pair_entropy,
        mean_entropy=mean_entropy,
        free_mass=free,
        agreement=shares,
    )


def _relevance(pan: PAN, h: Tensor) -> tuple[float, float, float]:
    """Entropy of a pair's relevance, of the mean relevance, and the mass on free conditions."""
    g = torch.Generator().manual_seed(0)
    i = torch.randint(len(h), (_ENTROPY_PAIRS,), generator=g)
    j = (i + torch.randint(1, max(2, len(h)), (_ENTROPY_PAIRS,), generator=g)) % len(h)
    with torch.no_grad():
        relevance = pan(h[i], h[j]).relevance
    pair, mean = relevance_entropy(relevance)
    supervised = sum(condition.supervised for condition in pan.conditions)
    return float(pair), float(mean), float(relevance_mass(relevance, supervised))


def _values(states: Tensor) -> tuple[Tensor, Tensor]:
    """States (N, A) of a group -> present (N, A) float, known (N,) bool; a flag's no is a value."""
    if states.shape[1] == 1:
        states = torch.cat([states, torch.where(states >= 0, 1 - states, states)], 1)
    return (states == 1).float(), (states >= 0).any(1)
