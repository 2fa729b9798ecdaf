"""Texts through a model of transformers: frozen, with its features on disk, or trained."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor, nn

from facetwise.encoders.augment_words import Marks
from facetwise.encoders.features import TextFeatures
from facetwise.encoders.sequences import Pooling, apart, pad_ids, pool, together
from facetwise.encoders.text_models import LanguageModel, Reading, read_states
from facetwise.encoders.towers import TextTower
from facetwise.errors import InputError

__all__ = ["TokenIds", "TransformersText", "TransformersWords"]

_POOLED = "[POOLED]"


@dataclass(frozen=True)
class TransformersText:
    """A frozen text model: its last hidden states, token by token.

    Attributes:
        model: which.
        pooled: add the model's own pooled output as a last token, ``[POOLED]`` (for SigLIP, whose
            one trained output it is; CLIP's is the state of the last token anyway).
    """

    model: LanguageModel
    pooled: bool = False

    @property
    def name(self) -> str:
        """Of the feature cache."""
        pooled = "-pooled" if self.pooled else ""
        return f"text-{self.model.label}-{self.model.max_tokens}{pooled}"

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the weights, of the way texts are cut, and of what is kept."""
        said = f"{self.name}/1 {self.model.weights_hash} {self.model.tokenizer_hash}"
        return hashlib.blake2b(said.encode(), digest_size=16).hexdigest()

    @cached_property
    def width(self) -> int:
        """Of a token's features."""
        width, pooled = self.model.width, self.model.pooled_width
        if self.pooled and pooled != width:
            what = f"of width {pooled}, its states {width}" if pooled else "none that was trained"
            raise InputError(
                f"{self.model.source}: its pooled output is {what}; choose another text_global"
            )
        return width

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """None of its own."""
        return ()

    def words(self, texts: Sequence[str]) -> list[list[str]]:
        """The tokens of each text, special ones included; cheap, no features are computed."""
        _, words = self.model.cut(texts)
        return [[*row, _POOLED] for row in words] if self.pooled else words

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> TextFeatures:
        """Texts -> their features; the empty text has at least one token."""
        rows, _ = self.model.cut(texts)
        ids, mask = pad_ids(rows)
        words = self.words(texts)
        if not rows:
            nothing = torch.empty(0, 0, self.width, dtype=torch.float16)
            return TextFeatures(nothing, mask, words)
        states, pooled = read_states(self.model.network, ids, mask, self.model.reading)
        if self.pooled:
            assert self.width and pooled is not None
            at = mask.sum(1)
            mask = torch.arange(mask.shape[1] + 1) <= at[:, None]
            states = nn.functional.pad(states, (0, 0, 0, 1))
            states[torch.arange(len(rows)), at] = pooled
        return TextFeatures(states.half(), mask, words)


@dataclass(frozen=True)
class TokenIds:
    """Numbers of a text model's tokens, for a `TransformersWords` that is trained. Not cached.

    Attributes:
        model: whose tokens.
    """

    model: LanguageModel

    @property
    def name(self) -> str:
        """Of the encoder; there is no cache."""
        return f"tokens-{self.model.label}-{self.model.max_tokens}"

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the way texts are cut; the weights are the tower's."""
        said = f"{self.name}/1 {self.model.tokenizer_hash}"
        return hashlib.blake2b(said.encode(), digest_size=16).hexdigest()

    @property
    def width(self) -> int:
        """0: its tokens are numbers."""
        return 0

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """None of its own."""
        return ()

    @property
    def marks(self) -> Marks:
        """For `augment_texts`."""
        return self.model.marks

    def words(self, texts: Sequence[str]) -> list[list[str]]:
        """The tokens of each text, special ones included."""
        return self.model.cut(texts)[1]

    def encode(self, texts: Sequence[str]) -> TextFeatures:
        """Texts -> numbers (M, L); the empty text has at least one token."""
        rows, words = self.model.cut(texts)
        return TextFeatures(*pad_ids(rows), words)


class TransformersWords(TextTower):
    """A whole text model, trained from the weights it comes with; psi are its last hidden states.

    Args:
        model: which; its weights are copied.
        pool: phi: of the states, or the ``model``'s own pooled output (BERT's pooler, CLIP's end of
            text, SigLIP's head).

    Raises:
        InputError: the model has no pooled output that was trained.
    """

    trained = True

    def __init__(self, model: LanguageModel, *, pool: Pooling | Literal["model"] = "mean") -> None:
        super().__init__()
        if pool == "model" and not model.pooled_width:
            raise InputError(
                f"{model.source} has no pooled output that was trained; choose another text_global"
            )
        self.pool = pool
        self.local_width = model.width
        self.global_width = model.pooled_width if pool == "model" else model.width
        self.reading: Reading = model.reading
        self.network = copy.deepcopy(model.network).requires_grad_(True)
        for name in ("pooler", "head"):
            unused = getattr(self.network, name, None)
            if pool != "model" and isinstance(unused, nn.Module):
                unused.requires_grad_(False)  # else weight decay would be all that it learns from

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Numbers of tokens (B, L), mask (B, L) -> psi (B, L, C), 0 where there is none, and phi.

        phi is (B, P), both are float32. What the mask leaves out between tokens counts as deleted.
        """
        tokens, mask, order = together(tokens, mask)
        psi, pooled = read_states(self.network, tokens, mask, self.reading)
        if self.pool != "model":
            pooled = pool(psi, mask, self.pool)
        assert pooled is not None
        return apart(psi, order).float(), pooled.float()
