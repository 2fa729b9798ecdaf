"""The text encoder of a recipe, and the tower that goes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from facetwise.encoders.bigru import BiGRU
from facetwise.encoders.features import TextEncoder
from facetwise.encoders.glove import GLOVE_WIDTH, glove_vectors
from facetwise.encoders.minilm import MiniLM
from facetwise.encoders.text_models import LanguageModel
from facetwise.encoders.towers import FrozenTokens, TextTower
from facetwise.encoders.transformers_text import TokenIds, TransformersText, TransformersWords
from facetwise.encoders.words import MARKERS, WordIds
from facetwise.errors import InputError

if TYPE_CHECKING:
    from facetwise.encoders.build import EncoderConfig

__all__ = ["WORD_ENCODERS", "text_encoder", "text_tower"]

WORD_ENCODERS = ("glove", "words")
"""Take their words from the training texts."""


def text_encoder(config: EncoderConfig, vocabulary: tuple[str, ...]) -> TextEncoder:
    """The encoder that `config` names.

    Args:
        config: the recipe's.
        vocabulary: of `WORD_ENCODERS`.
    """
    if config.text in WORD_ENCODERS:
        return WordIds(vocabulary, config.max_tokens)
    tuned = "text" in config.tune
    if config.text == "minilm" and not tuned:
        return MiniLM(config.max_tokens)
    model = LanguageModel(config.text, config.max_tokens)
    return TokenIds(model) if tuned else TransformersText(model, config.text_global == "model")


def text_tower(
    config: EncoderConfig, encoder: TextEncoder, generator: torch.Generator | None = None
) -> TextTower:
    """A new tower for what `encoder`, as `text_encoder` gave it, makes of texts.

    Raises:
        InputError: `text_global` does not go with the encoder.
    """
    how: Any = config.text_global
    if isinstance(encoder, WordIds):
        if how == "usual":
            how = "last"
        _fits(config, ("last", "last_place", "max", "mean"))
        return BiGRU(
            encoder.marks.size,
            width=GLOVE_WIDTH if config.text == "glove" else config.word_width,
            hidden=config.gru_hidden,
            directions=config.gru_directions,
            local=config.text_local,
            pool=how,
            dropout=config.text_dropout,
            vectors=_from_glove(encoder, generator) if config.text == "glove" else None,
            fixed=config.word_vectors == "fixed",
            generator=generator,
        )
    _fits(config, ("mean", "max", "first", "last", "model"))
    if how == "usual" or (how == "model" and config.text == "minilm"):
        how = "mean"  # which is what all-MiniLM-L6-v2 was trained with
    if isinstance(encoder, TokenIds):
        return TransformersWords(encoder.model, pool=how)
    return FrozenTokens(encoder.width, "last" if how == "model" else how)


def _fits(config: EncoderConfig, known: tuple[str, ...]) -> None:
    if config.text_global not in ("usual", *known):
        raise InputError(
            f"[encoders] text_global = {config.text_global!r} does not go with text = "
            f"{config.text!r}; there are usual, {', '.join(known)}"
        )


def _from_glove(encoder: WordIds, generator: torch.Generator | None) -> torch.Tensor:
    """Words that GloVe does not know, and markers, start near zero: they say little at first."""
    size = encoder.marks.size
    vectors = torch.empty(size, GLOVE_WIDTH).uniform_(-0.1, 0.1, generator=generator)
    vectors[0] = 0
    found, known = glove_vectors(encoder.vocabulary)
    vectors[len(MARKERS) :][known] = found[known]
    return vectors
