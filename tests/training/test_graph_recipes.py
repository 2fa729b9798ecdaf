"""CGAE and PAN with a graph encoder from recipe to run; the published recipes."""

from __future__ import annotations

import pytest
import torch

import facetwise as fw
from facetwise.models import CGAE, CGAEConfig, GraphPAN, GraphPANConfig
from facetwise.training import Recipe, fit

from .conftest import tiny


def test_cgae_on_cub_is_the_published_one():
    recipe = Recipe.read("cgae")
    assert recipe.pairs == CGAEConfig(
        widths=(350, 350, 350),
        degree=1,
        dropout=0.5,
        support_dropout=0.15,
        edge_dropout=0.0,
        standardise="dimensions",
        unit=False,
        init="xavier",
    )
    how = recipe.pair_training
    assert (how.loss, how.edge_pairs, how.redraw) == ("edges", 0, False)
    assert (how.lr, how.condition_lr, how.schedule, how.steps) == (1e-3, 1e-3, "constant", 100)


def test_pan_on_polyvore_is_the_published_one():
    recipe = Recipe.read("pan-polyvore")
    assert isinstance(recipe.pairs, GraphPANConfig)
    assert recipe.pairs.widths == (200, 200) and recipe.pairs.edge_dropout == 0.15
    assert (recipe.pairs.taught, recipe.pairs.combine, recipe.pairs.free) == ("attributes", "or", 0)
    how = recipe.pair_training
    assert (how.positives, how.attribute_weight, how.steps) == ("outfit", 10.0, 4000)


@pytest.mark.parametrize("loss", ["edges", "triplet"])
@pytest.mark.parametrize("model,kind", [("cgae", CGAE), ("graph_pan", GraphPAN)])
def test_fit_trains_and_load_opens(shapes, tmp_path, model, kind, loss):
    how = {"steps": 4, "classes": 6, "per_class": 3, "loss": loss}
    pairs = {"model": model, "widths": [12, 8], "training": how}
    run = fit(shapes, out=tmp_path / "run", recipe=tiny(sets=None, pairs=pairs), seed=1)
    assert type(run.pairs) is kind
    opened = fw.load(tmp_path / "run")
    assert opened.fingerprint == run.fingerprint
    rows = [3, 1, 4]
    h = opened.embed_collection(shapes, rows).pairs
    alone = torch.cat([opened.embed_collection(shapes, [row]).pairs for row in rows])
    torch.testing.assert_close(h, alone)  # outside training an item has the edges it is given
    again = fit(shapes, out=tmp_path / "again", recipe=tiny(sets=None, pairs=pairs), seed=1)
    assert again.fingerprint == run.fingerprint
