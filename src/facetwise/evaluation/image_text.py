"""Image-text retrieval, both ways from one score matrix, with the mean-vector control beside it.

A picture's texts are right for it, and in an own collection for every other picture that has the
very same text: many positives, ties against the model (METHODS sections 2.8 and 5).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from facetwise.data.sampling import generator_of
from facetwise.evaluation.answers import Answers, Matrix
from facetwise.evaluation.both_ways import BothWays, Recalls, recalls
from facetwise.metrics import Ties, circular_variance
from facetwise.metrics.bootstrap import bootstrap_difference, bootstrap_mean
from facetwise.metrics.positives import Positives
from facetwise.similarity import NamedSimilarity, score_matrix

__all__ = [
    "Encoded",
    "ImageText",
    "Recalls",
    "Scored",
    "difference",
    "image_text",
    "matches",
    "measured",
    "recalls",
    "scored",
    "summarised",
]

Similarity = NamedSimilarity | Callable[[Tensor, Tensor], Tensor]

_TILE = 2048
_SALT = -21


@dataclass(frozen=True)
class Encoded:
    """Images and texts under one run.

    Attributes:
        x: (B, K, D) image sets.
        y: (C, L, D) text sets.
        similarity: a named one, or any function (N, K, D) and (M, L, D) -> (N, M) of sets without
            padding.
    """

    x: Tensor
    y: Tensor
    similarity: Similarity

    def scores(self, images: slice) -> Tensor:
        """Of some images with all texts."""
        if isinstance(self.similarity, NamedSimilarity):
            return score_matrix(self.x[images], self.y, self.similarity)
        return self.similarity(self.x[images], self.y)

    def means(self) -> Encoded:
        """The control: each set's mean vector under the cosine."""
        of = self._kind.mean_vectors
        return Encoded(of(self.x)[:, None], of(self.y)[:, None], _cosine)

    def variance(self) -> tuple[float, float]:
        """Mean circular variance of the images' and of the texts' sets; 0 for Gaussians."""
        image, text = (
            circular_variance(*self._directions(sets)).mean().item() for sets in (self.x, self.y)
        )
        return image, text

    @property
    def _kind(self) -> NamedSimilarity:
        """What says what rows are."""
        plain = NamedSimilarity("average")
        return self.similarity if isinstance(self.similarity, NamedSimilarity) else plain

    def _directions(self, sets: Tensor) -> tuple[Tensor, Tensor | None]:
        return (sets[:, :1], None) if self._kind.gaussian else (sets, self._kind.real(sets))


@dataclass(frozen=True)
class Scored:
    """What is ranked, and what is reported beside it.

    Attributes:
        answers: the scores, or somebody's rankings.
        control: the scores of the sets' mean vectors; None where there are no sets to see.
        variance: mean circular variance of the image and of the text sets (METHODS 2.8).
    """

    answers: Answers
    control: Answers | None = None
    variance: tuple[float, float] | None = None


@dataclass(frozen=True)
class ImageText:
    """Retrieval of texts by images and of images by texts.

    Attributes:
        images, texts: how many.
        i2t, t2i: recalls; of folds the means over them.
        rsum_se: standard error of RSUM, by a bootstrap over images with their texts; None of one
            image alone.
        ties: how many queries' first rank hangs on the rule for ties: many, where a model has
            collapsed or scores are rounded.
        control: RSUM of the normalised mean vector of each set: a set model that does no better
            has learned a single vector (FIELDNOTES, DivE 2).
        variance: mean circular variance of the sets (METHODS 2.8); 0 for single vectors.
        folds: RSUM of each fold; empty where there is one.
        found: the places that all this follows from, to compare two runs by.
    """

    images: int
    texts: int
    i2t: Recalls
    t2i: Recalls
    rsum_se: float | None
    ties: int
    control: float | None
    variance: tuple[float, float] | None
    folds: tuple[float, ...]
    found: BothWays = field(repr=False, compare=False)

    @property
    def rsum(self) -> float:
        """Sum of the six recalls in percent, at most 600."""
        return self.i2t.total + self.t2i.total

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        out: dict[str, Any] = {
            "images": self.images,
            "texts": self.texts,
            "i2t": self.i2t.to_dict(),
            "t2i": self.t2i.to_dict(),
            "rsum": round(self.rsum, 2),
            "rsum_se": None if self.rsum_se is None else round(self.rsum_se, 2),
            "ties": self.ties,
        }
        if self.folds:
            out["folds"] = [round(one, 2) for one in self.folds]
        if self.variance is not None:
            names = ("image", "text")
            out["variance"] = {n: round(v, 5) for n, v in zip(names, self.variance, strict=True)}
        if self.control is not None:
            out["control"] = {"mean_vector_rsum": round(self.control, 2)}
        return out


def matches(texts: Sequence[Sequence[str]]) -> tuple[list[str], Tensor]:
    """The distinct texts, sorted, and (E, 2) which picture (row) goes with which text.

    >>> matches([["b", "a"], ["a"]])
    (['a', 'b'], tensor([[0, 1],
            [0, 0],
            [1, 0]]))
    """
    distinct = sorted({text for own in texts for text in own})
    place = {text: index for index, text in enumerate(distinct)}
    edges = [(row, place[text]) for row, own in enumerate(texts) for text in dict.fromkeys(own)]
    return distinct, torch.tensor(edges, dtype=torch.long).view(-1, 2)


def image_text(
    x: Tensor,
    y: Tensor,
    edges: Tensor,
    similarity: Similarity,
    *,
    ties: Ties = "pessimistic",
    seed: int = 0,
) -> ImageText:
    """Measure one run: rank texts for images and images for texts.

    Args:
        x: (B, K, D) image sets.
        y: (C, L, D) text sets.
        edges: (E, 2) which goes with which.
        similarity: as in `Encoded`.
        ties: who stands first among equals.
        seed: of the bootstrap.
    """
    positives = Positives.of(edges, len(x))
    return measured(scored([Encoded(x, y, similarity)]), positives, ties=ties, seed=seed)


@torch.no_grad()
def scored(runs: Sequence[Encoded]) -> Scored:
    """One run's score matrix, or the mean of several runs' (METHODS T-39), with the control.

    The control and the variance of an ensemble are its members' means as well. Two (B, C) float32
    matrices are made: 1 GB for COCO 5K.

    Raises:
        ValueError: the runs do not have the same images and texts.
    """
    sizes = {(len(run.x), len(run.y)) for run in runs}
    if len(sizes) != 1:
        raise ValueError(f"runs of an ensemble must encode the same images and texts, not {sizes}")
    means = [run.means() for run in runs]
    image, text = (fmean(way) for way in zip(*(run.variance() for run in runs), strict=True))
    return Scored(Matrix(_mean_scores(runs)), Matrix(_mean_scores(means)), (image, text))


def measured(
    what: Scored, positives: Positives, *, ties: Ties = "pessimistic", seed: int = 0
) -> ImageText:
    """Figures of all images against all texts.

    Args:
        what: of B images and C texts.
        positives: B queries, the texts that are right for each image.
        ties: who stands first among equals.
        seed: of the bootstrap.

    >>> owner = torch.arange(3).repeat_interleave(2)
    >>> scores = torch.eye(3).repeat_interleave(2, dim=1)
    >>> measured(Scored(Matrix(scores)), Positives.of_owner(owner, 3)).rsum
    600.0
    """
    control = None if what.control is None else [BothWays.of(what.control, positives, ties)]
    return summarised(
        [BothWays.of(what.answers, positives, ties)], control, what.variance, seed=seed
    )


def summarised(
    parts: Sequence[BothWays],
    control: Sequence[BothWays] | None = None,
    variance: tuple[float, float] | None = None,
    *,
    seed: int = 0,
) -> ImageText:
    """Figures of one ranking, or means over folds."""
    whole = BothWays.joined(parts)
    ways = [(part.i2t, part.t2i) for part in parts]
    return ImageText(
        images=len(whole.images),
        texts=len(whole.texts),
        i2t=_mean_recalls([i2t for i2t, _ in ways]),
        t2i=_mean_recalls([t2i for _, t2i in ways]),
        rsum_se=_rsum_se(whole, seed),
        ties=whole.tied,
        control=None if control is None else fmean(p.i2t.total + p.t2i.total for p in control),
        variance=variance,
        folds=tuple(a.total + b.total for a, b in ways) if len(ways) > 1 else (),
        found=whole,
    )


def difference(a: ImageText, b: ImageText, *, seed: int = 0) -> dict[str, Any]:
    """RSUM of `a` minus that of `b` on the same queries, with its 95% interval, for JSON.

    Resampled are images, each with its texts and under both runs: much narrower than the runs' own
    intervals.

    Raises:
        ValueError: they were not measured on the same images and texts.
    """
    if (a.images, a.texts) != (b.images, b.texts):
        raise ValueError("a paired difference needs the same images and texts")
    (own, weights), (rival, _) = a.found.terms, b.found.terms
    found = bootstrap_difference(own, rival, weights, generator=generator_of(seed, _SALT))
    return {
        "rival_rsum": round(b.rsum, 2),
        "rsum": round(found.value, 2),
        "ci95": [round(found.low, 2), round(found.high, 2)],
    }


def _rsum_se(found: BothWays, seed: int) -> float | None:
    sums, weights = found.terms
    if len(sums) < 2 or bool((weights.sum(0) == 0).any()):
        return None
    return bootstrap_mean(sums, weights, generator=generator_of(seed, _SALT)).se


def _mean_scores(runs: Sequence[Encoded]) -> Tensor:
    """(B, C) the mean of the runs' scores, a tile of images at a time."""
    total = torch.zeros(len(runs[0].x), len(runs[0].y))
    for run in runs:
        for start in range(0, len(total), _TILE):
            tile = run.scores(slice(start, start + _TILE)).to(total.device)
            total[start : start + _TILE] += tile if len(runs) == 1 else tile / len(runs)
    return total


def _mean_recalls(folds: Sequence[Recalls]) -> Recalls:
    if len(folds) == 1:
        return folds[0]
    return Recalls(
        fmean(fold.r1 for fold in folds),
        fmean(fold.r5 for fold in folds),
        fmean(fold.r10 for fold in folds),
        fmean(fold.medr for fold in folds),
        sum(fold.queries for fold in folds),
    )


def _cosine(x: Tensor, y: Tensor) -> Tensor:
    return x[:, 0] @ y[:, 0].T
