"""Recipes: what is read is what is meant, and what does not fit is named with file and key."""

from __future__ import annotations

import pytest
import tomli_w

from facetwise.errors import InputError
from facetwise.models import DivEConfig, PANConfig, SiameseConfig, VSEConfig
from facetwise.training import Recipe, recipes

from .conftest import tiny


def write(path, text):
    file = path / "my.toml"
    file.write_text(text)
    return file


@pytest.mark.parametrize("name", recipes())
def test_the_packages_recipes_can_be_read(name):
    recipe = Recipe.read(name)
    assert recipe.name == name
    if name in ("small", "demo"):
        assert isinstance(recipe.sets, DivEConfig) and isinstance(recipe.pairs, PANConfig)


def test_the_small_and_the_demo_recipe_are_there():
    assert {"small", "demo", "image-text"} <= set(recipes())


PUBLISHED = {
    "dive-coco-butd-gru": {"K": 4, "T": 4, "alpha": 16, "dim": 1024, "heads": 4, "head_dim": 512},
    "dive-f30k": {"K": 4, "T": 4, "alpha": 16, "slot_gain": 1, "block_hidden": 4096},
    "vse-infinity-grid": {"dim": 1024, "global_weight": 0},
    "vse-infinity-region": {"dim": 1024, "global_weight": 0, "local_mlp": True},
    "vsepp": {"dim": 1024},
    "pvse-coco": {"K": 2, "dim": 1024},
    "pcme-coco": {"scale": 15, "shift": 15, "samples": 7, "match": "inner"},
    "pcmepp-clip": {"scale": 5, "shift": 5, "pseudo": 0.1, "smoothing": 1e-4, "mixup": 0.25},
    "devise": {},
    "scan-f30k": {"direction": "t-i", "pooling": "avg", "lambda_1": 9},
    "caan": {"dim": 1024},
}
"""Of METHODS 2.7 and 3; the margins and rates below."""

TRAINED = {
    "dive-coco-butd-gru": (0.2, 1e-3, 200, 1.0, 1e-4),
    "dive-f30k": (0.2, 1e-3, 128, 1.0, 1e-4),
    "vse-infinity-grid": (0.2, 5e-4, 128, 2.0, 1e-4),
    "vse-infinity-region": (0.2, 5e-4, 128, 2.0, 1e-4),
    "vsepp": (0.2, 5e-4, 128, 2.0, 1e-4),
    "pvse-coco": (0.1, 2e-4, 256, 2.0, 0.0),
    "pcme-coco": (None, 2e-4, 128, 2.0, 0.0),
    "pcmepp-clip": (None, 5e-4, 128, 2.0, 1e-4),
    "devise": (0.1, None, None, None, 0.0),
    "scan-f30k": (0.2, 2e-4, 128, 2.0, 0.0),
    "caan": (0.2, 2e-4, 128, 2.0, 0.0),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_settings_are_the_papers(name):
    recipe = Recipe.read(name)
    assert recipe.data.test == 0 and recipe.pairs is None
    for key, value in PUBLISHED[name].items():
        assert getattr(recipe.sets, key) == value, key
    how = recipe.set_training
    found = (how.margin, how.lr, how.batch, how.clip, how.weight_decay)
    for value, expected in zip(found, TRAINED[name], strict=True):
        assert expected is None or value == expected


@pytest.mark.parametrize(
    ("name", "taught", "attributes", "free", "weight"),
    [
        ("pan-cub-unsupervised", "none", 0, 50, 0),
        ("pan-cub-hybrid", "attributes", 10, 10, 1e-5),
        ("pan-cub-supervised", "attributes", 0, 0, 1e-5),
    ],
)
def test_pan_on_birds_is_the_papers(name, taught, attributes, free, weight):
    """METHODS 1.4, 1.5."""
    recipe = Recipe.read(name)
    pan, how = recipe.pairs, recipe.pair_training
    assert isinstance(pan, PANConfig)
    assert (pan.taught, pan.attributes, pan.free, pan.combine) == (taught, attributes, free, "or")
    assert (pan.head, pan.init, pan.standardise, pan.unit) == (
        "none",
        "xavier",
        "dimensions",
        False,
    )
    assert (how.loss, how.edge_pairs, how.redraw, how.steps) == ("edges", 0, False, 100)
    assert (how.lr, how.condition_lr, how.schedule) == (1e-3, 1e-3, "constant")
    assert (how.attribute_weight, how.relevance_kl) == (weight, 0)


@pytest.mark.parametrize("name", [*recipes(), "tiny"])
def test_a_recipe_written_down_is_the_same_recipe(tmp_path, name):
    recipe = tiny() if name == "tiny" else Recipe.read(name)
    file = write(tmp_path, tomli_w.dumps(recipe.to_dict()))
    assert Recipe.read(file) == recipe


def test_what_is_not_said_is_the_default(tmp_path):
    recipe = Recipe.read(write(tmp_path, ""))
    assert (recipe.name, recipe.sets, recipe.pairs) == ("my", None, None)
    recipe = Recipe.read(write(tmp_path, '[sets]\nmodel = "vse"\n[pairs]\nmodel = "siamese"\n'))
    assert (recipe.sets, recipe.pairs) == (VSEConfig(), SiameseConfig())


def test_overrides_change_single_values():
    recipe = Recipe.read("small", {"sets.training.steps": 7, "sets.K": 2, "data.test": 0})
    assert (recipe.set_training.steps, recipe.sets.K, recipe.data.test) == (7, 2, 0.0)
    assert recipe.pairs == Recipe.read("small").pairs


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[data", r"my\.toml: Expected"),
        ("data = 3", r"my\.toml: data must be a table, \[data\], not 3"),
        ("[data]\ntest = 2", r"my\.toml \[data\] test: expected a number from 0 to 1, not 2"),
        ("[data]\nby = 'thing'", r"my\.toml \[data\] by: expected one of auto, group, item"),
        ("[data]\nlanguages = 'en'", r"my\.toml \[data\] languages: expected a list"),
        ("[encoders]\npixels = 100", r"my\.toml \[encoders\] pixels: .* multiple of 32"),
        ("[encoders]\nmax_tokens = 1000", r"my\.toml \[encoders\] max_tokens: .* from 4 to 512"),
        ("[sets]\nK = 4", r"my\.toml \[sets\] model: expected one of dive, vse, .*, not None"),
        (
            "[sets]\nmodel = 'pan'",
            r"my\.toml \[sets\] model: expected one of dive, vse, .*, not 'pan'",
        ),
        ("[pairs]\nmodel = 'dive'", r"my\.toml \[pairs\] model: expected one of pan, "),
        ("sets = 3", r"my\.toml: sets must be a table"),
        ("[sets]\nmodel = 'dive'\nk = 4", r"my\.toml \[sets\]: no option 'k'"),
        ("[sets]\nmodel = 'dive'\ntrainin = 4", r"my\.toml \[sets\]: no option 'trainin'"),
        (
            "[sets]\nmodel = 'dive'\n[sets.training]\nstep = 4",
            r"my\.toml \[sets\.training\]: no option 'step' \(did you mean 'steps'\?\)",
        ),
        (
            "[pairs]\nmodel = 'pan'\n[pairs.training]\nsteps = 0",
            r"my\.toml \[pairs\.training\] steps: expected a whole number of at least 1, not 0",
        ),
        ("[sets]\nmodel = 'dive'\ntraining = 4", r"my\.toml: sets\.training must be a table"),
        (
            "[set]\nmodel = 'dive'",
            r"my\.toml: no table \[set\]; there are data, encoders, .*sets, pa",
        ),
    ],
)
def test_what_does_not_fit_is_named_with_file_and_key(tmp_path, text, said):
    with pytest.raises(InputError, match=said) as error:
        Recipe.read(write(tmp_path, text))
    assert "\n" not in str(error.value)


def test_an_unknown_recipe_lists_those_there_are(tmp_path):
    with pytest.raises(
        InputError, match=r"no recipe 'smal'; there are .*small.*, or give a \.toml"
    ):
        Recipe.read("smal")
    with pytest.raises(
        InputError, match=r"gone\.toml cannot be read \(No such file or directory\)"
    ):
        Recipe.read(tmp_path / "gone.toml")
    with pytest.raises(InputError, match=r"my\.toml cannot be read"):
        file = tmp_path / "my.toml"
        file.write_bytes(b"\xff")
        Recipe.read(file)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("sets.training.stepps", 3, r"small\.toml \[sets\.training\]: no option 'stepps'"),
        ("sets.model", "cnn", r"small\.toml \[sets\] model: expected one of dive, vse, "),
        ("name.of", 3, r"--set name\.of: 'name' is a value, not a table"),
        ("seed", 3, r"small\.toml: no table \[seed\]"),
    ],
)
def test_overrides_that_do_not_fit_are_named(name, value, said):
    with pytest.raises(InputError, match=said):
        Recipe.read("small", {name: value})
