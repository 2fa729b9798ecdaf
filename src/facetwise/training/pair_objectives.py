"""What a pair model minimises: the losses that a recipe may name.

A loss looks at a batch's pair scores (`triplet`), at the pairs one by one (`edges`), or at the
vectors h themselves (`proxy`); attributes and relevance come on top (`PairTask`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

import torch
from torch import Tensor, nn

from facetwise.errors import InputError
from facetwise.losses import conditional, pair_info_nce, pair_triplet, proxy_nca
from facetwise.similarity import PairScore
from facetwise.training.pair_batches import PairBatch

if TYPE_CHECKING:
    from facetwise.models import PairModel
    from facetwise.training.recipe import PairTraining

__all__ = [
    "PAIR_OBJECTIVES",
    "Edges",
    "InfoNCE",
    "PairObjective",
    "Proxies",
    "ProxiesAndEdges",
    "Triplets",
    "chosen_loss",
    "in_units",
    "pair_objective",
    "square_scores",
]


class PairObjective(nn.Module, ABC):
    """A loss by its name; it may have parameters of its own (proxies).

    Args:
        how: hyperparameters.
        labellings: of the training items, as in `ClassBatches`.
        dim: width of h.
        generator: randomness of its parameters' start.
    """

    def __init__(
        self,
        how: PairTraining,
        labellings: list[Tensor],
        dim: int,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.how = how

    @abstractmethod
    def forward(self, h: Tensor, pairs: PairScore, batch: PairBatch) -> Tensor:
        """H: (B, d) of the batch's items, `pairs` of its P pairs -> a scalar."""


class Triplets(PairObjective):
    """Every positive against the hardest share of the anchor's negatives (FIELDNOTES, PAN 3)."""

    def forward(self, h: Tensor, pairs: PairScore, batch: PairBatch) -> Tensor:
        """A scalar; margin in the recipe's units."""
        return pair_triplet(
            *_compared(pairs, batch, self.how),
            types=batch.types,
            margin=self.how.margin,
            hardest=self.how.hardest,
        )


class InfoNCE(PairObjective):
    """Every positive against all negatives that could stand in its place."""

    def forward(self, h: Tensor, pairs: PairScore, batch: PairBatch) -> Tensor:
        """A scalar; temperature in the recipe's units."""
        return pair_info_nce(
            *_compared(pairs, batch, self.how),
            types=batch.types,
            temperature=self.how.temperature,
        )


class Edges(PairObjective):
    """L_edge: is each pair similar, as a mean of binary cross-entropies (METHODS 1.4)."""

    def forward(self, h: Tensor, pairs: PairScore, batch: PairBatch) -> Tensor:
        """A scalar; pairs of which nothing is said do not count."""
        said = batch.y >= 0
        if not bool(said.any()):
            return pairs.score.sum() * 0.0
        return conditional(PairScore(*(part[said] for part in pairs)), batch.y[said])


class Proxies(PairObjective):
    """L_proxy (METHODS 3.10): the mean over the labellings that say something of the batch.

    A proxy for each class of each labelling, from normal(0, 1) / 8.
    """

    def __init__(
        self,
        how: PairTraining,
        labellings: list[Tensor],
        dim: int,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(how, labellings, dim, generator)
        if not labellings:
            raise InputError(
                f'[pairs.training] loss = "{how.loss}": proxies stand for classes, and outfits are '
                'none; write positives = "group" or "attribute", or train by another loss'
            )
        self._labels = [_codes(labels) for labels in labellings]
        self.proxies = nn.ParameterList(
            nn.Parameter(torch.randn(int(labels.max()) + 1, dim, generator=generator) / 8)
            for labels in self._labels
        )

    def forward(self, h: Tensor, pairs: PairScore, batch: PairBatch) -> Tensor:
        """A scalar."""
        losses = [
            proxy_nca(h, proxies, own, temperature=self.how.proxy_temperature)
            for labels, proxies in zip(self._labels, self.proxies, strict=True)
            if bool(((own := labels[batch.rows]) >= 0).any())
        ]
        return torch.stack(losses).mean() if losses else h.sum() * 0


class ProxiesAndEdges(Proxies):
    """L_proxy + L_edge (METHODS 1.7, our reading): positives and negatives have equal weight.

    In a class-balanced batch most pairs are negatives; as they are, p would learn to say no.
    """

    def forward(self, h: Tensor, pairs: PairScore, batch: PairBatch) -> Tensor:
        """A scalar; pairs of which nothing is said do not count."""
        loss = super().forward(h, pairs, batch)
        sides = [
            conditional(PairScore(*(part[said] for part in pairs)), batch.y[said])
            for y in (1, 0)
            if bool((said := batch.y == y).any())
        ]
        return loss + torch.stack(sides).mean() if sides else loss


def in_units(score: Tensor, units: Literal["score", "logit"]) -> Tensor:
    """Scores (P,) in [0, 1] as they are, or their logits, which do not saturate."""
    return score if units == "score" else score.clamp(1e-6, 1 - 1e-6).logit()


def square_scores(values: Tensor, batch: PairBatch) -> Tensor:
    """Values (P,) of the pairs on both sides of the diagonal: (B, B); elsewhere -1.

    Each pair is scored once and stands there twice.
    """
    n = len(batch.rows)
    places = (torch.cat([batch.i, batch.j]), torch.cat([batch.j, batch.i]))
    return values.new_full((n, n), -1).index_put(places, values.repeat(2))


PAIR_OBJECTIVES: Final[Mapping[str, Callable[..., PairObjective]]] = MappingProxyType(
    {
        "triplet": Triplets,
        "info_nce": InfoNCE,
        "edges": Edges,
        "proxy": Proxies,
        "proxy_edges": ProxiesAndEdges,
    }
)
"""``loss`` in a recipe's table [pairs.training] to what computes it."""


def pair_objective(
    model: PairModel,
    how: PairTraining,
    labellings: list[Tensor],
    generator: torch.Generator | None = None,
) -> PairObjective:
    """The loss that the recipe names; ``auto`` is the system's own default.

    Raises:
        InputError: the system cannot be trained by it.
    """
    name = chosen_loss(model, how.loss)
    return PAIR_OBJECTIVES[name](how, labellings, model.dim, generator)


def chosen_loss(model: PairModel, loss: str) -> str:
    """The name of the loss, ``auto`` resolved.

    Raises:
        InputError: the system cannot be trained by it.
    """
    name = model.losses[0] if loss == "auto" else loss
    if name not in model.losses:
        raise InputError(
            f"[pairs.training] loss: {type(model).__name__} is trained by "
            f"{' or '.join(model.losses)}, not by {loss!r}"
        )
    return name


def _compared(
    pairs: PairScore, batch: PairBatch, how: PairTraining
) -> tuple[Tensor, Tensor, Tensor]:
    """Scores in the recipe's units, positives and negatives: (B, B) each."""
    told = square_scores(batch.y, batch)
    return square_scores(in_units(pairs.score, how.units), batch), told == 1, told == 0


def _codes(labels: Tensor) -> Tensor:
    """Labels as 0, 1, ... without gaps; -1 stays.

    >>> _codes(torch.tensor([7, -1, 3, 7]))
    tensor([ 1, -1,  0,  1])
    """
    known = labels >= 0
    codes = torch.full_like(labels, -1)
    codes[known] = labels[known].unique(return_inverse=True)[1]
    return codes
