import dataclasses
import shutil

import pytest
import torch

from facetwise.data import Collection, Item
from facetwise.errors import (
    FacetwiseError,
    InputError,
    ModelMismatchError,
    VersionError,
)
from facetwise.search import Index, build, store
from facetwise.search.store import About, Vectors, thumbnail

TEXT = "a red circle on white"


@pytest.fixture
def copy(index, tmp_path):
    shutil.copytree(index.path, tmp_path / "copy.index")
    return tmp_path / "copy.index"


def test_what_was_built_is_what_is_opened(index, model):
    opened = Index.open(index.path, model)
    assert len(opened) == 90
    assert opened.search(TEXT) == index.search(TEXT)
    assert opened.name == "shapes"
    assert opened.about == index.about


def test_an_index_can_be_moved_and_does_without_its_collection(copy, model, index):
    assert (copy / "model" / "model.txt").read_text() == model.fingerprint
    assert Index.open(copy, model).search(TEXT) == index.search(TEXT)


def test_vectors_are_the_models_at_full_precision(index, model, collection, monkeypatch):
    embedding = model.embed_collection(collection, range(90))
    for tile in (store.TILE, 7):
        monkeypatch.setattr(store, "TILE", tile)
        vectors = Vectors(index.path, index.about)
        assert torch.equal(torch.cat(vectors.sets), embedding.sets)
        assert torch.equal(vectors.set(89), embedding.sets[89])
        assert torch.equal(vectors.pairs, embedding.pairs)
        torch.testing.assert_close(vectors.attention(3), embedding.attention[3], atol=1e-3, rtol=0)


def test_batches_make_no_difference(tmp_path, index, model, collection, monkeypatch):
    monkeypatch.setattr(build, "_BATCH", 8)
    other = Index.build(model, collection, tmp_path / "other.index")
    assert other.search(TEXT, k=90) == index.search(TEXT, k=90)
    assert [other.item(id) for id in other.ids[:3]] != []


def test_an_index_is_replaced_only_when_told_to(copy, make_model, collection):
    other = make_model(seed=1)
    with pytest.raises(InputError, match="exists"):
        Index.build(other, collection, copy)
    Index.build(other, collection, copy, overwrite=True)
    assert Index.open(copy, other).about.fingerprint == other.fingerprint


def test_a_folder_that_is_no_index_is_never_overwritten(tmp_path, model, collection):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("keep me")
    with pytest.raises(InputError, match=r"index\.toml"):
        Index.build(model, collection, tmp_path / "letters", overwrite=True)
    assert (tmp_path / "letters" / "dear.txt").read_text() == "keep me"


@pytest.mark.parametrize(
    ("failure", "raised"),
    [
        (KeyboardInterrupt(), KeyboardInterrupt),
        (OSError(28, "No space left on device"), FacetwiseError),
        (RuntimeError("lance error: LanceError(IO): No space left on device"), FacetwiseError),
    ],
)
def test_what_ends_a_build_early_leaves_the_old_index(
    copy, make_model, model, collection, monkeypatch, failure, raised
):
    monkeypatch.setattr(build, "_BATCH", 16)
    other = make_model(seed=1)
    embed = other.embed_collection

    def failing(collection, rows):
        if rows[0] >= 32:
            raise failure
        return embed(collection, rows)

    other.embed_collection = failing
    before = sorted(copy.parent.iterdir())
    with pytest.raises(raised):
        Index.build(other, collection, copy, overwrite=True)
    assert sorted(copy.parent.iterdir()) == before
    assert len(Index.open(copy, model).search(TEXT, k=90)) == 90


def test_another_model_is_refused(copy, make_model):
    with pytest.raises(ModelMismatchError, match="leave the model out"):
        Index.open(copy, make_model(seed=1))


def test_an_index_of_a_newer_version_is_refused(copy):
    text = (copy / "index.toml").read_text()
    (copy / "index.toml").write_text(text.replace("format = 1", "format = 2"))
    with pytest.raises(VersionError, match="pip install --upgrade"):
        Index.open(copy)


@pytest.mark.parametrize("text", ["format = 1\n", "not toml", "format = 1\nitems = 1\nmore = 2\n"])
def test_a_damaged_index_says_so(copy, text):
    (copy / "index.toml").write_text(text)
    with pytest.raises(InputError, match="build the index again"):
        Index.open(copy)


def test_what_is_no_index_says_so(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        Index.open(tmp_path / "none.index")
    with pytest.raises(InputError, match="is no index"):
        Index.open(tmp_path)


def test_missing_vectors_say_so(copy, model):
    shutil.rmtree(copy / "vectors.lance")
    with pytest.raises(InputError, match="vectors"):
        Index.open(copy, model).search(TEXT)


def test_about_is_read_as_it_was_written(tmp_path):
    about = About("abc", 'a "name"', "here/äöü", 3, 5, [4, 256], [6, 6], 128, {"a b": "one"})
    about.write(tmp_path)
    assert About.read(tmp_path) == about
    assert dataclasses.asdict(about)["attributes"] == {"a b": "one"}


def test_large_pictures_become_small_ones(tmp_path):
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (900, 600), "red").save(file, "PNG")
    small = Image.open(io.BytesIO(thumbnail(file.getvalue(), source="")))
    assert small.size == (256, 171)
    assert small.format == "JPEG"
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>'
    assert thumbnail(svg, source="").startswith(b"\xff\xd8\xff")


def test_a_user_column_with_an_odd_name_can_be_filtered(tmp_path, model, collection):
    items = [
        Item(str(n), collection.image_bytes([n])[0], ("x",), extras={"Price in €": float(n)})
        for n in range(4)
    ]
    odd = Collection.create(tmp_path / "odd.collection", items)
    index = Index.build(model, odd, tmp_path / "odd.index")
    assert {hit.id for hit in index.search(TEXT, where="`Price in €` > 1.5")} == {"2", "3"}
