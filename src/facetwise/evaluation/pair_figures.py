"""A pair model in figures: what it finds, its controls, what weighing does, what it explains."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor

from facetwise.data import Collection
from facetwise.encoders import ImageFeatures
from facetwise.evaluation.explained import Explained, explanation_precision, top_pairs
from facetwise.evaluation.image_image import Retrieval, retrieval
from facetwise.evaluation.relevance_figures import (
    RelevanceFigures,
    random_pairs,
    relevance_figures,
)
from facetwise.evaluation.scorers import cosine_scorer
from facetwise.evaluation.steering import (
    SteeringCurve,
    shared_values,
    some_queries,
    steering_curves,
)
from facetwise.models import PairModel
from facetwise.similarity import CosineSimilarity

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["PairFigures", "pair_figures"]

_SHOWN: Final = (0.0, 1.0, 3.0, 10.0)
"""Weights that the table has room for."""

_GROUPS: Final = 28
"""Attribute groups that are looked at under a model whose conditions have no names."""


@dataclass(frozen=True)
class PairFigures:
    """A pair model on held-out pictures.

    Attributes:
        found: by the model's score; None where there are no groups.
        head_cosine: its trained head under plain cosine, what is left without conditions; None of
            a model that is a cosine.
        untrained: the frozen features under cosine, all layers that the head sees.
        last_layer: the encoder's last layer alone, often the better of the two.
        agreement: attribute group to percent of the first 10 that share its value: by frozen
            features, and by the model.
        steering: the same against the weight, of each group that conditions were taught.
        relevance: of random pairs; None where there is one condition, so nothing to weigh.
        explained: by which pairs: whether the agreements that explanations name are true.
    """

    found: Retrieval | None
    head_cosine: Retrieval | None
    untrained: Retrieval | None
    last_layer: Retrieval | None
    agreement: dict[str, tuple[float, float]] = field(default_factory=dict)
    steering: tuple[SteeringCurve, ...] = ()
    relevance: RelevanceFigures | None = None
    explained: dict[str, Explained] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """For JSON; what a model has not (a single condition has no relevance) is left out."""
        out: dict[str, Any] = {} if self.found is None else self.found.to_dict()
        out["control"] = {
            name: None if value is None else round(value.map_at_r, 2)
            for name, value in (
                ("head_cosine_map_at_r", self.head_cosine),
                ("untrained_map_at_r", self.untrained),
                ("last_layer_map_at_r", self.last_layer),
            )
        }
        weighed = {curve.group: curve.at(3.0) for curve in self.steering}
        out["agreement@10"] = {
            group: {
                name: None if math.isnan(value) else round(value, 2)
                for name, value in (
                    ("untrained", untrained),
                    ("model", model),
                    ("weighed_3", weighed.get(group, math.nan)),
                )
            }
            for group, (untrained, model) in self.agreement.items()
        }
        if self.steering:
            out["steering"] = {curve.group: curve.to_dict() for curve in self.steering}
        if self.relevance is not None:
            out["relevance"] = self.relevance.to_dict()
        if self.explained:
            out["explanations"] = {name: own.to_dict() for name, own in self.explained.items()}
        return out

    def agreement_table(self) -> Table | None:
        """For a terminal: agreement by attribute group, at some weights; None without any."""
        from rich.table import Table

        if not self.agreement:
            return None
        curves = {curve.group: curve for curve in self.steering}
        costs = any(curve.map_at_r for curve in self.steering)
        weighed = ", by the group's weight" if curves else ""
        table = Table(title=f"percent of the first 10 with the same value{weighed}")
        heads = ["", "frozen", "pair model"]
        if curves:
            heads = ["", "frozen", *(f"x {weight:g}" for weight in _SHOWN)]
            heads += ["mAP@R at x 3"] if costs else []
        for name in heads:
            table.add_column(name, justify="left" if not name else "right")
        for group, values in self.agreement.items():
            cells = [_percent(value) for value in values]
            if group in curves:
                curve = curves[group]
                cells = [cells[0], *(_percent(curve.at(weight)) for weight in _SHOWN)]
                cells += [f"{-curve.cost(3.0):+.1f}"] if costs else []
            table.add_row(group, *cells)
        return table

    def lines(self) -> list[str]:
        """For a terminal: relevance and explanations, in a sentence each."""
        lines = []
        if self.relevance is None:
            lines.append("one similarity, no conditions: nothing to weigh, nothing to explain by")
        else:
            r = self.relevance
            taught = "no condition was taught"
            if r.taught:
                taught = f"{100 * r.taught_mass:.0f}% on the {len(r.taught)} taught conditions"
            lines.append(
                f"relevance of {len(r.weights)} conditions: entropy of a pair {r.pair_entropy:.2f} "
                f"nats, of the mean {r.mean_entropy:.2f} (equal: alike for all pairs); {taught}"
            )
        for name, own in self.explained.items():
            if own.checked:
                lines.append(
                    f"explanations of {name}: {own.precision:.1f}% of the agreements they name are "
                    f"true (naming by chance {own.chance:.1f}, always the usual {own.usual:.1f})"
                )
        return lines


def pair_figures(
    pan: PairModel,
    collection: Collection,
    rows: Sequence[int],
    features: ImageFeatures,
    h: Tensor,
    groups: Tensor,
) -> PairFigures:
    """Measure a pair model on the items of a collection.

    Args:
        pan: the model.
        collection: whose items these are.
        rows: the N items.
        features: of them, from the frozen encoder.
        h: (N, d) their embeddings.
        groups: (N,) their own groups, -1 for none.
    """
    first, plain = pan.untrained(pan.prepare(features))
    cosine = F.normalize(h, dim=-1)

    def by_features(q: Tensor, g: Tensor) -> Tensor:
        scores: Tensor = plain[q] @ plain[g].T
        return scores

    def by_head(q: Tensor, g: Tensor) -> Tensor:
        return cosine[q] @ cosine[g].T

    def by_model(q: Tensor, g: Tensor) -> Tensor:
        return pan.against(h[q], h[g])

    is_cosine = isinstance(pan.similarity, CosineSimilarity)
    attributes = collection.attributes.rows(torch.tensor(list(rows)))
    some = some_queries(len(rows))
    curves = steering_curves(pan, h, attributes, groups, queries=some)
    asked, answers = top_pairs(pan, h, some)
    explained = {
        name: own
        for name, (i, j) in (
            ("first answers", (asked, answers)),
            ("random pairs", random_pairs(len(rows))),
        )
        if (own := explanation_precision(pan, h, attributes, i, j)) is not None
    }
    named = [curve.group for curve in curves] or attributes.groups[:_GROUPS]
    plain_answers = _first_answers(plain, some)
    return PairFigures(
        found=retrieval(by_model, groups),
        head_cosine=None if is_cosine else retrieval(by_head, groups),
        untrained=retrieval(by_features, groups),
        last_layer=retrieval(cosine_scorer("last layer", first).matrix, groups),
        agreement={
            group: (
                float(shared_values(attributes, group, some, plain_answers)),
                float(shared_values(attributes, group, some, answers.view(len(some), -1))),
            )
            for group in named
        },
        steering=tuple(curves),
        relevance=relevance_figures(pan, h) if len(pan.conditions) > 1 else None,
        explained=explained,
    )


def _first_answers(vectors: Tensor, queries: Tensor, k: int = 10) -> Tensor:
    """(Q, k) rows of the first answers by dot product, none its own."""
    scores = vectors[queries] @ vectors.T
    scores[torch.arange(len(queries)), queries] = -torch.inf
    return scores.topk(min(k, len(vectors) - 1), dim=1).indices


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1f}"
