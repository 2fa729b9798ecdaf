"""fit: a collection and a recipe to a run."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import torch

from facetwise import __version__
from facetwise.data import Collection
from facetwise.data.sampling import generator_of
from facetwise.data.splits import split_collection
from facetwise.encoders import Encoders, ImageFeatures, image_features, text_features
from facetwise.errors import InputError
from facetwise.models import (
    Model,
    PairModel,
    SetModel,
    build_pairs,
    build_sets,
)
from facetwise.models.known import known_of
from facetwise.training.captioning import learn_to_caption
from facetwise.training.material import FEWEST, Material
from facetwise.training.message_edges import message_edges
from facetwise.training.pair_objectives import chosen_loss
from facetwise.training.pair_task import PairTask
from facetwise.training.positives import (
    classes_of,
    edge_splits,
    labellings_of,
    pair_batches,
    with_types,
)
from facetwise.training.recipe import Recipe
from facetwise.training.set_task import SetTask
from facetwise.training.taught import taught_by, taught_table, taught_values
from facetwise.training.watch import Watch
from facetwise.training.workshop import check_free, workshop

__all__ = ["fit", "train_pairs", "train_sets"]

_ALL: Final = 64
"""Texts of a picture in a batch where texts are shared: as good as all."""

_BANK: Final = 4096
"""Further texts as negatives there: what is ranked against later should be ranked against now."""


def fit(
    collection: Collection,
    *,
    out: str | Path,
    recipe: str | Path | Recipe = "small",
    overrides: Mapping[str, Any] | None = None,
    seed: int = 0,
    overwrite: bool = False,
) -> Model:
    """Train what the collection has labels for, and write the run into the directory `out`.

    Where items have texts, the recipe's set model; where they have groups or attributes, its pair
    model. Interrupted training leaves its state in ``.NAME.fitting`` beside `out`; the same call
    goes on from there. An old run at `out` is replaced only when the new one is whole.

    Args:
        collection: what to learn from.
        out: the directory to make.
        recipe: a name as in `training.recipes()`, the path of a TOML file, or a `Recipe`.
        overrides: dotted names to values, as ``{"sets.training.steps": 100}``.
        seed: of the starts, the batches and dropout: the same seed gives the same run on one
            machine with the same number of threads.
        overwrite: replace a run that is there already.

    Returns:
        The trained model, as `facetwise.load(out)` would open it.

    Raises:
        InputError: the recipe or the collection does not do, or `out` may not be replaced.
    """
    out = Path(os.path.abspath(out))
    if not isinstance(recipe, Recipe):
        recipe = Recipe.read(recipe, overrides)
    elif overrides:
        raise InputError("overrides go with a recipe's name or file, not with a Recipe")
    check_free(out, overwrite=overwrite)
    data = recipe.data
    parts = split_collection(collection, test=data.test, by=data.by, seed=data.split_seed)
    rows = [row for row, part in enumerate(parts) if part == "train"]
    if not rows:
        raise InputError(f"{collection.path}: nothing is left to train on; lower data.test")
    material = Material.of(collection, rows, recipe.data.languages, seed)
    with_sets = recipe.sets is not None and material.has_texts
    with_pairs = recipe.pairs is not None and material.has_labels
    if not with_sets and not with_pairs:
        raise _nothing_to_learn(recipe, material)
    made_of = {
        "seed": seed,
        "threads": torch.get_num_threads(),
        "facetwise": __version__,
        "torch": torch.__version__,
        "collection": str(collection.path.resolve()),
        "material": material.fingerprint,
    }
    with workshop(out, recipe.to_dict(), made_of, overwrite=overwrite) as folder:
        encoders = Encoders.of(recipe.encoders, material.distinct)
        features = image_features(collection, encoders.images, rows)
        sets: SetModel | None = None
        pairs: PairModel | None = None
        if with_sets:
            sets = train_sets(recipe, material, features, encoders, folder, seed=seed)
        if with_pairs:
            pairs = train_pairs(recipe, material, features, encoders, folder, seed=seed)
        model = Model(
            encoders,
            sets=sets,
            pairs=pairs,
            trained_on=frozenset(collection.image_hashes[row] for row in rows),
            name=collection.name,
        )
        model.save(folder)
        for checkpoint in folder.glob("*.checkpoint.safetensors"):
            checkpoint.unlink()
    return model


def train_sets(
    recipe: Recipe,
    material: Material,
    features: ImageFeatures,
    encoders: Encoders,
    folder: Path,
    *,
    seed: int,
    watch: Callable[[SetModel], Watch] | None = None,
) -> SetModel:
    """Train the recipe's set model; before that its image tower by captions, if the recipe says so.

    Args:
        recipe: what and how.
        material: the N training pictures.
        features: of them.
        encoders: whose towers the model gets.
        folder: for checkpoints and the log.
        seed: of everything random.
        watch: gives what measures the model on the way; its best moment is kept.
    """
    from facetwise.training.loop import train

    if recipe.sets is None:
        raise InputError(f"the recipe {recipe.name} has no set model")
    texts, distinct = material.texts, material.distinct
    place = {text: index for index, text in enumerate(distinct)}
    model = build_sets(recipe.sets, encoders, generator_of(seed, -4))
    if recipe.pretrain is not None:
        tower = learn_to_caption(
            recipe.pretrain, recipe.pretraining, material, features, encoders, folder, seed=seed
        )
        model.image.load_state_dict(tower.state_dict())
    how = recipe.set_training
    if how.loss == "auto" and material.shares_texts and "info_nce" in model.losses:
        if model.whole_texts:
            how = replace(how, loss="many", texts_per_item=_ALL, extra_texts=_BANK)
        else:  # a head over the words of thousands of texts would take all the time
            how = replace(how, loss="many", extra_texts=how.batch)
    task = SetTask(
        model,
        how,
        features,
        text_features(material.collection, encoders.texts, distinct),
        [[place[text] for text in own] for own in texts],
        material.clusters,
        weights=material.cluster_weights(material.clusters),
        item_weights=material.cluster_weights([[row] for row in range(len(texts))]),
        marks=encoders.marks,
        seed=seed,
    )
    train(task, folder, "sets", seed=seed, watch=None if watch is None else watch(model))
    return model


def train_pairs(
    recipe: Recipe,
    material: Material,
    features: ImageFeatures,
    encoders: Encoders,
    folder: Path,
    *,
    seed: int,
    watch: Callable[[PairModel], Watch] | None = None,
) -> PairModel:
    """Train the recipe's pair model.

    Args:
        recipe: what and how.
        material: the N training pictures.
        features: of them.
        encoders: that they are from.
        folder: for checkpoints and the log.
        seed: of everything random.
        watch: gives what measures the model on the way; its best moment is kept.
    """
    from facetwise.training.loop import train

    if recipe.pairs is None:
        raise InputError(f"the recipe {recipe.name} has no pair model")
    how = recipe.pair_training
    config = with_types(recipe.pairs, material)
    taught = taught_by(config, material)
    model = build_pairs(config, taught, generator_of(seed, -5), encoders.images.parts)
    table = taught_table(config, material)
    labellings = labellings_of(how, material)
    known = known_of(material.collection, material.rows, config, taught)._replace(
        labels=classes_of(how, material), values=taught_values(taught, table)
    )
    edges = chosen_loss(model, how.loss) == "edges"
    splits = edge_splits(how, material, seed=seed) if edges or model.whole else None
    if model.whole and splits:
        known = known._replace(edges=message_edges(splits))
    batches = pair_batches(how, material, known.types, splits=splits if edges else None, seed=seed)
    task = PairTask(
        model,
        how,
        model.prepare(features),
        known,
        batches,
        labellings,
        table,
        seed=seed,
    )
    train(task, folder, "pairs", seed=seed, watch=None if watch is None else watch(model))
    return model


def _nothing_to_learn(recipe: Recipe, material: Material) -> InputError:
    """Why neither model can be trained, and what to do."""
    collection, rows = material.collection, material.rows
    why = []
    if recipe.sets is None:
        why.append("the recipe has no [sets]")
    else:
        others = {code for row in rows for code in collection.languages[row]}
        others -= {*recipe.data.languages, ""} if recipe.data.languages else others
        named = f" (others are in {', '.join(sorted(others))}: data.languages)" if others else ""
        why.append(f"{material.distinct_texts} of them differ in their texts{named}")
    if recipe.pairs is None:
        why.append("the recipe has no [pairs]")
    else:
        why.append(
            "no groups or attributes of which several share one and several another, nor outfits"
        )
    return InputError(
        f"{collection.path}: nothing to learn from on {len(rows)} training items: "
        f"{'; '.join(why)}. At least {FEWEST} are needed with texts of their own, or with labels "
        "that others have too; import more items, or with texts, a group or attributes"
    )
