"""Asking a set model: pictures and texts of a part, from features to figures, controls beside."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from facetwise.encoders import Encoders, ImageFeatures, TextFeatures, image_features, text_features
from facetwise.evaluation.answers import Answers, Matrix, Way
from facetwise.evaluation.bench_worlds import Figure, Part
from facetwise.evaluation.both_ways import BothWays
from facetwise.evaluation.image_text import ImageText, Scored, measured
from facetwise.metrics import Positives, circular_variance
from facetwise.metrics.from_ranks import average_precisions, mean_known, r_precision_from_ranks
from facetwise.models import SetModel
from facetwise.models.embedding import padded
from facetwise.similarity import NamedSimilarity, score_matrix

__all__ = ["Exam", "Found", "ask"]

_ROWS = 256
"""Pictures, or texts, that go through a model at once."""

WAYS: tuple[Way, Way] = ("i2t", "t2i")


@dataclass(frozen=True)
class Found:
    """What came out.

    Attributes:
        figures: percent, for JSON.
        terms: what a bootstrap resamples: ``rsum.sums`` and ``rsum.weights`` (B, 6), and the
            average precision of each query, ``i2t`` (B,) and ``t2i`` (C,), NaN where there is none;
            and the same of the mean vectors, ``control.rsum.sums`` and so on.
    """

    figures: dict[str, Any]
    terms: dict[str, Tensor]


@dataclass(frozen=True)
class Exam:
    """A part with the features of its pictures and texts.

    Attributes:
        part: what is asked.
        images: of its B pictures.
        texts: of its distinct texts.
        place: (C,) the distinct text of each.
    """

    part: Part
    images: ImageFeatures
    texts: TextFeatures
    place: Tensor

    @classmethod
    def of(cls, part: Part, encoders: Encoders) -> Exam:
        """With features from the cache."""
        distinct = {text: place for place, text in enumerate(dict.fromkeys(part.texts))}
        return cls(
            part,
            image_features(part.collection, encoders.images, part.rows),
            text_features(part.collection, encoders.texts, list(distinct)),
            torch.tensor([distinct[text] for text in part.texts], dtype=torch.long),
        )

    @property
    def positives(self) -> Positives:
        """Which texts are right for each picture."""
        return Positives.of(self.part.edges, len(self.part.rows))

    @torch.no_grad()
    def sets(self, model: SetModel) -> tuple[Tensor, Tensor]:
        """Of the pictures (B, K, D) and of the texts (C, L, D), by a model in evaluation mode."""
        pictures = zip(*(part.split(_ROWS) for part in model.prepare(self.images)), strict=True)
        x = [model.images(*part).elements for part in pictures]
        texts = zip(self.texts.tokens.split(_ROWS), self.texts.mask.split(_ROWS), strict=True)
        y = []
        for tokens, mask in texts:
            length = max(1, int(mask.sum(1).max()))
            y.append(model.texts(tokens[:, :length], mask[:, :length]).elements)
        return (
            padded(x, model.K, model.dim),
            padded(y, model.K, model.dim)[self.place],
        )

    def score(self, model: SetModel, figure: Figure) -> float:
        """The one figure that moments of a training are chosen by."""
        x, y = self.sets(model)
        answers = Matrix(score_matrix(x, y, model.similarity))
        if figure == "map_at_r":
            return fmean(own["map_at_r"] for own in _precisions(self, answers, {}).values())
        both = BothWays.of(answers, self.positives)
        return both.i2t.total + both.t2i.total


@torch.no_grad()
def ask(exam: Exam, x: Tensor, y: Tensor, similarity: NamedSimilarity) -> Found:
    """Figures of sets x (B, K, D) and y (C, L, D), and those of their mean vectors."""
    means = similarity.mean_vectors(x) @ similarity.mean_vectors(y).T
    control = Scored(Matrix(means))
    what = Scored(Matrix(score_matrix(x, y, similarity)), control.answers)
    found, terms = _measured(exam, what)
    figures = found.to_dict()
    own = _precisions(exam, what.answers, terms)
    for way in WAYS:
        figures[way] |= own[way]
    if x.shape[1] == 1 and y.shape[1] == 1:
        figures.pop("control")  # one vector is its own mean
    else:
        others = _measured(exam, control)[1]
        by_means = _precisions(exam, control.answers, others)
        for way in WAYS:
            figures["control"][f"mean_vector_{way}_map_at_r"] = by_means[way]["map_at_r"]
        terms |= {f"control.{name}": value for name, value in others.items()}
    figures["log_variance"] = {
        side: _log_variance(sets, similarity) for side, sets in (("image", x), ("text", y))
    }
    return Found(figures, terms)


def _measured(exam: Exam, what: Scored) -> tuple[ImageText, dict[str, Tensor]]:
    found = measured(what, exam.positives)
    return found, dict(zip(("rsum.sums", "rsum.weights"), found.found.terms, strict=True))


def _precisions(
    exam: Exam, answers: Answers, terms: dict[str, Tensor]
) -> dict[Way, dict[str, float]]:
    """mAP@R and R-Precision both ways; puts each query's average precision into `terms`."""
    out: dict[Way, dict[str, float]] = {}
    back = exam.positives.flipped(len(exam.part.texts))
    for way, positives in zip(WAYS, (exam.positives, back), strict=True):
        ranks = answers.every(way, positives)
        terms[way] = 100 * average_precisions(ranks, positives)
        out[way] = {
            "map_at_r": round(mean_known(terms[way]), 2),
            "r_precision": round(100 * r_precision_from_ranks(ranks, positives), 2),
        }
    return out


def _log_variance(sets: Tensor, similarity: NamedSimilarity) -> float | None:
    """Logarithm of the mean circular variance; None where there is no set of directions."""
    if sets.shape[1] == 1 or similarity.gaussian or similarity.real(sets) is not None:
        return None
    variance = circular_variance(sets).mean().item()
    return round(log(variance), 3) if variance > 0 else None
