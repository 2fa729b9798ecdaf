"""Text models of transformers (BERT and its like, CLIP, SigLIP): opened with care, read alike.

Tokenizers are the fast ones, and as with weights no code that comes with a model is run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from facetwise.encoders.augment_words import Marks
from facetwise.encoders.hub import (
    brief,
    json_file,
    model_config,
    pretrained,
    short_name,
    weights_hash,
)
from facetwise.encoders.minilm import package_folder
from facetwise.errors import InputError

__all__ = ["LanguageModel", "Reading", "read_states"]

_FULL_LENGTH = ("siglip", "siglip2")
"""Models that were trained on texts padded to their longest, with the padding in sight."""


_BLANKS = ("Ġ", "▁")
"""How RoBERTa's and SigLIP's tokenizers write the blank before a word."""


class Reading(NamedTuple):
    """How a model wants to be given texts."""

    pad: int
    """Number of the padding token."""
    full: int
    """Length that each text is padded to, without a mask; 0: as long as it is."""
    left: bool
    """Whether that padding comes before the text."""


@dataclass(frozen=True)
class LanguageModel:
    """A text model of transformers, or the text side of one for pictures and texts.

    Attributes:
        source: a folder, a name on the hub, or ``minilm`` for all-MiniLM-L6-v2.
        max_tokens: longer texts are cut.
    """

    source: str
    max_tokens: int = 64

    def __post_init__(self) -> None:
        if not 4 <= self.max_tokens <= 512:
            raise InputError(f"max_tokens must be from 4 to 512, not {self.max_tokens}")

    @property
    def label(self) -> str:
        """Its name, for the names of encoders."""
        return short_name(self.source)

    @property
    def network(self) -> nn.Module:
        """The text side; one for all of a process, frozen."""
        return self._opened.network

    @property
    def width(self) -> int:
        """C: of a token's last hidden state."""
        return int(self.network.config.hidden_size)  # type: ignore[union-attr, arg-type]

    @property
    def pooled_width(self) -> int:
        """Of the model's own pooled output; 0 if it has none (or none that was trained)."""
        config: Any = self.network.config
        if not _has_pooler(self.network):
            return 0
        return int(getattr(config, "projection_size", None) or config.hidden_size)

    @cached_property
    def reading(self) -> Reading:
        """How it wants to be given texts."""
        config: Any = self.network.config
        full = config.max_position_embeddings if _kind(self.network) in _FULL_LENGTH else 0
        return Reading(self._pad, full, bool(full) and self._tokenizer.padding_side == "left")

    @cached_property
    def marks(self) -> Marks:
        """For `augment_texts`."""
        tokenizer = self._tokenizer
        special = tuple(sorted({*map(int, tokenizer.all_special_ids), self._pad}))
        unknown = tokenizer.unk_token_id
        if unknown in (tokenizer.eos_token_id, self._pad):
            unknown = None  # CLIP's is the end of the text, which must stay the only one
        return Marks(len(tokenizer), special, unknown, tokenizer.mask_token_id)

    @property
    def weights_hash(self) -> str:
        """Of the text side."""
        return self._opened.weights_hash

    @property
    def tokenizer_hash(self) -> str:
        """Of the way texts are cut, but for `max_tokens`."""
        return self._opened.tokenizer_hash

    def cut(self, texts: Sequence[str]) -> tuple[list[list[int]], list[list[str]]]:
        """The tokens of each text, at least one: their numbers, and as one would read them.

        Special tokens are read as ``[CLS]``; a part of a word that goes on begins with ``##``.
        """
        if not texts:
            return [], []
        entries = self._cutter.encode_batch(list(texts))
        if not all(len(entry.ids) for entry in entries):  # a model without start and end
            return (
                [list(entry.ids) or [self._pad] for entry in entries],
                [_readable(e, t) or ["[PAD]"] for e, t in zip(entries, texts, strict=True)],
            )
        return [list(entry.ids) for entry in entries], [
            _readable(entry, text) for entry, text in zip(entries, texts, strict=True)
        ]

    @property
    def _opened(self) -> _Opened:
        return _open(str(package_folder()) if self.source == "minilm" else self.source)

    @cached_property
    def _tokenizer(self) -> Any:
        opened = self._opened
        limit = min(opened.tokenizer.model_max_length, _positions(opened.network))
        if self.max_tokens > limit:
            raise InputError(
                f"max_tokens is {self.max_tokens}, but {self.source} reads at most {limit}; "
                f"set max_tokens = {limit}"
            )
        return opened.tokenizer

    @cached_property
    def _cutter(self) -> Any:
        """The tokenizer inside the tokenizer, cutting at `max_tokens`.

        A copy, since transformers' own calls change the one they share: servers ask it from many
        threads at once.
        """
        from tokenizers import Tokenizer

        outer = self._tokenizer
        cutter = Tokenizer.from_str(outer.backend_tokenizer.to_str())
        cutter.enable_truncation(self.max_tokens, direction=outer.truncation_side)
        cutter.no_padding()
        return cutter

    @property
    def _pad(self) -> int:
        return int(self._tokenizer.pad_token_id or 0)


def read_states(
    network: nn.Module, ids: Tensor, mask: Tensor, reading: Reading
) -> tuple[Tensor, Tensor | None]:
    """Last hidden states, and the model's own pooled output if it has one.

    Args:
        network: as `LanguageModel.network`.
        ids: (B, L) int64.
        mask: (B, L), true where there is a token; each row's tokens come first.
        reading: of the model.

    Returns:
        (B, L, C), 0 where there is no token, and (B, P) or None.
    """
    whole = ids.shape[1]
    used = max(1, int(mask.sum(1).max())) if len(mask) else 1
    short, there = ids[:, :used], mask[:, :used]
    short = short.masked_fill(~there, reading.pad)
    if reading.full:
        short = nn.functional.pad(short, (0, max(0, reading.full - used)), value=reading.pad)
        place = torch.arange(short.shape[1], device=ids.device).expand_as(short)
        if reading.left:
            place = (place + there.sum(1, keepdim=True)) % short.shape[1]
        out: Any = network(input_ids=short.gather(1, place), attention_mask=None)
        order = place.argsort(1)[..., None].expand_as(out.last_hidden_state)
        states = out.last_hidden_state.gather(1, order)
    else:
        seen = there.clone()
        seen[:, 0] = True  # a row of padding alone must not divide by zero
        out = network(input_ids=short, attention_mask=seen.long())
        states = out.last_hidden_state
    states = states[:, :used].masked_fill(~there[..., None], 0)
    pooled: Tensor | None = getattr(out, "pooler_output", None)
    return nn.functional.pad(states, (0, 0, 0, whole - used)), pooled


class _Opened(NamedTuple):
    network: nn.Module
    tokenizer: Any
    weights_hash: str
    tokenizer_hash: str


@cache
def _open(source: str) -> _Opened:
    config = model_config(source)
    text = getattr(config, "text_config", None) or config
    if getattr(text, "vocab_size", None) is None:
        raise InputError(f"{source} is a {config.model_type} model, which reads no texts")
    if config.is_encoder_decoder:
        raise InputError(
            f"{source} is a {config.model_type} model, an encoder with a decoder; give an encoder "
            "(BERT and its like, CLIP, SigLIP)"
        )
    tokenizer = _read_tokenizer(source)
    network, missing = _read_network(source, config, text)
    if any("pooler." not in name for name in missing):
        raise InputError(
            f"{source}: {len(missing)} weights of the text model are not in its file "
            f"({min(missing)!r}); save the whole model"
        )
    if missing:
        network.pooler = None  # drawn at random, it would be another one each time
    return _Opened(
        network,
        tokenizer,
        weights_hash(network),
        hashlib.blake2b(tokenizer.backend_tokenizer.to_str().encode(), digest_size=16).hexdigest(),
    )


def _read_network(source: str, config: Any, text: Any) -> tuple[Any, set[str]]:
    """The text side, and which of its weights are missing."""
    from transformers import MODEL_MAPPING

    if text is config or type(text) in MODEL_MAPPING:
        return pretrained(source, text)
    whole, missing = pretrained(source, config)  # SigLIP's text side has no door of its own
    network = getattr(whole, "text_model", None)
    if network is None:
        raise InputError(
            f"{source} is a {config.model_type} model, whose text side cannot be had alone; give "
            "an encoder (BERT and its like, CLIP, SigLIP)"
        )
    return network, {name for name in missing if name.startswith("text_model.")}


def _read_tokenizer(source: str) -> Any:
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    folder = Path(source).expanduser()
    place = str(folder) if folder.is_dir() else source
    try:
        tokenizer = AutoTokenizer.from_pretrained(place, trust_remote_code=False)
        if not tokenizer.is_fast and json_file(source, "tokenizer.json"):
            # SigLIP's own class is a slow one, whatever lies beside the model.
            tokenizer = PreTrainedTokenizerFast.from_pretrained(place)
    except Exception as error:  # each kind of tokenizer fails in its own way
        raise InputError(
            f"{source} holds no tokenizer that can be read ({brief(error)}); save one beside the "
            "model, tokenizer.json"
        ) from error
    # Where its files are missing, transformers may make one that knows special tokens alone.
    if not tokenizer.is_fast or len(tokenizer) <= len(tokenizer.all_special_ids):
        raise InputError(f"{source} holds no fast tokenizer; save one beside it, tokenizer.json")
    return tokenizer


def _has_pooler(network: Any) -> bool:
    return _kind(network) in ("clip", *_FULL_LENGTH) or getattr(network, "pooler", None) is not None


def _kind(network: Any) -> str:
    """``clip`` of a ``clip_text_model``."""
    return str(network.config.model_type).removesuffix("_text_model")


def _positions(network: Any) -> int:
    config = network.config
    most = int(getattr(config, "max_position_embeddings", None) or 1 << 30)
    # RoBERTa and its like count positions from the padding's number on.
    embeddings = getattr(network, "embeddings", None)
    shifted = getattr(getattr(embeddings, "position_embeddings", None), "padding_idx", None)
    return most - shifted - 1 if shifted is not None else most


def _readable(entry: Any, text: str) -> list[str]:
    tokens: list[str] = []
    before: int | None = None
    for token, (start, end), word, special in zip(
        entry.tokens, entry.offsets, entry.word_ids, entry.special_tokens_mask, strict=True
    ):
        piece = text[start:end].strip()
        if token in _BLANKS:
            tokens.append("▁")  # the blank before a word, alone: the word comes next
            before = None
        elif special or not piece:
            tokens.append(token if special and token[:1] in "[<" else f"[{token}]")
            before = None
        elif not any(map(str.isalnum, piece)):
            tokens.append(piece)  # signs are no part of the word that they follow
            before = None
        else:
            tokens.append(f"##{piece}" if word is not None and word == before else piece)
            before = word
    return tokens
