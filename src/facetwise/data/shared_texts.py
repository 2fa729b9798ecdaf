"""Batches of pictures that may share texts: what holds for whom is known, and nothing is left out.

`sampling.TextBatches` keeps pictures that share a text apart, since the losses of the papers take
every other text for a negative. Where most texts are shared (tags), hardly two pictures can stand
in such a batch. Here they may, and each batch says which of its texts hold for which pictures.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from facetwise.data.sampling import generator_of

__all__ = ["SharedTextBatches"]


class SharedTextBatches:
    """Step t's batch depends on the seed and t alone.

    Args:
        texts: (N) for each item the indices of its texts.
        count: T, of all texts.
        items: B, at most.
        texts_per_item: at most so many texts of each item, drawn anew each time.
        extra: texts of no item of the batch, as further negatives; from `count` on all there are.
        weights: (N,) how often each item is drawn, relative to the others; evenly by default. Items
            without texts are never drawn.
        seed: of the draws.
    """

    def __init__(
        self,
        texts: Sequence[Sequence[int]],
        count: int,
        *,
        items: int,
        texts_per_item: int,
        extra: int = 0,
        weights: Tensor | None = None,
        seed: int = 0,
    ) -> None:
        has = torch.tensor([bool(own) for own in texts])
        self.weights = has.float() * (1.0 if weights is None else weights)
        self.texts, self.count, self.has = texts, count, int(has.sum())
        self.items, self.texts_per_item, self.extra = items, texts_per_item, extra
        self.seed = seed
        edges = [row * count + text for row, own in enumerate(texts) for text in own]
        self.edges = torch.tensor(sorted(edges), dtype=torch.long)
        self.frequency = torch.bincount(self.edges % count, minlength=count)
        """(T,) how many items have each text."""

    def batch(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """Rows (B,), texts (C,), each once, and which hold for which: matches (B, C) bool."""
        g = generator_of(self.seed, step)
        rows = torch.multinomial(self.weights, min(self.items, self.has), generator=g)
        everything = self.extra >= self.count
        chosen: set[int] = set(range(self.count)) if everything else set()
        for row in rows.tolist():
            own = self.texts[row]
            order = torch.randperm(len(own), generator=g)[: self.texts_per_item].tolist()
            chosen.update(own[place] for place in order)
        if self.extra and not everything:
            chosen.update(torch.randint(self.count, (self.extra,), generator=g).tolist())
        texts = torch.tensor(sorted(chosen))
        asked = rows[:, None] * self.count + texts
        place = torch.searchsorted(self.edges, asked).clamp_max(len(self.edges) - 1)
        return rows, texts, self.edges[place] == asked
