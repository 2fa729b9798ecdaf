"""The demo's comparison over seeds: DivE and PAN beside floors and rivals, equal care for all.

One split (whole concepts held out, never seen in training; not the split that settings were chosen
on), one set of frozen features. Seeds change the start, the batches and dropout. A finished seed is
kept as a JSON file and not computed again.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from facetwise.data import Collection
from facetwise.data.sampling import generator_of
from facetwise.data.splits import split_collection
from facetwise.encoders import (
    Encoders,
    ImageFeatures,
    PartNorm,
    image_features,
    text_features,
)
from facetwise.errors import InputError
from facetwise.evaluation.floors import RidgeFloor, sentence_vectors
from facetwise.evaluation.image_image import Retrieval, group_labels, retrieval
from facetwise.evaluation.image_text import ImageText, image_text, matches
from facetwise.evaluation.pair_figures import pair_figures
from facetwise.files import write_text
from facetwise.models import (
    DivEConfig,
    Model,
    PANConfig,
    SiameseConfig,
    VSEConfig,
    build_sets,
)
from facetwise.similarity import average
from facetwise.training.fit import train_pairs, train_sets
from facetwise.training.material import Material, languages_of
from facetwise.training.recipe import Recipe

if TYPE_CHECKING:
    from rich.console import Group

__all__ = ["Comparison", "compare", "comparison_tables", "run_bench"]

_TEXT_ROWS = ("untrained heads", "ridge regression", "single vector (VSE)", "DivE")
_IMAGE_ROWS = ("last layer", "frozen features", "siamese", "PAN's head, cosine", "PAN")
SIAMESE_MARGIN = 0.1
"""Of (1 + cosine) / 2; FIELDNOTES' tuned siamese."""


@dataclass(frozen=True)
class Comparison:
    """What all models of a comparison share: the split and the frozen features.

    Attributes:
        recipe: of DivE and PAN; the rivals take its training.
        collection: the drawings.
        material: of the training part.
        features: of the training part.
        held: rows of the held-out part.
        held_features: of the held-out part.
        held_texts: of the held-out part.
    """

    recipe: Recipe
    collection: Collection
    material: Material
    features: ImageFeatures
    held: tuple[int, ...]
    held_features: ImageFeatures
    held_texts: tuple[tuple[str, ...], ...]
    encoders: Encoders

    @classmethod
    def of(cls, collection: Collection, recipe: Recipe) -> Comparison:
        """Split as the recipe says, and get features from the cache."""
        data = recipe.data
        parts = split_collection(collection, test=data.test, by=data.by, seed=data.split_seed)
        train = [row for row, part in enumerate(parts) if part == "train"]
        held = [row for row, part in enumerate(parts) if part == "test"]
        if not train or not held:
            raise InputError(f"{collection.path} is too small to hold anything out")
        material = Material.of(collection, train, recipe.data.languages, 0)
        encoders = Encoders.of(recipe.encoders, material.distinct)
        return cls(
            recipe=recipe,
            collection=collection,
            material=material,
            features=image_features(collection, encoders.images, train),
            held=tuple(held),
            held_features=image_features(collection, encoders.images, held),
            held_texts=tuple(
                tuple(own) for own in languages_of(collection, held, recipe.data.languages)
            ),
            encoders=encoders,
        )


def compare(
    shared: Comparison,
    folder: Path,
    *,
    seed: int,
    trained: Model | None = None,
) -> dict[str, Any]:
    """Train and measure everything with one seed.

    Args:
        shared: split and features.
        folder: for logs and checkpoints of the training.
        seed: of starts, batches and dropout.
        trained: DivE and PAN, if they are trained already with this seed on this split.

    Returns:
        Figures in percent by the names of the tables' rows, JSON-able.
    """
    folder.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    seconds: dict[str, float] = {}
    own = _dive_config(shared.recipe)
    # One vector of as many numbers as a set has in all.
    single_vector = VSEConfig(own.dim * own.K, own.hidden, own.feature_dropout)
    rival = replace(shared.recipe, sets=single_vector, pairs=SiameseConfig())
    rival = replace(
        rival, pair_training=replace(rival.pair_training, margin=SIAMESE_MARGIN, units="score")
    )

    def timed(name: str, since: float) -> None:
        seconds[name] = round(time.monotonic() - since, 1)

    at = time.monotonic()
    single = train_sets(
        rival, shared.material, shared.features, shared.encoders, folder / "vse", seed=seed
    )
    timed("single vector (VSE)", at)
    at = time.monotonic()
    siamese = train_pairs(
        rival, shared.material, shared.features, shared.encoders, folder / "siamese", seed=seed
    )
    timed("siamese", at)
    if trained is None:
        at = time.monotonic()
        sets = train_sets(
            shared.recipe,
            shared.material,
            shared.features,
            shared.encoders,
            folder / "dive",
            seed=seed,
        )
        timed("DivE", at)
        at = time.monotonic()
        pairs = train_pairs(
            shared.recipe,
            shared.material,
            shared.features,
            shared.encoders,
            folder / "pan",
            seed=seed,
        )
        timed("PAN", at)
        trained = Model(shared.encoders, sets=sets, pairs=pairs)
    figures = {
        "seed": seed,
        "image_text": _image_text(shared, trained, single, seed),
        "image_image": _image_image(shared, trained, siamese),
        "training_seconds": seconds,
        "seconds": round(time.monotonic() - start, 1),
    }
    return figures


def _image_text(shared: Comparison, trained: Model, single: Any, seed: int) -> dict[str, Any]:
    distinct, edges = matches(shared.held_texts)
    found: dict[str, ImageText] = {}
    untrained = build_sets(_dive_config(shared.recipe), shared.encoders, generator_of(seed, -7))
    untrained.fit_statistics(shared.features)
    for name, sets in (
        ("untrained heads", untrained),
        ("single vector (VSE)", single),
        ("DivE", trained.sets),
    ):
        model = Model(shared.encoders, sets=sets, pairs=None)
        x = model.embed_features(shared.held_features).sets
        assert x is not None
        y = model.embed_texts(distinct, cached_in=shared.collection).sets
        found[name] = image_text(x, y, edges, model.similarity)
    own = shared.material.distinct
    place = {text: index for index, text in enumerate(own)}
    ridge = RidgeFloor(
        shared.encoders.images.parts,
        shared.features.pooled,
        sentence_vectors(text_features(shared.collection, shared.encoders.texts, own)),
        [[place[text] for text in texts] for texts in shared.material.texts],
        seed=seed,
    )
    vectors = sentence_vectors(text_features(shared.collection, shared.encoders.texts, distinct))
    found["ridge regression"] = image_text(
        ridge.images(shared.held_features.pooled), ridge.texts(vectors), edges, average
    )
    return {name: found[name].to_dict() for name in _TEXT_ROWS}


def _image_image(shared: Comparison, trained: Model, siamese: Any) -> dict[str, Any]:
    pooled = shared.held_features.pooled
    labels = group_labels([shared.collection.groups[row] for row in shared.held])
    lines, colours = _styles(shared)
    assert trained.pairs is not None
    parts = shared.encoders.images.parts
    norm = PartNorm(parts)
    norm.fit(shared.features.pooled)
    pan = trained.pairs
    with torch.no_grad():
        plain, own = norm(pooled), siamese.eval().embed(pooled)
        h = pan.embed(pan.prepare(shared.held_features))
    cosine = F.normalize(h, dim=-1)

    def dot(vectors: Tensor) -> Any:
        return lambda q, g: vectors[q] @ vectors[g].T

    out: dict[str, Any] = {}
    for name, score in (
        ("last layer", dot(F.normalize(plain[:, : parts[0]], dim=-1))),
        ("frozen features", dot(plain)),
        ("siamese", dot(own)),
        ("PAN's head, cosine", dot(cosine)),
        ("PAN", lambda q, g: pan.against(h[q], h[g])),
    ):
        everything = retrieval(score, labels)
        across = retrieval(score, labels, lines, colours)
        out[name] = {"all": _dict(everything), "line_to_colour": _dict(across)}
    figures = pair_figures(pan, shared.collection, shared.held, shared.held_features, h, labels)
    out["PAN"]["relevance"] = figures.to_dict()["relevance"]
    out["PAN"]["agreement@10"] = figures.to_dict()["agreement@10"]
    return out


def _styles(shared: Comparison) -> tuple[Tensor, Tensor]:
    """Held-out line drawings, and held-out colour drawings, as places in the held-out part."""
    styles = shared.collection.table(["style"])["style"].to_pylist()
    own = [styles[row] for row in shared.held]
    return tuple(  # type: ignore[return-value]
        torch.tensor([place for place, style in enumerate(own) if style == wanted])
        for wanted in ("line", "colour")
    )


def _dict(found: Retrieval | None) -> dict[str, Any]:
    assert found is not None  # every concept has two pictures
    return found.to_dict()


def _dive_config(recipe: Recipe) -> DivEConfig:
    return recipe.sets if isinstance(recipe.sets, DivEConfig) else DivEConfig()


def run_bench(
    collection: Collection, recipe: Recipe, folder: Path, seeds: Sequence[int]
) -> dict[str, Any]:
    """`compare` with several seeds; finished ones are read from ``folder/seed-N.json``."""
    if not isinstance(recipe.pairs, PANConfig):
        raise InputError(f"the recipe {recipe.name} must train PAN, to compare it")
    shared: Comparison | None = None
    runs: list[dict[str, Any]] = []
    key = {"recipe": recipe.to_dict(), "items": len(collection)}
    for seed in seeds:
        file = folder / f"seed-{seed}.json"
        kept = _kept(file, key)
        if kept is None:
            shared = shared or Comparison.of(collection, recipe)
            kept = compare(shared, folder / f"seed-{seed}", seed=seed)
            write_text(file, json.dumps({"key": key, "figures": kept}, indent=1))
        runs.append(kept)
    return {
        "benchmark": "demo",
        "collection": collection.name,
        "recipe": recipe.to_dict(),
        "machine": {
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "python": platform.python_version(),
            "torch": torch.__version__,
        },
        "seeds": list(seeds),
        "runs": runs,
    }


def _kept(file: Path, key: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        saved = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    same = saved.get("key") == json.loads(json.dumps(key))
    return saved["figures"] if same else None


def comparison_tables(runs: Sequence[Mapping[str, Any]]) -> Group:
    """Tables of one or several seeds: mean, and the spread where there are several."""
    from rich.console import Group
    from rich.table import Table

    def cell(*path: str) -> str:
        values = []
        for run in runs:
            value: Any = run
            for name in path:
                value = value.get(name) if value is not None else None
            if value is not None:
                values.append(float(value))
        if not values:
            return ""
        spread = f" ±{stdev(values):.1f}" if len(values) > 1 else ""
        return f"{mean(values):.1f}{spread}"

    first = runs[0]["image_text"]["DivE"]
    text = Table(
        title=f"image and text, unseen concepts: {first['images']} pictures, {first['texts']} texts"
    )
    heads = (
        ("", "i2t R@1", "R@5", "R@10", "t2i R@1", "R@5", "R@10", "RSUM", "by mean vectors"),
        ("", "R@1", "mAP@R", "line to colour R@1", "mAP@R"),
    )
    for name in heads[0]:
        text.add_column(name, justify="left" if not name else "right")
    for row in _TEXT_ROWS:
        text.add_row(
            row,
            *(
                cell("image_text", row, way, at)
                for way in ("i2t", "t2i")
                for at in ("R@1", "R@5", "R@10")
            ),
            cell("image_text", row, "rsum"),
            cell("image_text", row, "control", "mean_vector_rsum"),
        )
    image = Table(title="image to image, unseen concepts: the same thing drawn otherwise")
    for name in heads[1]:
        image.add_column(name, justify="left" if not name else "right")
    for row in _IMAGE_ROWS:
        image.add_row(
            row,
            cell("image_image", row, "all", "R@1"),
            cell("image_image", row, "all", "map_at_r"),
            cell("image_image", row, "line_to_colour", "R@1"),
            cell("image_image", row, "line_to_colour", "map_at_r"),
        )
    steer = Table(title="PAN: share of the first 10 with the same value")
    for name in ("", "frozen features", "PAN", "weighed x 3"):
        steer.add_column(name, justify="left" if not name else "right")
    for group in runs[0]["image_image"]["PAN"]["agreement@10"]:
        at = ("image_image", "PAN", "agreement@10", group)
        steer.add_row(group, *(cell(*at, name) for name in ("untrained", "model", "weighed_3")))
    return Group(text, image, steer)
