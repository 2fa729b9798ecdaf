from __future__ import annotations

import pytest

from facetwise.data.synthetic import shapes_collection
from facetwise.encoders import LiteEncoder, MiniLM, image_features, text_features
from facetwise.training import Recipe

SMALL = {
    "name": "tiny",
    "data": {"test": 0.25, "by": "item"},
    "encoders": {"pixels": 64, "components": 32},
    "sets": {
        "model": "dive",
        "dim": 32,
        "heads": 2,
        "head_dim": 16,
        "hidden": 32,
        "training": {"steps": 6, "batch": 8},
    },
    "pairs": {
        "model": "pan",
        "width": 8,
        "training": {"steps": 6, "classes": 6, "per_class": 3},
    },
}


# The same without principal components, which take most of the time where a test only wants a run.
QUICK = {"model": "vse", "dim": 32, "hidden": 32, "training": {"steps": 6, "batch": 8}}


def tiny(**tables):
    """The small recipe with tables replaced, or left out where they are None."""
    options = {**SMALL, **tables}
    return Recipe.from_dict({k: v for k, v in options.items() if v is not None}, "tiny.toml")


def trained(steps, **options):
    """The small recipe with `steps` steps of each model."""
    tables = {
        "sets": {**SMALL["sets"], "training": {"steps": steps, "batch": 32}},
        "pairs": {**SMALL["pairs"], "training": {"steps": steps, "classes": 12, "per_class": 3}},
    }
    return tiny(**{**tables, **options})


@pytest.fixture(scope="session")
def shapes(tmp_path_factory):
    """120 shapes with their features computed; tests read them only."""
    collection = shapes_collection(tmp_path_factory.mktemp("training") / "shapes.collection")
    image_features(collection, LiteEncoder(64), range(len(collection)))
    texts = sorted({text for own in collection.texts for text in own})
    text_features(collection, MiniLM(), texts)
    return collection
