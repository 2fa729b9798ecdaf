from __future__ import annotations

import pytest

from facetwise.encoders import WordIds, vocabulary_of
from facetwise.encoders.words import END, MARKERS, MASK, PAD, START, UNKNOWN, words_of
from facetwise.errors import InputError

TEXTS = ["A red circle.", "a star", "", "a red, RED star"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("  \n ", []),
        ("Two dogs", ["two", "dogs"]),
        ("don't can't won't", ["do", "n't", "ca", "n't", "wo", "n't"]),
        ("the dog's, the dogs'", ["the", "dog", "'s", ",", "the", "dogs", "'"]),
        ("We’re it's I'd", ["we", "'re", "it", "'s", "i", "'d"]),
        ("a t-shirt - blue/white", ["a", "t-shirt", "-", "blue", "/", "white"]),
        ("1,000 of 3.5", ["1,000", "of", "3.5"]),
        ("flag_of_chad", ["flag", "of", "chad"]),
        ("Cafe\N{COMBINING ACUTE ACCENT} caf\N{LATIN SMALL LETTER E WITH ACUTE}", ["café"] * 2),
        ("[PAD] <unk>", ["[", "pad", "]", "<", "unk", ">"]),
    ],
)
def test_texts_are_cut_into_words(text, words):
    assert words_of(text) == words


def test_the_vocabulary_is_ordered_by_count_then_by_the_alphabet():
    assert vocabulary_of(TEXTS) == ("a", "red", "star", ",", ".", "circle")
    assert vocabulary_of(reversed(TEXTS)) == vocabulary_of(TEXTS)
    assert vocabulary_of(TEXTS, least=2) == ("a", "red", "star")
    assert vocabulary_of([]) == ()


def test_numbers_stand_between_start_and_end():
    words = WordIds(vocabulary_of(TEXTS, least=2))
    ids, mask, read = words.encode(["a red square", ""])
    assert ids.tolist() == [[START, 5, 6, UNKNOWN, END], [START, END, PAD, PAD, PAD]]
    assert mask.sum(1).tolist() == [5, 2]
    assert read == [["[START]", "a", "red", "[UNK]", "[END]"], ["[START]", "[END]"]]
    assert words.words(["", "a"]) == [["[START]", "[END]"], ["[START]", "a", "[END]"]]
    assert words.width == 0
    assert words.encode([]).tokens.shape == (0, 0)


def test_long_texts_are_cut_and_keep_their_end():
    words = WordIds(("a",), max_tokens=6)
    assert words.encode(["a " * 50]).tokens.tolist() == [[START, 5, 5, 5, 5, END]]
    with pytest.raises(InputError, match="from 4 to 512, not 3"):
        WordIds((), max_tokens=3)


def test_marks_are_all_that_is_no_word():
    words = WordIds(("a", "b"))
    assert words.marks == (len(MARKERS) + 2, (0, 1, 2, 3, 4), UNKNOWN, MASK)


def test_the_fingerprint_tells_vocabularies_apart():
    prints = {
        WordIds(vocabulary, most).fingerprint
        for vocabulary, most in [((), 64), (("a",), 64), (("a", "b"), 64), (("b", "a"), 64)]
    }
    assert len(prints | {WordIds(("a",), 32).fingerprint}) == 5
    assert WordIds(("a",)).fingerprint == WordIds(("a",)).fingerprint
