"""VirTex (Desai & Johnson, CVPR 2021): an image tower that learns from saying what it sees.

Bicaptioning: two transformer decoders look at the grid of a picture, and one says its caption from
the first word to the last, the other from the last to the first. With c_0 = start, c_{T+1} = end:

    log p = sum_{t=1..T+1} log p(c_t | c_0 .. c_{t-1}, image)
          + sum_{t=0..T} log p(c_t | c_{t+1} .. c_{T+1}, image)

Afterwards the image tower is kept, and everything here that knows of words is thrown away. A
caption tells of many things in a picture and how they belong together, a class of one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facetwise.config import Count, Share, Within
from facetwise.encoders import ImageTower
from facetwise.encoders.words import END, MASK, PAD, START, UNKNOWN
from facetwise.errors import InputError

__all__ = ["VirTex", "VirTexConfig", "backwards"]


@dataclass(frozen=True)
class VirTexConfig:
    """The half that is thrown away. Paper: the best model of its CVPR version, its config files."""

    width: Count = 256
    """H, of words and decoders; 2048 in the paper (1024 in its base model)."""
    layers: Count = 1
    """L, of each decoder; more gained little in the paper."""
    heads: Count = 4
    """A; a head has 64 dimensions, as in the paper."""
    dropout: Share = 0.1
    """Of word vectors and in the decoders, as in the paper."""
    norm: Literal["post", "pre"] = "post"
    """Layer norms behind the residual sums, as in the paper, or before their branches."""
    directions: Literal["both", "forward"] = "both"
    """``forward``: the paper's ablation with one decoder."""
    max_tokens: Annotated[int, Within(4, 512)] = 30
    """Longer captions are cut, markers included, as in the paper."""
    word_least: Count = 5
    """Rarer words of the training captions are unknown: usual for captions; the paper has 10,000
    parts of words."""


class VirTex(nn.Module):
    """An image tower, and two decoders that share word vectors, output and view of the picture.

    Args:
        config: of the decoders.
        image: the tower that is to learn.
        vocabulary_size: V, markers included (`encoders.WordIds`, number 0 is padding).
        generator: randomness of the start.

    Raises:
        InputError: H is no multiple of A.
    """

    def __init__(
        self,
        config: VirTexConfig,
        image: ImageTower,
        vocabulary_size: int,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if config.width % config.heads:
            raise InputError(
                f"[pretrain] width must be a multiple of heads, not {config.width} with "
                f"{config.heads} heads"
            )
        self.config = config
        H = config.width
        self.see = nn.Linear(image.local_width, H)
        self.words = nn.Embedding(vocabulary_size, H, padding_idx=PAD)
        self.places = nn.Embedding(config.max_tokens, H)
        self.norm = nn.LayerNorm(H)
        self.dropout = nn.Dropout(config.dropout)
        self.forward_decoder = _decoder(config)
        self.backward_decoder = _decoder(config) if config.directions == "both" else None
        self.bias = nn.Parameter(torch.zeros(vocabulary_size))  # the output's, of its own
        _start(self, generator)
        self.image = image

    def forward(
        self, a: Tensor, b: Tensor, ids: Tensor, lengths: Tensor, owner: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The two losses, each the mean of -log p over the words of the batch.

        Words that are not in the vocabulary are read, but need not be said.

        Args:
            a, b: of B pictures, as the tower's `prepare` gave them.
            ids: (C, L) int64, captions from start to end, padded with 0.
            lengths: (C,) of them.
            owner: (C,) which picture each belongs to; its place if left out.
        """
        memory = self.memory(a, b)
        memory = memory if owner is None else memory[owner]
        forward = self._loss(memory, ids, reverse=False)
        if self.backward_decoder is None:
            return forward, forward.new_zeros(())
        return forward, self._loss(memory, backwards(ids, lengths), reverse=True)

    def memory(self, a: Tensor, b: Tensor) -> Tensor:
        """What the decoders look at: the tower's N local features, (B, N, H)."""
        memory: Tensor = self.see(self.image(a, b)[0])
        return memory

    def logits(self, memory: Tensor, ids: Tensor, *, reverse: bool = False) -> Tensor:
        """Of the word after each. memory: (B, N, H), ids: (B, L) in the order read -> (B, L, V).

        No place looks at a later one; padding stands last, and so changes nothing before it.
        """
        decoder = self.backward_decoder if reverse else self.forward_decoder
        if decoder is None:
            raise InputError('this model says captions forward only: directions = "forward"')
        L = ids.shape[1]
        x = self.words(ids) + self.places(torch.arange(L, device=ids.device))
        x = self.dropout(self.norm(x))
        future = torch.ones(L, L, dtype=torch.bool, device=ids.device).triu(1)
        x = decoder(x, memory, tgt_mask=future)
        return F.linear(x, self.words.weight, self.bias)

    @torch.no_grad()
    def caption(self, a: Tensor, b: Tensor, *, most: int = 20, reverse: bool = False) -> Tensor:
        """The likeliest word, one after the other: greedy (the paper searches with 5 beams).

        Args:
            a, b: of B pictures.
            most: words of a caption.
            reverse: by the backward decoder; what comes back is in reading order all the same.

        Returns:
            (B, L) numbers of words without markers, L <= most, padded with 0.
        """
        memory = self.memory(a, b)
        first, last = (END, START) if reverse else (START, END)
        ids = torch.full((len(memory), 1), first, device=memory.device)
        done = torch.zeros(len(memory), dtype=torch.bool, device=memory.device)
        for _ in range(min(most, self.config.max_tokens - 1)):
            logits = self.logits(memory, ids, reverse=reverse)[:, -1]
            logits[:, [PAD, UNKNOWN, MASK, first]] = -torch.inf
            word = logits.argmax(-1)
            done = done | (word == last)
            ids = torch.cat([ids, torch.where(done, PAD, word)[:, None]], 1)
            if bool(done.all()):
                break
        said = ids[:, 1:]
        lengths = (said != PAD).sum(1)
        said = said[:, : int(lengths.max()) if len(lengths) else 0]
        return backwards(said, lengths) if reverse else said

    def _loss(self, memory: Tensor, ids: Tensor, *, reverse: bool) -> Tensor:
        logits = self.logits(memory, ids[:, :-1], reverse=reverse).float()
        target = ids[:, 1:]
        target = torch.where(target == UNKNOWN, PAD, target)
        total = F.cross_entropy(
            logits.flatten(0, 1), target.flatten(), ignore_index=PAD, reduction="sum"
        )
        return total / (target != PAD).sum().clamp_min(1)


def backwards(ids: Tensor, lengths: Tensor) -> Tensor:
    """Each row's first `lengths` entries in reverse; padding stays behind them.

    >>> backwards(torch.tensor([[3, 7, 4, 0], [3, 8, 9, 4]]), torch.tensor([3, 4]))
    tensor([[4, 7, 3, 0],
            [4, 9, 8, 3]])
    """
    place = torch.arange(ids.shape[1], device=ids.device)
    turned = lengths[:, None] - 1 - place
    return ids.gather(1, torch.where(turned >= 0, turned, place))


def _decoder(config: VirTexConfig) -> nn.TransformerDecoder:
    layer = nn.TransformerDecoderLayer(
        config.width,
        config.heads,
        4 * config.width,  # F = 4 H, as in the paper
        config.dropout,
        activation="gelu",
        batch_first=True,
        norm_first=config.norm == "pre",
    )
    end = nn.LayerNorm(config.width) if config.norm == "pre" else None
    return nn.TransformerDecoder(layer, config.layers, norm=end)


@torch.no_grad()
def _start(module: nn.Module, generator: torch.Generator | None) -> None:
    """Matrices from N(0, .02), biases 0, norms 1, as in BERT and in VirTex."""
    for name, parameter in module.named_parameters():
        if parameter.dim() > 1:
            nn.init.normal_(parameter, std=0.02, generator=generator)
        elif "norm" in name and name.endswith("weight"):
            nn.init.ones_(parameter)
        else:
            nn.init.zeros_(parameter)
    for layer in module.modules():
        if isinstance(layer, nn.Embedding) and layer.padding_idx is not None:
            layer.weight[layer.padding_idx] = 0
