"""Captions changed at random while training: words masked, replaced or left out.

Whole batches at once, from an explicit generator; what is left moves up, so that a mask stays a
row of true values followed by false ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

__all__ = ["Marks", "augment_texts", "drop_caption", "drop_tokens", "drop_words", "word_parts"]


class Marks(NamedTuple):
    """Which numbers of tokens are no words."""

    size: int
    """Of the vocabulary, with all of these."""
    special: tuple[int, ...]
    """Padding, start, end and the like: never touched, and no replacement."""
    unknown: int | None
    """Stands for words that are not in the vocabulary."""
    mask: int | None
    """Stands for a hidden word; some vocabularies (CLIP's) have none."""


def drop_words(
    ids: Tensor,
    mask: Tensor,
    *,
    share: float = 0.2,
    mask_id: int | None,
    vocabulary_size: int,
    special_ids: Sequence[int],
    generator: torch.Generator,
    continues: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Each word is hit with probability `share`: 50% of these become the mask, 10% a random word,
    40% are deleted (METHODS 2.7 and 3.2; DivE and VSE-infinity).

    Args:
        ids: (B, L) int64.
        mask: (B, L), true where there is a token.
        share: of the words that are hit.
        mask_id: the number of the mask; None deletes what would become it.
        vocabulary_size: random words are below it.
        special_ids: are never hit, and never a random word. (DivE's code draws these, too.)
        generator: of the randomness.
        continues: (B, L), true where a token goes on the word before it: the parts of a word are
            hit together, as in VSE-infinity's code for BERT. Each token is a word if None.

    Returns:
        ids (B, L') and mask (B, L') with L' <= L. A text that would lose all tokens keeps them.
    """
    special = _in(ids, special_ids)
    roll = _random(ids, generator)
    if continues is not None:
        # The number of the word that a token belongs to; special tokens stand alone.
        word = (~continues | special).long().cumsum(1) - 1
        roll = roll.gather(1, word.clamp_min(0))
    hit = mask & ~special & (roll < share)
    kind = roll / max(share, 1e-12)
    masked, replaced = hit & (kind < 0.5), hit & (kind >= 0.5) & (kind < 0.6)
    deleted = hit & (kind >= 0.6)
    if mask_id is None:
        deleted = deleted | masked
    else:
        ids = torch.where(masked, mask_id, ids)
    words = torch.ones(vocabulary_size, dtype=torch.bool)
    words[[number for number in special_ids if number < vocabulary_size]] = False
    words = words.nonzero()[:, 0]
    if len(words):
        at = _random(ids, generator, high=len(words))
        ids = torch.where(replaced, words.to(ids.device)[at], ids)
    return _kept(ids, mask, mask & ~deleted)


def drop_caption(
    ids: Tensor,
    mask: Tensor,
    *,
    share: float = 0.1,
    unknown_id: int,
    special_ids: Sequence[int],
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """PCME's caption drop (METHODS 3.5): each word becomes the unknown word with probability
    `share`, and then the `share` of the words, rounded down, is removed.

    Args:
        ids: (B, L) int64.
        mask: (B, L), true where there is a token.
        share: of both.
        unknown_id: the number of the unknown word.
        special_ids: start and end and the like; they are no words.
        generator: of the randomness.

    Returns:
        ids (B, L') and mask (B, L') with L' <= L.
    """
    words = mask & ~_in(ids, special_ids)
    ids = torch.where(words & (_random(ids, generator) < share), unknown_id, ids)
    count = (words.sum(1, keepdim=True).double() * share).long()
    order = _random(ids, generator).masked_fill(~words, 2.0).argsort(1).argsort(1)
    return _kept(ids, mask, mask & ~(words & (order < count)))


def drop_tokens(
    tokens: Tensor, mask: Tensor, *, share: float = 0.2, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Frozen features of tokens: each is deleted with probability `share`.

    Only deletion: the features of a mask or of another word in this place would need the encoder
    again. It is the weaker augmentation, because its neighbours' features still tell of a token.

    Args:
        tokens: (B, L, C).
        mask: (B, L), true where there is a token.
        share: of the tokens that are deleted.
        generator: of the randomness.

    Returns:
        tokens (B, L', C) and mask (B, L') with L' <= L. A text that would lose all keeps them.
    """
    return _kept(tokens, mask, mask & (_random(mask, generator) >= share))


def augment_texts(
    tokens: Tensor,
    mask: Tensor,
    *,
    how: Literal["words", "caption"],
    share: float,
    marks: Marks | None,
    generator: torch.Generator,
    continues: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """What fits a batch of texts: numbers of tokens, or frozen features of them.

    Args:
        tokens: (B, L) int64, or (B, L, C) features.
        mask: (B, L), true where there is a token.
        how: `drop_words` or `drop_caption`; frozen features know only `drop_tokens`.
        share: of the words that are hit.
        marks: of the encoder; needed for numbers.
        generator: of the randomness.
        continues: as in `drop_words`.

    Returns:
        tokens and mask, as they were given but for their length.
    """
    if tokens.is_floating_point() or marks is None:
        return drop_tokens(tokens, mask, share=share, generator=generator)
    if how == "caption" and marks.unknown is not None:
        return drop_caption(
            tokens,
            mask,
            share=share,
            unknown_id=marks.unknown,
            special_ids=marks.special,
            generator=generator,
        )
    return drop_words(
        tokens,
        mask,
        share=share,
        mask_id=marks.mask,
        vocabulary_size=marks.size,
        special_ids=marks.special,
        generator=generator,
        continues=continues,
    )


def word_parts(words: Sequence[Sequence[str]]) -> Tensor:
    """`continues` of `drop_words` for the tokens of an encoder (``##`` begins a part of a word).

    >>> word_parts([["[CLS]", "snow", "##man", "[SEP]"], ["[CLS]", "[SEP]"]]).long()
    tensor([[0, 0, 1, 0],
            [0, 0, 0, 0]])
    """
    length = max(map(len, words), default=0)
    rows = [
        [token.startswith("##") for token in row] + [False] * (length - len(row)) for row in words
    ]
    return torch.tensor(rows, dtype=torch.bool).reshape(len(rows), length)


def _random(like: Tensor, generator: torch.Generator, high: int = 0) -> Tensor:
    """Of the shape of `like`: numbers from 0 to 1, or whole numbers below `high`."""
    shape, device = like.shape, generator.device
    if high:
        return torch.randint(high, shape, generator=generator, device=device).to(like.device)
    return torch.rand(shape, generator=generator, device=device).to(like.device)


def _in(ids: Tensor, special: Sequence[int]) -> Tensor:
    return torch.isin(ids, torch.tensor(list(special), dtype=ids.dtype, device=ids.device))


def _kept(x: Tensor, mask: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
    """The kept tokens of each row moved up, the rest 0; all of a row that would lose everything."""
    keep = torch.where(keep.any(1, keepdim=True), keep, mask)
    lengths = keep.sum(1, keepdim=True)
    longest = int(lengths.max()) if len(lengths) else 0
    order = (~keep).long().argsort(dim=1, stable=True)[:, :longest]
    moved = torch.arange(longest, device=mask.device) < lengths
    row = torch.arange(len(x), device=x.device)[:, None]
    hide = ~moved if x.dim() == 2 else ~moved[..., None]
    return x[row, order].masked_fill(hide, 0), moved
