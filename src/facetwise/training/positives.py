"""What makes two training pictures similar, and which pairs a step of training looks at.

One group (a product, a class, a concept), a value of an attribute group, or an outfit that holds
both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from facetwise.data.outfit_types import outfit_types
from facetwise.data.sampling import generator_of
from facetwise.errors import InputError
from facetwise.models import PairConfig
from facetwise.models.known import item_types
from facetwise.training.edge_pairs import EdgePairs, SplitPairs, split_pairs
from facetwise.training.material import Material
from facetwise.training.outfit_batches import OutfitPairs
from facetwise.training.pair_batches import ClassPairs, PairBatches
from facetwise.training.recipe import PairTraining

__all__ = [
    "Positives",
    "chosen_positives",
    "classes_of",
    "edge_splits",
    "labellings_of",
    "pair_batches",
    "with_types",
]

Positives = Literal["outfit", "group", "attribute"]


def chosen_positives(how: PairTraining, material: Material) -> Positives:
    """What the recipe says; ``auto`` is outfits where at least half of the items are in one.

    Else groups where there are enough, else attributes, else what outfits there are.

    Raises:
        InputError: the training items have none of what is asked for.
    """
    there: dict[Positives, bool] = {
        "group": material.by_group is not None,
        "attribute": bool(material.by_attribute),
        "outfit": material.has_outfits,
    }
    if how.positives != "auto":
        if not there[how.positives]:
            others = ", ".join(f'"{name}"' for name, found in there.items() if found)
            raise InputError(
                f'[pairs.training] positives = "{how.positives}": {material.collection.path} has '
                f"too few of them among its training items; there is {others or 'nothing to use'}"
            )
        return how.positives
    if 2 * material.in_outfits >= len(material.rows) and there["outfit"]:
        return "outfit"
    return next((name for name, found in there.items() if found), "group")


def labellings_of(how: PairTraining, material: Material) -> list[Tensor]:
    """Ways to call two items similar, each (N,) with -1 for unknown; none for outfits."""
    kind = chosen_positives(how, material)
    if kind == "outfit":
        return []
    if kind == "group":
        return [] if material.by_group is None else [material.by_group]
    return list(material.by_attribute)


def classes_of(how: PairTraining, material: Material) -> Tensor | None:
    """(N,) what training tells apart, for starts in closed form; -1 for unknown.

    Groups, or of outfits the first that an item is in; None where single attributes take turns, of
    which none is what it is all about.
    """
    kind = chosen_positives(how, material)
    if kind == "group":
        return material.by_group
    if kind == "attribute":
        return None
    labels = torch.full((len(material.rows),), -1)
    for number, own in reversed(list(enumerate(material.outfits))):
        labels[torch.as_tensor(own, dtype=torch.long)] = number
    return labels


def edge_splits(how: PairTraining, material: Material, *, seed: int) -> list[SplitPairs]:
    """For each labelling (outfits are one), half of its pairs as edges and half as positives."""
    return [
        split_pairs(together, generator_of(seed, -7 - index))
        for index, together in enumerate(_together(how, material))
    ]


def _together(how: PairTraining, material: Material) -> list[Tensor | list[Tensor]]:
    """Labels (N,), or the items of each outfit."""
    if chosen_positives(how, material) == "outfit":
        return [[torch.tensor(own, dtype=torch.long) for own in material.outfits]]
    return list(labellings_of(how, material))


def pair_batches(
    how: PairTraining,
    material: Material,
    types: Tensor | None = None,
    *,
    splits: Sequence[SplitPairs] | None = None,
    seed: int,
) -> PairBatches:
    """The batches that a recipe describes.

    Args:
        how: positives, negatives, sizes.
        material: the N training items.
        types: (N,) what they are, -1 for unknown, where the model knows it; of outfits they are
            else found as `outfit_types` does for questions.
        splits: as from `edge_splits`: then their positives, each with one negative, are the pairs.
        seed: of the draws.

    Raises:
        InputError: the items have too few positives, or no types for the negatives.
    """
    outfits = chosen_positives(how, material) == "outfit"
    wanted = how.negatives == "type" or (how.negatives == "auto" and outfits)
    if wanted and types is None and outfits:
        names, _ = outfit_types(material.collection, material.rows)
        if names is not None:
            place = {name: index for index, name in enumerate(dict.fromkeys(names))}
            types = torch.tensor([-1 if name is None else place[name] for name in names])
    if how.negatives == "type" and types is None:
        raise InputError(
            '[pairs.training] negatives = "type": nothing says what the items are; name the '
            'attribute group in [pairs] types, or write negatives = "any"'
        )
    types = types if wanted else None
    if splits is not None:
        return EdgePairs(
            _together(how, material),
            splits,
            batch=how.edge_pairs,
            redraw=how.redraw,
            types=types,
            seed=seed,
        )
    if outfits:
        return OutfitPairs(
            material.outfits,
            classes=how.classes,
            per_class=how.per_class,
            types=types,
            seed=seed,
        )
    return ClassPairs(
        labellings_of(how, material),
        classes=how.classes,
        per_class=how.per_class,
        types=types,
        seed=seed,
    )


def with_types(config: PairConfig, material: Material) -> PairConfig:
    """The settings with ``types = "auto"`` resolved: what tells the items of outfits apart.

    Without outfits the first attribute group whose name says that it holds types; none: empty.
    """
    if config.types != "auto" or "auto" in material.collection.attribute_groups:
        return config
    _, name = outfit_types(material.collection, material.rows)
    if name is not None and not any(item_types(material.collection, material.rows, name)):
        name = None
    return replace(config, types=name or "")
