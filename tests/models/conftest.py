from __future__ import annotations

import pytest
import torch

from facetwise.data.synthetic import shapes_collection
from facetwise.encoders import EncoderConfig, Encoders, image_features
from facetwise.models import PAN, DivEConfig, Model, PANConfig, Taught, VSEConfig, build_sets


def make(collection=None, kind="dive", seed=0, groups=("colour", "shape"), **parts):
    """An untrained model; with statistics of a collection's pictures if there is one."""
    generator = torch.Generator().manual_seed(seed)
    options = {"dim": 32, "hidden": 32}
    encoders = Encoders(EncoderConfig(pixels=64, components=32))
    config = DivEConfig(K=3, **options) if kind == "dive" else VSEConfig(**options)
    parts = {
        "sets": build_sets(config, encoders, generator),
        "pairs": PAN(PANConfig(width=8), Taught.groups(groups), generator),
        **parts,
    }
    if collection is not None:
        features = image_features(collection, encoders.images, range(len(collection)))
        if parts["sets"] is not None:
            parts["sets"].fit_statistics(features)
        if parts["pairs"] is not None:
            parts["pairs"].fit_statistics(features.pooled, generator=generator)
    return Model(encoders, name="few", trained_on=frozenset({"ab", "cd"}), **parts)


@pytest.fixture(scope="session")
def few(tmp_path_factory):
    """20 shapes; tests read them only."""
    return shapes_collection(tmp_path_factory.mktemp("models") / "few.collection", n=20)


@pytest.fixture(scope="session")
def model(few):
    return make(few)
