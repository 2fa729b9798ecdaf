"""What a set model minimises: the losses that a recipe may name.

A loss takes a model and a batch and gives a scalar; how far training has come decides the warm-up.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, runtime_checkable

from torch import Tensor

from facetwise.errors import InputError
from facetwise.losses import info_nce, many_positives, rank_loss, triplet

if TYPE_CHECKING:
    from facetwise.heads import ElementSet
    from facetwise.models import SetModel
    from facetwise.training.recipe import SetTraining

__all__ = ["OBJECTIVES", "HasOwnLoss", "Objective", "SetBatch", "objective"]


class SetBatch(NamedTuple):
    """A step's images and texts as a model sees them."""

    x: ElementSet
    """Of B images."""
    y: ElementSet
    """Of C texts."""
    owner: Tensor
    """(C,) which image each text belongs to."""
    temperature: Tensor
    """Of InfoNCE, learned."""
    progress: float
    """Share of the steps that are done."""
    matches: Tensor
    """(B, C) bool: which texts hold for which image; more than by owner where texts are shared."""
    rarity: Tensor
    """(C,) weight of each text: of one that many pictures share little (`many`)."""


@runtime_checkable
class HasOwnLoss(Protocol):
    """A system that brings the loss ``own``."""

    def own_loss(self, x: ElementSet, y: ElementSet, owner: Tensor) -> Tensor:
        """Of B images and C texts, owner (C,) which image each belongs to -> a scalar."""


class Objective(Protocol):
    """A loss by its name."""

    def __call__(self, model: SetModel, batch: SetBatch, how: SetTraining) -> Tensor: ...


def _info_nce(model: SetModel, batch: SetBatch, how: SetTraining) -> Tensor:
    """InfoNCE with a learned temperature: from a cold start it needs no warm-up."""
    return info_nce(model.scores(batch.x, batch.y), batch.owner, temperature=batch.temperature)


def _triplet(model: SetModel, batch: SetBatch, how: SetTraining) -> Tensor:
    """Hardest negatives, after a warm-up with the sum of all (METHODS 2.6, 3.1).

    The sum is divided by the number of negatives that a caption has on the two sides together: as
    large as the loss that follows it, whatever the batch. After it VSE-infinity lets the loss with
    the hardest negatives grow in from nothing.
    """
    scores = model.scores(batch.x, batch.y)
    summed = batch.progress < how.sum_share
    loss = triplet(
        scores,
        batch.owner,
        margin=how.margin,
        negatives="sum" if summed else "hardest",
        same_image=how.same_image,
        reduction=how.reduction,
    )
    if summed:
        negatives = max(1, scores.shape[0] - 1)
        return loss * float(negatives**-how.sum_power)
    since = batch.progress - how.sum_share
    return loss if since >= how.ramp else loss * (since / how.ramp)


def _rank(model: SetModel, batch: SetBatch, how: SetTraining) -> Tensor:
    """DeViSE's hinge rank loss, texts as labels (METHODS 3.3)."""
    return rank_loss(model.scores(batch.x, batch.y), batch.owner, margin=how.margin)


def _many(model: SetModel, batch: SetBatch, how: SetTraining) -> Tensor:
    """InfoNCE with all texts that hold for an image, and all images that a text holds for."""
    return many_positives(
        model.scores(batch.x, batch.y),
        batch.matches,
        temperature=batch.temperature,
        weights=batch.rarity,
    )


def _own(model: SetModel, batch: SetBatch, how: SetTraining) -> Tensor:
    """Of systems that have one of their own: PCME, PCME++."""
    assert isinstance(model, HasOwnLoss)  # `objective` has seen to it
    return model.own_loss(batch.x, batch.y, batch.owner)


OBJECTIVES: Final[Mapping[str, Objective]] = MappingProxyType(
    {
        "info_nce": _info_nce,
        "many": _many,
        "triplet": _triplet,
        "rank": _rank,
        "own": _own,
    }
)
"""``loss`` in a recipe's table [sets.training] to the function; an own one gets its line here."""


def objective(model: SetModel, name: str) -> Objective:
    """The loss `name`; ``auto`` is the system's own default, ``many`` goes where InfoNCE goes.

    Raises:
        InputError: the model cannot be trained by it.
    """
    chosen = model.losses[0] if name == "auto" else name
    known = (*model.losses, *(["many"] if "info_nce" in model.losses else []))
    if chosen not in known:
        raise InputError(
            f"[sets.training] loss: {type(model).__name__} is trained by "
            f"{' or '.join(known)}, not by {name!r}"
        )
    return OBJECTIVES[chosen]
