"""Features that are computed once: what comes out of the cache is what the encoder gave."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace

import pytest
import torch
from PIL import Image

from facetwise.data import Collection
from facetwise.data.synthetic import shapes, shapes_collection
from facetwise.encoders import (
    LiteEncoder,
    MiniLM,
    cache,
    image_features,
    text_features,
)
from facetwise.errors import FacetwiseError, InputError

TEXTS = ["a red circle", "", "a green square left of a yellow star on a grey background", "a star"]


class Counting(LiteEncoder):
    """Remembers how many pictures it was given at a time; Ctrl-C after so many times."""

    def __init__(self, interrupt_after=None):
        super().__init__(64)
        object.__setattr__(self, "batches", [])
        object.__setattr__(self, "interrupt_after", interrupt_after)

    def encode(self, prepared):
        if len(self.batches) == self.interrupt_after:
            raise KeyboardInterrupt
        self.batches.append(len({picture.numpy().tobytes() for picture in prepared}))
        return super().encode(prepared)


@pytest.fixture(scope="module")
def encoder():
    return LiteEncoder(64)


@pytest.fixture(scope="module")
def words():
    return MiniLM()


@pytest.fixture(scope="module")
def uncached(encoder):
    """The 20 shapes as the encoder sees them, all at once."""
    pictures = [Image.open(io.BytesIO(item.image)).convert("RGB") for item in shapes(20)]
    return encoder.encode([encoder.prepare(picture) for picture in pictures])


@pytest.fixture
def collection(tmp_path):
    return shapes_collection(tmp_path / "shapes.collection", n=20)


def equal(a, b):
    return torch.equal(a.grid, b.grid) and torch.equal(a.pooled, b.pooled)


def test_cached_features_are_the_encoders(collection, encoder, uncached):
    assert equal(image_features(collection, encoder, range(20)), uncached)
    assert equal(image_features(collection, encoder, range(20)), uncached)


def test_rows_come_in_the_order_asked_and_may_repeat(collection, encoder, uncached):
    rows = [7, 3, 3, 19, 0]
    image_features(collection, encoder, range(20))
    found = image_features(collection, encoder, rows)
    assert torch.equal(found.grid, uncached.grid[rows])
    assert torch.equal(found.pooled, uncached.pooled[rows])
    nothing = image_features(collection, encoder, [])
    assert (nothing.grid.shape, nothing.pooled.shape) == ((0, 1280, 2, 2), (0, 1560))


def test_nothing_is_computed_twice(collection):
    counting = Counting()
    image_features(collection, counting, [5, 6, 5])
    image_features(collection, counting, range(10))
    image_features(Collection.open(collection.path), counting, range(10))
    assert counting.batches == [2, 8]


def test_an_interrupted_run_goes_on_where_it_stopped(collection, encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "_BATCH", 6)
    with pytest.raises(KeyboardInterrupt):
        image_features(collection, Counting(interrupt_after=2), range(20))
    counting = Counting()
    resumed = image_features(collection, counting, range(20))
    assert counting.batches == [6, 2]
    other = shapes_collection(tmp_path / "other.collection", n=20)
    assert equal(resumed, image_features(other, encoder, range(20)))


def test_a_changed_picture_is_computed_anew_and_the_others_are_not(collection, encoder, uncached):
    image_features(collection, encoder, range(20))
    items = list(shapes(21))
    items[4] = replace(items[4], image=items[20].image)
    changed = Collection.create(collection.path, items[:20], overwrite=True)
    counting = Counting()
    found = image_features(changed, counting, range(20))
    assert counting.batches == [1]
    assert not torch.equal(found.pooled[4], uncached.pooled[4])
    assert torch.equal(found.pooled[5], uncached.pooled[5])


def test_equal_pictures_are_computed_once(tmp_path):
    items = [replace(item, image=next(shapes(1)).image) for item in shapes(5)]
    counting = Counting()
    found = image_features(Collection.create(tmp_path / "a", items), counting, range(5))
    assert counting.batches == [1]
    assert (found.pooled == found.pooled[0]).all()


def test_each_size_has_a_cache_of_its_own(collection, encoder):
    a = image_features(collection, encoder, range(3))
    b = image_features(collection, LiteEncoder(96), range(3))
    assert (a.grid.shape[2:], b.grid.shape[2:]) == ((2, 2), (3, 3))
    assert len(list(collection.path.glob("features-efficientnet-lite0-*.lance"))) == 2


def test_texts_are_the_encoders(collection, words):
    found = text_features(collection, words, TEXTS)
    given = words.encode(TEXTS)
    assert torch.equal(found.mask, given.mask)
    assert found.words == given.words
    torch.testing.assert_close(found.tokens, given.tokens, atol=2e-3, rtol=1e-2)
    again = text_features(Collection.open(collection.path), words, TEXTS)
    assert torch.equal(found.tokens, again.tokens)


def test_texts_come_in_the_order_asked_and_may_repeat(collection, words, monkeypatch):
    found = text_features(collection, words, TEXTS)
    monkeypatch.setattr(MiniLM, "encode", None)  # nothing is computed again
    order = [3, 0, 0]
    some = text_features(collection, words, [TEXTS[i] for i in order])
    longest = some.mask.shape[1]
    assert torch.equal(some.tokens, found.tokens[order, :longest])
    assert torch.equal(some.mask, found.mask[order, :longest])
    assert text_features(collection, words, []).tokens.shape == (0, 0, 384)


def test_what_a_process_left_that_died_making_the_cache_is_made_anew(collection, encoder, uncached):
    image_features(collection, encoder, range(20))
    (folder,) = collection.path.glob("features-*.lance")
    shutil.rmtree(folder / "_versions")
    assert equal(image_features(collection, encoder, range(20)), uncached)


@pytest.mark.parametrize("what", ["_versions", "data"])
def test_a_damaged_cache_is_named(collection, encoder, what):
    image_features(collection, encoder, range(20))
    (folder,) = collection.path.glob("features-*.lance")
    for file in (folder / what).iterdir():
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(FacetwiseError, match=r"features-efficient.* is damaged .* delete it"):
        image_features(Collection.open(collection.path), encoder, range(20))


def test_a_missing_data_file_is_named(collection, encoder):
    image_features(collection, encoder, range(20))
    (folder,) = collection.path.glob("features-*.lance")
    shutil.rmtree(folder / "data")
    with pytest.raises(FacetwiseError, match=r"features-efficient.* is damaged .* delete it"):
        image_features(Collection.open(collection.path), encoder, range(20))


def test_a_collection_that_cannot_be_written_serves_what_is_cached(
    collection, encoder, monkeypatch
):
    first = image_features(collection, encoder, range(10))
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert equal(image_features(collection, encoder, range(10)), first)
    for ask in (
        lambda: image_features(collection, encoder, range(20)),
        lambda: text_features(collection, MiniLM(), ["a red circle"]),
    ):
        with pytest.raises(InputError, match="is read-only, and not all features"):
            ask()


def test_what_is_kept_does_not_depend_on_its_company(collection, encoder, words, tmp_path):
    """So a run is the same whatever was computed before it, and in whatever pieces."""
    whole = image_features(collection, encoder, range(20))
    texts = sorted({text for own in collection.texts for text in own})
    every = text_features(collection, words, texts)
    other = shapes_collection(tmp_path / "other.collection", n=20)
    for rows in ([19], range(3, 9), [7, 2]):
        image_features(other, encoder, rows)
    for some in (texts[5:6], texts[::3], texts[:4]):
        text_features(other, words, some)
    assert equal(image_features(other, encoder, range(20)), whole)
    assert torch.equal(text_features(other, words, texts).tokens, every.tokens)
