"""Texts to numbers of words, with a vocabulary that is taken from the training texts."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from facetwise.encoders.augment_words import Marks
from facetwise.encoders.features import TextFeatures
from facetwise.encoders.sequences import pad_ids
from facetwise.errors import InputError

__all__ = [
    "END",
    "MARKERS",
    "MASK",
    "PAD",
    "START",
    "UNKNOWN",
    "WordIds",
    "vocabulary_of",
    "words_of",
]

PAD, UNKNOWN, MASK, START, END = range(5)
"""Numbers of the tokens that are no words; the words' numbers follow."""

MARKERS: Final = ("[PAD]", "[UNK]", "[MASK]", "[START]", "[END]")
"""Their names, as `WordIds.words` gives them. The mask is in from the start (METHODS T-48)."""

_APOSTROPHES = str.maketrans("’‘ʼ", "'''")

_WORD: Final = re.compile(
    r"""
    [^\W_]+?(?=n't\b)               # do | n't
    | n't\b
    | '(?:s|re|ve|ll|d|m)\b         # dog | 's
    | \d+(?:[.,]\d+)+               # 3.5
    | [^\W_]+(?:-[^\W_]+)*          # t-shirt
    | [^\w\s]                       # signs, one by one
    """,
    re.VERBOSE,
)


def words_of(text: str) -> list[str]:
    """A text's words in lower case, cut as GloVe's and nltk's are: ``n't``, ``'s`` and the like are
    words, so is every sign; hyphens stay inside words. (For scripts without blanks it is no use.)

    >>> words_of("The dog's T-shirt isn't red, it’s 3.5 sizes_too BIG!")
    ['the', 'dog', "'s", 't-shirt', 'is', "n't", 'red', ',', 'it', "'s", '3.5', 'sizes', 'too',
    'big', '!']
    """
    plain = unicodedata.normalize("NFC", text).lower().translate(_APOSTROPHES)
    return _WORD.findall(plain)


def vocabulary_of(texts: Iterable[str], least: int = 1) -> tuple[str, ...]:
    """The words that occur at least `least` times, the most frequent first, ties by the alphabet.

    >>> vocabulary_of(["a red circle", "a star", "A Circle"])
    ('a', 'circle', 'red', 'star')
    """
    count = Counter(word for text in texts for word in words_of(text))
    kept = [word for word, times in count.items() if times >= least]
    return tuple(sorted(kept, key=lambda word: (-count[word], word)))


@dataclass(frozen=True)
class WordIds:
    """Numbers of words, between a start and an end, as DivE, PVSE and VSE-infinity have them.

    Nothing is computed, so nothing is cached; a `BiGRU` makes features of them.

    Attributes:
        vocabulary: the words it knows.
        max_tokens: longer texts are cut, start and end included.
    """

    vocabulary: tuple[str, ...]
    max_tokens: int = 64

    def __post_init__(self) -> None:
        if not 4 <= self.max_tokens <= 512:
            raise InputError(f"max_tokens must be from 4 to 512, not {self.max_tokens}")

    @property
    def name(self) -> str:
        """Of the encoder; there is no cache."""
        return f"words-{self.max_tokens}"

    @property
    def width(self) -> int:
        """0: its tokens are numbers."""
        return 0

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the vocabulary and of the way texts are cut."""
        said = "\n".join([f"{self.name}/1", *self.vocabulary])
        return hashlib.blake2b(said.encode(), digest_size=16).hexdigest()

    @property
    def marks(self) -> Marks:
        """For `augment_texts`."""
        size = len(MARKERS) + len(self.vocabulary)
        return Marks(size, tuple(range(len(MARKERS))), UNKNOWN, MASK)

    @cached_property
    def _number(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.vocabulary, len(MARKERS))}

    def words(self, texts: Sequence[str]) -> list[list[str]]:
        """The tokens of each text; what is not in the vocabulary is ``[UNK]``."""
        return self.encode(texts).words

    def encode(self, texts: Sequence[str]) -> TextFeatures:
        """Texts -> numbers (M, L); the empty text is its start and its end."""
        number, names = self._number, (*MARKERS, *self.vocabulary)
        rows = [
            [START, *[number.get(w, UNKNOWN) for w in words_of(text)[: self.max_tokens - 2]], END]
            for text in texts
        ]
        return TextFeatures(*pad_ids(rows), [[names[at] for at in row] for row in rows])
