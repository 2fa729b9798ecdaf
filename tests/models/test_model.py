"""What a model does with pictures and texts, however they come."""

from __future__ import annotations

import io

import pytest
import torch
from PIL import Image

from facetwise.encoders import EncoderConfig, Encoders
from facetwise.errors import InputError
from facetwise.models import Model
from facetwise.similarity import NamedSimilarity

from .conftest import make

TEXTS = ["a red circle", "", "a small blue star right of a green cross on a pink background"]


def test_a_model_holds_something():
    with pytest.raises(InputError, match="a set model or a pair model"):
        Model(Encoders(), sets=None, pairs=None)


def test_what_it_is(model):
    assert (model.has_sets, model.has_pairs, model.K, model.dim) == (True, True, 3, 32)
    assert [c.name for c in model.conditions] == ["colour", "shape", "free 1", "free 2"]
    assert model.pair_similarity is model.pairs.conditional
    assert model.similarity_spec == NamedSimilarity("smooth_chamfer", {"alpha": 16.0})
    assert repr(model) == f"Model(DivE and PAN, {model.fingerprint[:12]})"
    assert not any(p.requires_grad for p in [*model.sets.parameters(), *model.pairs.parameters()])
    assert not model.sets.training and not model.pairs.training


def test_paths_bytes_and_pictures_are_one(model, few, tmp_path):
    (data,) = few.image_bytes([3])
    path = tmp_path / "a.png"
    path.write_bytes(data)
    # all in one batch: alone, a picture's last bits may differ
    x = model.encode_images([path, str(path), data, Image.open(path), few.images([3])[0]])
    assert all(torch.equal(x[0], other) for other in x)


def test_transparency_is_white_and_pictures_stand_upright_however_they_come(model):
    clear = Image.new("RGBA", (64, 32), (0, 0, 0, 0))
    clear.paste((255, 0, 0, 255), (0, 0, 16, 32))
    file = io.BytesIO()
    clear.save(file, "PNG")
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    turned = io.BytesIO()
    clear.convert("RGB").save(turned, "JPEG", exif=exif)
    x = model.encode_images([clear, file.getvalue(), Image.open(turned), turned.getvalue()])
    assert torch.equal(x[0], x[1])
    assert torch.equal(x[2], x[3])


def test_embeddings_have_their_shapes(model, few):
    embedding = model.embed_images(few.images(range(5)))
    assert embedding.sets.shape == (5, 3, 32)
    assert embedding.attention.shape == (5, 3, 2, 2)
    assert embedding.pairs.shape == (5, model.pairs.dim)
    torch.testing.assert_close(embedding.sets.norm(dim=-1), torch.ones(5, 3))
    torch.testing.assert_close(embedding.attention.sum((2, 3)), torch.ones(5, 3))


def test_cached_and_uncached_pictures_are_the_same(model, few):
    rows = [4, 2, 17]
    cached = model.embed_collection(few, rows)
    given = model.embed_images(few.images(rows))
    for a, b in zip(cached, given, strict=True):
        torch.testing.assert_close(a, b, atol=2e-3, rtol=1e-2)
    everything = model.embed_collection(few)
    assert everything.sets.shape[0] == 20
    assert torch.equal(model.embed_collection(few, range(20)).sets, everything.sets)


def test_cached_and_uncached_texts_are_the_same(model, few):
    given, cached = model.embed_texts(TEXTS), model.embed_texts(TEXTS, cached_in=few)
    torch.testing.assert_close(cached.sets, given.sets, atol=2e-3, rtol=1e-2)
    assert cached.tokens == given.tokens
    assert given.sets.shape == (3, 3, 32)
    assert [len(words) for words in given.tokens] == [a.shape[1] for a in given.attention]
    for attention in given.attention:
        torch.testing.assert_close(attention.sum(1), torch.ones(3))
    assert torch.equal(model.encode_texts(TEXTS), given.sets)


def test_more_than_a_batch_is_the_same_as_one_by_one(model, few, monkeypatch):
    whole = model.embed_collection(few)
    texts = model.encode_texts(TEXTS * 3)
    pictures = model.encode_images(few.images(range(20)))
    monkeypatch.setattr("facetwise.models.model._BATCH", 6)
    monkeypatch.setattr("facetwise.models.model._PICTURES", 6)
    for a, b in (
        *zip(model.embed_collection(few), whole, strict=True),
        (model.encode_texts(TEXTS * 3), texts),
        (model.encode_images(few.images(range(20))), pictures),
    ):
        torch.testing.assert_close(a, b, atol=1e-3, rtol=1e-2)


def test_nothing_in_nothing_out(model, few):
    assert model.encode_images([]).shape == (0, 3, 32)
    assert model.encode_texts([]).shape == (0, 3, 32)
    assert model.embed_collection(few, []).pairs.shape == (0, model.pairs.dim)
    assert model.similarity(model.encode_images([]), model.encode_texts(TEXTS)).shape == (0, 3)


def test_one_text_or_picture_must_be_in_a_list(model, tmp_path):
    """A string is a sequence of strings, and would be read letter by letter."""
    with pytest.raises(InputError, match=r"a list of texts, not one text; write \['a red shoe'\]"):
        model.encode_texts("a red shoe")
    for one in ("a.png", b"png", tmp_path / "a.png"):
        with pytest.raises(InputError, match="a list of pictures, not one picture"):
            model.encode_images(one)


def test_pictures_that_cannot_be_read_are_named(model, tmp_path):
    good = Image.new("RGB", (8, 8))
    with pytest.raises(InputError, match=r"gone\.png: No such file or directory; give a picture"):
        model.encode_images([good, tmp_path / "gone.png"])
    with pytest.raises(InputError, match="picture 2 cannot be read as a picture"):
        model.encode_images([good, b"no picture"])
    file = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(file, "PNG")
    (tmp_path / "half.png").write_bytes(file.getvalue()[:2000])
    with (
        Image.open(tmp_path / "half.png") as half,
        pytest.raises(InputError, match="picture 2 is truncated or damaged"),
    ):
        model.encode_images([good, half])


def test_pair_scores_are_pans(model, few):
    h = model.embed_collection(few).pairs
    scores = model.pair_scores(h[:10], h[10:])
    assert scores.conditions.shape == (10, 4)
    torch.testing.assert_close(scores.score, model.pairs.against(h[:10], h[10:]).diagonal())


def test_the_fingerprint_is_of_everything_that_matters(few):
    one = make(few)
    assert make(few).fingerprint == one.fingerprint
    others = [
        make(few, seed=1),
        make(few, kind="vse"),
        make(few, pairs=None),
        make(few, sets=None),
        make(few, groups=("colour", "form")),
        make(),  # other statistics
        Model(Encoders(EncoderConfig(pixels=96)), sets=one.sets, pairs=one.pairs),
        Model(Encoders(EncoderConfig(pixels=64, max_tokens=32)), sets=one.sets, pairs=one.pairs),
    ]
    assert len({other.fingerprint for other in [one, *others]}) == 9


def test_a_set_model_alone_and_a_pair_model_alone(few):
    sets, pairs = make(few, pairs=None), make(few, sets=None)
    assert sets.embed_collection(few, [0]).pairs is None
    assert (sets.conditions, sets.pair_similarity) == ((), None)
    embedding = pairs.embed_collection(few, [0])
    assert (embedding.sets, embedding.attention) == (None, None)
    assert (pairs.K, pairs.dim) == (0, 0)
    for ask in (
        lambda: pairs.encode_texts(["a"]),
        lambda: pairs.encode_images([]),
        lambda: pairs.similarity_spec,
        lambda: pairs.similarity(torch.zeros(1, 1, 2), torch.zeros(1, 1, 2)),
    ):
        with pytest.raises(InputError, match="no set model; fit it on a collection with texts"):
            ask()
