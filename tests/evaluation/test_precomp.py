"""Pre-computed regions from the published files to figures, an index and hits."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest

from facetwise.cli.main import main
from facetwise.data import Collection
from facetwise.errors import InputError
from facetwise.evaluation import Request, captioned, run_benchmark
from facetwise.evaluation.coco import coco_1k
from facetwise.models import load
from facetwise.search import Index
from facetwise.training import Recipe, fit

from ..precomp_folder import write_precomp

SMALL = {
    "encoders.regions": 6,
    "encoders.region_width": 16,
    "encoders.components": 16,
    "encoders.word_width": 24,
    "encoders.gru_hidden": 32,
    "sets.dim": 32,
    "sets.hidden": 32,
    "sets.training.batch": 16,
}
DIVE = {
    **SMALL,
    "sets.block_hidden": 64,
    "sets.heads": 2,
    "sets.head_dim": 16,
    "sets.T": 2,
    "sets.training.steps": 80,
    "sets.training.sum_share": 0.5,
    "sets.training.lr": 3e-3,
    "sets.training.module_lr": 1.0,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_precomp(tmp_path_factory.mktemp("precomp") / "mine")


@pytest.fixture(scope="module")
def collection(folder):
    out = folder.parent / "train.collection"
    main(["data", "import", str(folder), "--benchmark", "precomp", "--out", str(out)])
    return Collection.open(out)


@pytest.fixture(scope="module")
def run(folder, collection):
    """The published recipe, but small."""
    recipe = Recipe.read("dive-coco-butd-gru", DIVE)
    out = folder.parent / "run"
    fit(collection, out=out, recipe=recipe)
    return out


def request(folder, run, **asked):
    return Request((load(run),), folder, cache=folder.parent / "cache", **asked)


def test_import_keeps_captions_and_says_where_regions_are(folder, collection):
    assert len(collection) == 40
    assert set(collection.splits) == {"train"}
    captions = (folder / "train_caps.txt").read_text().splitlines()
    assert [text for own in collection.texts for text in own] == captions
    table = collection.table(["region_file", "region_row"]).to_pydict()
    assert set(table["region_file"]) == {str(folder / "train_ims.npy")}
    assert table["region_row"] == list(range(40))


def test_the_published_recipe_learns_from_regions(folder, run):
    found = run_benchmark("precomp", request(folder, run))
    assert (found["split"], found["images"], found["texts"]) == ("test", 12, 60)
    assert found["rsum"] > 400  # chance is about 240


def test_each_image_is_counted_once(folder, run):
    for split, images in (("dev", 8), ("val", 8), ("testall", 20), ("train", 40)):
        found = run_benchmark("precomp", request(folder, run, split=split))
        assert (found["images"], found["texts"]) == (images, 5 * images)
        assert ("problems" in found) == (split == "train")
        if split == "train":
            assert found["problems"] == ["40 of these 40 pictures were seen in training"]


def test_cocos_folds_are_of_testall(folder, run, monkeypatch):
    monkeypatch.setattr(captioned, "five_folds", partial(coco_1k, fold=4))
    found = run_benchmark("precomp-1k", request(folder, run))
    assert (found["split"], found["images"], found["texts"]) == ("testall", 20, 100)
    assert found["i2t"]["R@10"] > 90 and found["t2i"]["R@5"] == 100  # of 4 images
    with pytest.raises(InputError, match="no split 'test'"):
        run_benchmark("precomp-1k", request(folder, run, split="test"))


def test_published_counts_are_asked_for(tmp_path, run):
    coco = write_precomp(tmp_path / "coco_precomp")
    with pytest.raises(InputError, match=r"12 of 1,000 test images"):
        run_benchmark("precomp", request(coco, run))
    found = run_benchmark("precomp", request(coco, run, allow_partial=True))
    assert found["images"] == 12 and len(found["problems"]) == 1


def test_a_folder_that_has_moved_is_read_where_it_is(tmp_path, run):
    for place in ("before", "after"):
        folder = tmp_path / "mine" if place == "before" else tmp_path / "moved" / "mine"
        if place == "before":
            write_precomp(folder)
        else:
            folder.parent.mkdir()
            (tmp_path / "mine").rename(folder)
        asked = Request((load(run),), folder, cache=tmp_path / "cache")
        assert run_benchmark("precomp", asked)["images"] == 12


def test_regions_are_searched_by_text(folder, run, tmp_path, capsys):
    words = ["data", "import", str(folder), "--benchmark", "precomp", "--split", "test"]
    assert main([*words, "--out", str(tmp_path / "test.collection")]) == 0
    index = tmp_path / "test.index"
    assert main(["index", str(run), str(tmp_path / "test.collection"), "--out", str(index)]) == 0
    capsys.readouterr()
    opened = Index.open(index)
    text = opened.item("3000").texts[0]
    hits = opened.search(text, k=12)
    captions = {id: opened.item(id).texts for id in opened.ids}
    best = [hit.id for hit in hits[:4]]
    assert any(text in captions[id] for id in best)
    why = opened.explain(text, best[0])
    assert sum(facet.contribution for facet in why.facets) == pytest.approx(why.score, abs=1e-5)
    assert all(facet.region is None for facet in why.facets)  # nobody knows where they lie
    assert why.item_image.size == (192, 144)
    assert opened.search(opened.item("3001"), k=1)[0].id != "3001"
    assert main(["explain", str(index), text, best[0], "--png", str(tmp_path / "why.png")]) == 0
    capsys.readouterr()
    picture = tmp_path / "query.png"
    picture.write_bytes(opened.item("3000").thumbnail)
    assert main(["search", str(index), "--image", str(picture)]) == 2
    assert "no detector" in capsys.readouterr().err


OTHERS = ("dive-f30k", "vse-infinity-region", "vsepp", "scan-f30k", "caan")


@pytest.mark.parametrize("name", OTHERS)
def test_other_recipes_for_regions_train_and_are_measured(name, folder, collection, tmp_path):
    few = {key: value for key, value in SMALL.items() if key != "sets.hidden"}
    recipe = Recipe.read(name, {**few, "sets.training.steps": 2})
    fit(collection, out=tmp_path / "run", recipe=recipe)
    found = run_benchmark("precomp", request(folder, tmp_path / "run"))
    assert np.isfinite(found["rsum"])


def test_evaluate_prints_json(folder, run, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("FACETWISE_CACHE", str(tmp_path / "cache"))
    code = main(
        ["evaluate", str(run), "--benchmark", "precomp", "--data", str(folder), "--json"],
    )
    assert code == 0
    assert json.loads(capsys.readouterr().out)["texts"] == 60
    assert main(["evaluate", str(run), "--collection", str(folder.parent / "train.collection")])
    assert "every picture was seen" in capsys.readouterr().err
