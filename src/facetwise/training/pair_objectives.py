"""What a pair model minimises: the losses that a recipe may name.

A loss looks at a batch's pair scores (`triplet`), at the pairs one by one (`edges`), or at the
vectors h themselves; attributes and relevance come on top (`PairTask`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn

from facetwise.errors import InputError
from facetwise.losses import conditional, pair_triplet
from facetwise.similarity import PairScore
from facetwise.training.pair_batches import PairBatch

if TYPE_CHECKING:
    from facetwise.models import PairModel
    from facetwise.training.recipe import PairTraining

__all__ = [
    "PAIR_OBJECTIVES",
    "PairObjective",
    "chosen_loss",
    "pair_objective",
    "square_scores",
]


class PairObjective(nn.Module):
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

    def forward(self, h: Tensor, pairs: PairScore, batch: PairBatch) -> Tensor:
        """H: (B, d) of the batch's items, `pairs` of its P pairs -> a scalar."""
        raise NotImplementedError


class Triplets(PairObjective):
    """Every positive against the hardest share of the anchor's negatives (FIELDNOTES, PAN 3)."""

    def forward(self, h: Tensor, pairs: PairScore, batch: PairBatch) -> Tensor:
        """A scalar; margin in units of the score."""
        scores = square_scores(pairs.score, batch)
        told = square_scores(batch.y, batch)
        return pair_triplet(
            scores,
            told == 1,
            told == 0,
            types=batch.types,
            margin=self.how.margin,
            hardest=self.how.hardest,
        )


class Edges(PairObjective):
    """L_edge: is each pair similar, as a mean of binary cross-entropies (METHODS 1.4)."""

    def forward(self, h: Tensor, pairs: PairScore, batch: PairBatch) -> Tensor:
        """A scalar; pairs of which nothing is said do not count."""
        said = batch.y >= 0
        if not bool(said.any()):
            return pairs.score.sum() * 0.0
        return conditional(PairScore(*(part[said] for part in pairs)), batch.y[said])


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
        "edges": Edges,
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
