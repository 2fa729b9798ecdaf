"""From a collection to a run: what is trained, how it may be interrupted, what is refused."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
import torch
from PIL import Image

import facetwise as fw
from facetwise.data import Collection, Item
from facetwise.data.synthetic import shapes
from facetwise.errors import FacetwiseError, InputError
from facetwise.files import locked
from facetwise.models import load
from facetwise.training import Recipe, fit
from facetwise.training.pair_task import PairTask
from facetwise.training.set_task import SetTask

from .conftest import QUICK, SMALL, tiny


def make(path, n=40, change=lambda item: item):
    return Collection.create(path / "few.collection", [change(item) for item in shapes(n)])


def only_texts(item):
    return replace(item, group=None, attributes={})


def only_groups(item):
    return replace(item, texts=(), attributes={})


def only_attributes(item):
    return replace(item, texts=(), group=None)


def same_files(a, b):
    """Whether two runs hold the same bytes."""
    names = sorted(file.name for file in a.iterdir())
    assert names == sorted(file.name for file in b.iterdir())
    return [name for name in names if (a / name).read_bytes() != (b / name).read_bytes()] == []


@pytest.fixture(scope="module")
def run(shapes, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "shapes"
    return fit(shapes, out=out, recipe=tiny(), seed=1), out


def test_what_fit_returns_is_what_load_opens(run, shapes):
    model, out = run
    opened = fw.load(out)
    assert opened.fingerprint == model.fingerprint
    assert (opened.name, opened.K, opened.dim) == ("shapes", 4, 32)
    assert [c.name for c in opened.conditions] == [*shapes.attribute_groups, "free 1", "free 2"]
    rows = [3, 1, 4]
    a, b = model.embed_collection(shapes, rows), opened.embed_collection(shapes, rows)
    assert all(map(torch.equal, a, b))


def test_a_run_holds_the_recipe_it_was_made_by(run):
    assert Recipe.read(run[1] / "recipe.toml") == tiny()
    assert {file.name for file in run[1].iterdir()} == {
        *("model.toml", "recipe.toml", "made-of.toml", "seen.txt", "log.jsonl"),
        *("sets.safetensors", "pairs.safetensors"),
    }


def test_it_remembers_what_it_was_trained_on(run, shapes):
    seen = {hash in run[0].trained_on for hash in shapes.image_hashes}
    assert seen == {True, False}
    assert fw.load(run[1]).trained_on == run[0].trained_on


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_seed_gives_the_same_bits(shapes, tmp_path, threads):
    # With two threads, gradients would be added up in whatever order they come; of pairs, mostly.
    recipe = tiny() if threads == 1 else tiny(sets=None)
    torch.set_num_threads(threads)
    try:
        for name in "ab":
            torch.rand(7)  # what the global generator is at makes no difference
            fit(shapes, out=tmp_path / name, recipe=recipe, seed=1)
    finally:
        torch.set_num_threads(1)
    assert same_files(tmp_path / "a", tmp_path / "b")


def test_another_seed_gives_another_run(run, shapes, tmp_path):
    other = fit(shapes, out=tmp_path / "other", recipe=tiny(sets=None), seed=2)
    assert not torch.equal(other.pairs.head.weight, run[0].pairs.head.weight)


@pytest.mark.parametrize("task", [SetTask, PairTask])
def test_interrupted_and_resumed_is_uninterrupted(run, shapes, tmp_path, monkeypatch, task):
    loss = task.loss

    def interrupted(self, step):
        out = loss(self, step)  # dropout has been drawn
        if step == 3:
            raise KeyboardInterrupt
        return out

    monkeypatch.setattr(task, "loss", interrupted)
    out = tmp_path / "shapes"
    with pytest.raises(KeyboardInterrupt):
        fit(shapes, out=out, recipe=tiny(), seed=1)
    assert not out.exists()
    with pytest.raises(InputError, match="its training did not finish: run fit again"):
        fw.load(out)
    steps = []

    def counted(self, step):
        steps.append(step)
        return loss(self, step)

    monkeypatch.setattr(task, "loss", counted)
    fit(shapes, out=out, recipe=tiny(), seed=1)
    assert steps == [3, 4, 5]
    assert same_files(out, run[1])
    assert [path.name for path in tmp_path.iterdir()] == ["shapes"]


@pytest.mark.parametrize("what", ["recipe", "seed", "data"])
def test_what_was_begun_on_something_else_is_not_gone_on_with(tmp_path, monkeypatch, what):
    steps = []
    loss = SetTask.loss

    def interrupted(self, step):
        steps.append(step)
        if len(steps) == 3:
            raise KeyboardInterrupt
        return loss(self, step)

    monkeypatch.setattr(SetTask, "loss", interrupted)
    recipe, collection, out = tiny(sets=QUICK, pairs=None), make(tmp_path), tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        fit(collection, out=out, recipe=recipe)
    if what == "recipe":
        recipe = replace(recipe, set_training=replace(recipe.set_training, lr=0.5))
    if what == "data":  # the same number of items, the same path, the same version
        items = [replace(item, texts=(f"{item.texts[0]} again",)) for item in shapes(40)]
        collection = Collection.create(collection.path, items, overwrite=True)
    fit(collection, out=out, recipe=recipe, seed=int(what == "seed"))
    assert steps == [0, 1, 2, 0, 1, 2, 3, 4, 5]


def test_an_old_run_is_replaced_only_when_asked_and_only_by_a_whole_one(
    run, shapes, tmp_path, monkeypatch
):
    out = tmp_path / "shapes"
    recipe = tiny(sets=QUICK, pairs=None)
    fit(shapes, out=out, recipe=recipe)
    old = fw.load(out).fingerprint
    with pytest.raises(InputError, match="is a run already; choose another name, or"):
        fit(shapes, out=out, recipe=recipe, seed=1)
    loss = SetTask.loss
    monkeypatch.setattr(SetTask, "loss", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        fit(shapes, out=out, recipe=recipe, seed=1, overwrite=True)
    assert fw.load(out).fingerprint == old
    monkeypatch.setattr(SetTask, "loss", loss)
    new = fit(shapes, out=out, recipe=recipe, seed=1, overwrite=True)
    assert fw.load(out).fingerprint == new.fingerprint != old
    assert [path.name for path in tmp_path.iterdir()] == ["shapes"]


@pytest.mark.parametrize("what", ["file", "folder"])
def test_nothing_that_is_no_run_is_replaced(shapes, tmp_path, what):
    out = tmp_path / "thesis"
    if what == "file":
        out.write_text("years of work")
    else:
        out.mkdir()
        (out / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="exists and is no run; choose another name"):
        fit(shapes, out=out, recipe=tiny(), overwrite=True)
    assert "years of work" in (out if what == "file" else out / "thesis.tex").read_text()


def test_an_empty_folder_may_become_a_run(shapes, tmp_path):
    out = tmp_path / "run"
    out.mkdir()
    fit(shapes, out=out, recipe=tiny(sets=QUICK, pairs=None))
    assert fw.load(out).has_sets


def test_two_at_once_do_not_meet(shapes, tmp_path):
    with (
        locked(tmp_path / "run"),
        pytest.raises(FacetwiseError, match="is being built by another process"),
    ):
        fit(shapes, out=tmp_path / "run", recipe=tiny())


# -- what the collection has labels for ---------------------------------------------------------


def trained(path, change, n=40, **tables):
    out = path / "run"
    fit(make(path, n, change), out=out, recipe=tiny(**{"sets": QUICK, **tables}))
    return fw.load(out)


def test_only_texts_train_only_sets(tmp_path):
    model = trained(tmp_path, only_texts)
    assert (model.has_sets, model.has_pairs, model.conditions) == (True, False, ())
    with pytest.raises(InputError, match="no pair model; fit it on groups or attributes"):
        model.pair_scores(torch.zeros(1, 2), torch.zeros(1, 2))


def test_only_groups_train_free_conditions(tmp_path):
    model = trained(tmp_path, only_groups, n=90)
    assert (model.has_sets, [c.name for c in model.conditions]) == (False, ["free 1", "free 2"])
    with pytest.raises(InputError, match="no set model; fit it on a collection with texts"):
        model.encode_texts(["a red circle"])
    with pytest.raises(InputError, match="no set model"):
        model.encode_images([])


def test_no_condition_at_all_is_refused_with_the_way_out(tmp_path):
    with pytest.raises(InputError, match="free = 1 or more"):
        trained(tmp_path, only_groups, n=90, pairs={**SMALL["pairs"], "free": 0})


def test_only_attributes_train_a_condition_for_each(tmp_path):
    model = trained(tmp_path, only_attributes)
    names = [c.name for c in model.conditions if c.supervised]
    assert names == ["shape", "colour", "size", "background", "outlined"]
    assert not model.has_sets


def test_one_group_alone_tells_nothing_apart(tmp_path):
    one = make(tmp_path, change=lambda item: replace(only_groups(item), group="things"))
    with pytest.raises(InputError, match="no groups or attributes of which several share one"):
        fit(one, out=tmp_path / "run", recipe=tiny())
    assert not (tmp_path / "run").exists()


def test_one_group_gives_way_to_attributes(tmp_path):
    model = trained(tmp_path, lambda item: replace(item, texts=(), group="things"))
    assert model.has_pairs


def test_groups_of_one_item_each_give_way_to_attributes(tmp_path):
    assert trained(tmp_path, lambda item: replace(item, texts=(), group=item.id)).has_pairs


def test_ten_items_are_enough(tmp_path):
    model = trained(tmp_path, lambda item: item, n=10, data={"test": 0})
    assert (model.has_sets, model.has_pairs) == (True, True)
    x = model.encode_images([shape.image for shape in shapes(2)])
    assert torch.isfinite(model.similarity(x, model.encode_texts(["", "a red circle"]))).all()


def test_items_may_lack_texts_groups_and_attributes(tmp_path):
    def some(item):
        number = int(item.id[-2:])
        if number % 4 == 0:
            return replace(item, texts=())
        if number % 4 == 1:
            return replace(item, group=None, texts=("one", *item.texts, " "))
        return replace(item, attributes={}) if number % 4 == 2 else item

    model = trained(tmp_path, some, n=60)
    assert (model.has_sets, model.has_pairs) == (True, True)


def test_pictures_that_are_all_alike_are_refused(tmp_path):
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, "PNG")
    alike = make(tmp_path, change=lambda i: replace(only_groups(i), image=file.getvalue()), n=90)
    with pytest.raises(InputError, match="training pictures that differ"):
        fit(alike, out=tmp_path / "run", recipe=tiny(data={"test": 0}))


def test_texts_on_pictures_that_are_all_alike_are_no_traceback(tmp_path):
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, "PNG")
    data = [file.getvalue() + bytes([number]) for number in range(20)]  # the same, in other files
    alike = make(tmp_path, 20, lambda i: replace(only_texts(i), image=data[int(i.id[-2:])]))
    model = fit(alike, out=tmp_path / "run", recipe=tiny(data={"test": 0}))
    assert torch.isfinite(model.encode_images([data[0]])).all()


def test_nothing_to_learn_from_says_why(tmp_path):
    bare = make(tmp_path, change=lambda item: Item(item.id, item.image))
    with pytest.raises(InputError, match=r"few\.collection: nothing to learn from on \d+ training"):
        fit(bare, out=tmp_path / "run", recipe=tiny())


def test_texts_in_other_languages_are_named(tmp_path):
    german = make(tmp_path, change=lambda i: replace(only_texts(i), languages=("de", "de")))
    with pytest.raises(InputError, match=r"0 of them differ in their texts \(others are in de: da"):
        fit(german, out=tmp_path / "run", recipe=tiny())
    data = {"languages": ["de"], "test": 0}
    assert fit(german, out=tmp_path / "run", recipe=tiny(sets=QUICK, data=data)).has_sets


def test_everything_held_out_is_refused(shapes, tmp_path):
    with pytest.raises(InputError, match=r"nothing is left to train on; lower data\.test"):
        fit(shapes, out=tmp_path / "run", recipe=tiny(data={"test": 1}))


def test_a_siamese_run_is_kept_like_any_other(shapes, tmp_path):
    pairs = {"model": "siamese", "dim": 8, "training": SMALL["pairs"]["training"]}
    model = fit(shapes, out=tmp_path / "run", recipe=tiny(pairs=pairs))
    assert [c.name for c in model.conditions] == ["similarity"]
    assert load(tmp_path / "run").fingerprint == model.fingerprint


def test_overrides_go_with_a_name(shapes, tmp_path):
    with pytest.raises(InputError, match="overrides go with a recipe's name or file"):
        fit(shapes, out=tmp_path / "run", recipe=tiny(), overrides={"data.test": 0})
