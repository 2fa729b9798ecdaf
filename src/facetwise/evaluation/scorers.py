"""Scorers: how alike are two pictures, by item number, whatever model it is that says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from facetwise.encoders import ImageFeatures
from facetwise.errors import InputError
from facetwise.models import Known, Model, PairModel
from facetwise.similarity import SetSimilarity, score_matrix, score_pairs

__all__ = ["Embedded", "Scorer", "cosine_scorer", "ensemble", "image_scorers", "set_scorer"]

_PAIRS = 4096
"""Pairs that are scored at a time."""


@dataclass(frozen=True)
class Embedded:
    """The items' embeddings under one model, and how it compares them.

    Attributes:
        h: (N, ...) one row an item.
        against: (Q, ...) and (G, ...) embeddings -> (Q, G) scores.
        listed: embeddings (N, ...), numbers (P,) and (P,) -> (P,) scores.
        among: of a model that embeds items among their neighbours: item numbers (I,) and edges
            (E, 2) between places in them -> their embeddings in that graph (`in_context`). None:
            what is beside an item makes no difference.
    """

    h: Tensor
    against: Callable[[Tensor, Tensor], Tensor]
    listed: Callable[[Tensor, Tensor, Tensor], Tensor]
    among: Callable[[Tensor, Tensor], Tensor] | None = None


@dataclass(frozen=True)
class Scorer:
    """Similarity of items by their numbers: the mean over one model or over several.

    Attributes:
        name: for tables.
        parts: the models of an ensemble; usually one.

    >>> scorer = cosine_scorer("cosine", torch.eye(3))
    >>> scorer.matrix(torch.tensor([0]), torch.arange(3))
    tensor([[1., 0., 0.]])
    >>> scorer.pairs(torch.tensor([0, 1]), torch.tensor([1, 1]))
    tensor([0., 1.])
    """

    name: str
    parts: tuple[Embedded, ...]

    def __len__(self) -> int:
        return len(self.parts[0].h)

    @property
    def h(self) -> Tensor:
        """(N, d) the embeddings as vectors, for k-means; of an ensemble one after the other."""
        return torch.cat([part.h.flatten(1) for part in self.parts], dim=1)

    @property
    def looks_around(self) -> bool:
        """Whether an item's embedding depends on the items that it is known to belong with."""
        return any(part.among is not None for part in self.parts)

    def matrix(self, q: Tensor, g: Tensor) -> Tensor:
        """Item numbers (Q,) and (G,) -> scores (Q, G)."""
        return _mean([part.against(part.h[q], part.h[g]) for part in self.parts])

    def pairs(self, r: Tensor, c: Tensor) -> Tensor:
        """Item numbers (P,) and (P,) -> scores (P,); a tile of pairs is in memory at a time."""
        return _mean([part.listed(part.h, r, c) for part in self.parts])

    def extended(self, members: Tensor) -> Scorer:
        """The same with more items: the mean embeddings of (W, K) members (prototypes).

        They get the numbers N to N + W - 1. Means are not scaled to any length here; similarities
        that compare directions do so themselves.
        """
        return replace(
            self,
            parts=tuple(
                replace(part, h=torch.cat([part.h, part.h[members].mean(1)])) for part in self.parts
            ),
        )


def cosine_scorer(name: str, vectors: Tensor) -> Scorer:
    """Vectors (N, d) of any length under the cosine; of length 1 in `h`."""

    def against(q: Tensor, g: Tensor) -> Tensor:
        return F.normalize(q, dim=-1) @ F.normalize(g, dim=-1).T

    def listed(h: Tensor, r: Tensor, c: Tensor) -> Tensor:
        h = F.normalize(h, dim=-1)
        tiles = zip(r.split(_PAIRS), c.split(_PAIRS), strict=True)
        return torch.cat([(h[i] * h[j]).sum(-1) for i, j in tiles])

    return Scorer(name, (Embedded(F.normalize(vectors.float(), dim=-1), against, listed),))


def set_scorer(name: str, sets: Tensor, similarity: SetSimilarity) -> Scorer:
    """Embedding sets (N, K, D) under a set similarity."""

    def against(q: Tensor, g: Tensor) -> Tensor:
        return score_matrix(q, g, similarity)

    def listed(h: Tensor, r: Tensor, c: Tensor) -> Tensor:
        return score_pairs(h, h, r, c, similarity)

    return Scorer(name, (Embedded(sets, against, listed),))


def ensemble(scorers: Sequence[Scorer], name: str = "") -> Scorer:
    """The mean of several runs' scores (METHODS T-39)."""
    if len(scorers) == 1 and not name:
        return scorers[0]
    parts = tuple(part for scorer in scorers for part in scorer.parts)
    return Scorer(name or scorers[0].name, parts)


def image_scorers(
    model: Model, features: ImageFeatures, using: str | None = None, known: Known = Known()
) -> tuple[Scorer, ...]:
    """How a run compares pictures, and the controls beside it.

    Args:
        model: the run.
        features: of the pictures.
        using: ``pairs`` or ``sets``; by default the pair model where there is one.
        known: what else is known of the items (`Model.known`).

    Returns:
        The run's own scorer (``pairs`` or ``sets``); then of a pair model its head under the plain
        cosine (``head, cosine``), of a set model the sets' mean vectors (``mean vectors``); and
        what no training gives: the encoder's last layer (``last layer``, hard to beat on photos of
        things it knows) and all the frozen features that the heads see (``frozen features``).

    Raises:
        InputError: the run has no such model.
    """
    if using not in (None, "pairs", "sets"):
        raise InputError(f"--using {using}: expected pairs or sets")
    if (using == "pairs" and not model.has_pairs) or (using == "sets" and not model.has_sets):
        has = "sets" if model.has_sets else "pairs"
        raise InputError(f"--using {using}: this run has no such model, only {has}")
    embedding = model.embed_features(features, known)
    if using == "sets" or not model.has_pairs:
        assert embedding.sets is not None and model.sets is not None
        frozen = model.sets.image.untrained(features.pooled)
        means = model.sets.similarity.mean_vectors(embedding.sets)
        return (
            set_scorer("sets", embedding.sets, model.sets.similarity),
            cosine_scorer("mean vectors", means),
            *_untrained(frozen[:, : model.image_encoder.parts[0]], frozen),
        )
    pan = model.pairs
    assert embedding.pairs is not None and pan is not None
    pairs = Embedded(embedding.pairs, pan.similarity.against, pan.similarity.listed)
    head = cosine_scorer("head, cosine", embedding.pairs)
    prepared = pan.prepare(features)
    if pan.whole:
        among = partial(_among, pan, prepared, known)
        pairs = replace(pairs, among=among)
        unit = replace(head.parts[0], among=lambda i, e: F.normalize(among(i, e), dim=-1))
        head = replace(head, parts=(unit,))
    return (Scorer("pairs", (pairs,)), head, *_untrained(*pan.untrained(prepared)))


@torch.no_grad()
def _among(model: PairModel, x: Tensor, known: Known, items: Tensor, edges: Tensor) -> Tensor:
    """Embeddings (I, d) of items (I,) of x (N, P), with edges (E, 2) between places in `items`."""
    return model.embed(x[items], known.rows(items)._replace(edges=edges))


def _untrained(last_layer: Tensor, features: Tensor) -> tuple[Scorer, Scorer]:
    """Of the standardised features (N, P), and their part that is the last layer."""
    return (
        cosine_scorer("last layer", last_layer),
        cosine_scorer("frozen features", features),
    )


def _mean(scores: Sequence[Tensor]) -> Tensor:
    if len(scores) == 1:
        return scores[0]
    return torch.stack(list(scores)).mean(0)
