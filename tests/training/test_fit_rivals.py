"""A run of each rival: trained, kept, opened, and the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import facetwise
from facetwise.data import Collection
from facetwise.data.synthetic import shapes as drawn
from facetwise.training import fit

from .conftest import tiny

TRAINING = {"steps": 3, "classes": 4, "per_class": 3}


@pytest.fixture(scope="module")
def worn(tmp_path_factory):
    """Shapes in sixteen outfits of four."""
    items = [replace(item, outfits=(f"o{place % 16}",)) for place, item in enumerate(drawn(64))]
    return Collection.create(tmp_path_factory.mktemp("worn") / "worn.collection", items)


@pytest.mark.parametrize(
    "pairs",
    [
        {"model": "proxy_nca", "dim": 8, "training": {**TRAINING, "positives": "group"}},
        {"model": "proxy_pan", "width": 4, "training": {**TRAINING, "positives": "attribute"}},
        {"model": "siamese", "dim": 8, "attribute_head": True, "training": TRAINING},
        {"model": "type_aware", "dim": 8, "training": TRAINING},
        {"model": "sce_net", "dim": 8, "types": "shape", "training": TRAINING},
        {"model": "pan", "width": 4, "training": TRAINING},
    ],
    ids=lambda pairs: pairs["model"],
)
def test_a_run_of_it_is_kept(worn, tmp_path, pairs):
    recipe = tiny(sets=None, pairs=pairs, data={"test": 0})
    model = fit(worn, out=tmp_path / "run", recipe=recipe)
    opened = facetwise.load(tmp_path / "run")
    rows = range(10)
    h = model.embed_collection(worn, rows).pairs
    assert torch.equal(opened.embed_collection(worn, rows).pairs, h)
    assert [c.name for c in opened.conditions] == [c.name for c in model.conditions]
    scores = opened.pairs.against(h, h)
    assert (scores.argmax(1) == torch.arange(10)).all()
    if pairs["model"] in ("type_aware", "sce_net"):
        assert len(opened.pairs.taught.types) > 1
        assert opened.pairs.config.types != "auto"
