from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from facetwise.encoders import MiniLM, masked_mean
from facetwise.encoders.minilm import WIDTH
from facetwise.errors import InputError

TEXTS = ["a dog", "a puppy", "a car", "", "a very long sentence about a red circle above a square"]


@pytest.fixture(scope="module")
def encoder():
    return MiniLM()


@pytest.fixture(scope="module")
def features(encoder):
    return encoder.encode(TEXTS)


def test_features_have_their_shapes(features):
    longest = max(map(len, features.words))
    assert features.tokens.shape == (5, longest, WIDTH)
    assert features.tokens.dtype == torch.float16
    assert features.mask.sum(1).tolist() == [len(words) for words in features.words]
    assert (features.tokens[~features.mask] == 0).all()
    assert features.words[0] == ["[CLS]", "a", "dog", "[SEP]"]
    assert features.words[3] == ["[CLS]", "[SEP]"]


def test_meaning_is_near(features):
    """Mean pooling and cosine, as the model was made for: a puppy is a dog, a car is none."""
    x = F.normalize(masked_mean(features.tokens, features.mask), dim=1)
    dog, puppy, car = x[:3]
    assert dog @ puppy > 0.6
    assert dog @ puppy > dog @ car + 0.2


def test_a_texts_features_do_not_depend_on_its_company(encoder, features):
    for index, text in enumerate(TEXTS):
        alone = encoder.encode([text])
        together = features.tokens[index, : alone.tokens.shape[1]]
        torch.testing.assert_close(alone.tokens[0], together, atol=2e-3, rtol=1e-2)


def test_upper_case_is_lower_case(encoder):
    a, b = encoder.encode(["A Red CIRCLE", "a red circle"]).tokens
    assert torch.equal(a, b)


def test_long_texts_are_cut(encoder):
    assert encoder.encode(["word " * 500]).tokens.shape[1] == 64
    short = MiniLM(8)
    assert short.words(["word " * 500]) == [["[CLS]", *["word"] * 6, "[SEP]"]]
    assert short.fingerprint != encoder.fingerprint


def test_no_texts_have_no_features(encoder):
    tokens, mask, words = encoder.encode([])
    assert (tokens.shape, mask.shape, words) == ((0, 0, WIDTH), (0, 0), [])
    assert encoder.words([]) == []


@pytest.mark.parametrize("most", [0, 3, 513])
def test_lengths_that_do_not_fit_are_refused(most):
    with pytest.raises(InputError, match=f"from 4 to 512, not {most}"):
        MiniLM(most)
