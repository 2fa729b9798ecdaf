"""Word vectors and a Bi-GRU: the text tower of DivE, PVSE, PCME and VSE-infinity (METHODS 2.4)."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from facetwise.encoders.sequences import apart, together
from facetwise.encoders.sequences import pool as pooled
from facetwise.encoders.towers import TextTower

__all__ = ["BiGRU"]


class BiGRU(TextTower):
    """One layer, read in both directions; trained.

    Args:
        size: of the vocabulary, markers included; number 0 is padding.
        width: of a word's vector.
        hidden: of the GRU, in each direction.
        directions: ``averaged`` (DivE, VSE-infinity) or ``concatenated`` (PVSE, PCME).
        local: psi is the ``words``' vectors (METHODS T-21) or the GRU's ``states``.
        pool: phi. ``last``: each direction's state when it has read all (METHODS T-20).
            ``last_place``: both directions' states at the last word, as in PVSE's and PCME's code;
            the one that reads backwards has seen that word alone. Or ``max`` or ``mean`` of the
            states.
        dropout: of the words' vectors and of the states.
        vectors: (size, width) to start from; uniform from -.1 to .1 if None.
        fixed: the words' vectors are not trained.
        generator: randomness of the start.
    """

    trained = True

    embedding: Tensor

    def __init__(
        self,
        size: int,
        *,
        width: int = 300,
        hidden: int = 1024,
        directions: Literal["averaged", "concatenated"] = "averaged",
        local: Literal["words", "states"] = "words",
        pool: Literal["last", "last_place", "max", "mean"] = "last",
        dropout: float = 0.1,
        vectors: Tensor | None = None,
        fixed: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if vectors is None:
            vectors = torch.empty(size, width).uniform_(-0.1, 0.1, generator=generator)
            vectors[0] = 0
        if vectors.shape != (size, width):
            raise ValueError(f"vectors must be ({size}, {width}), not {tuple(vectors.shape)}")
        if fixed:
            self.register_buffer("embedding", vectors.clone())
        else:
            self.embedding = nn.Parameter(vectors.clone())
        self.gru = nn.GRU(width, hidden, batch_first=True, bidirectional=True)
        for weight in self.gru.parameters():
            nn.init.uniform_(weight, -(hidden**-0.5), hidden**-0.5, generator=generator)
        self.dropout = nn.Dropout(dropout)
        self.directions, self.local, self.pool = directions, local, pool
        self.global_width = hidden if directions == "averaged" else 2 * hidden
        self.local_width = width if local == "words" else self.global_width

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Numbers of words (B, L), mask (B, L) -> psi (B, L, C), 0 where there is no word, and phi.

        phi is (B, P), both are float32. What the mask leaves out between words counts as deleted.
        """
        tokens, mask, order = together(tokens, mask)
        words = self.dropout(F.embedding(tokens, self.embedding, padding_idx=0))
        lengths = mask.sum(1).clamp_min(1)
        packed = pack_padded_sequence(words, lengths.cpu(), batch_first=True, enforce_sorted=False)
        out, ends = self.gru(packed)
        states, _ = pad_packed_sequence(out, batch_first=True, total_length=tokens.shape[1])
        states = self.dropout(self._together(*states.chunk(2, -1)))
        if self.pool == "last":
            phi = self.dropout(self._together(*ends))
        else:
            phi = pooled(states, mask, "last" if self.pool == "last_place" else self.pool)
        psi = words if self.local == "words" else states
        return apart(psi.masked_fill(~mask[..., None], 0), order).float(), phi.float()

    def _together(self, forwards: Tensor, backwards: Tensor) -> Tensor:
        if self.directions == "averaged":
            return (forwards + backwards) / 2
        return torch.cat([forwards, backwards], -1)
