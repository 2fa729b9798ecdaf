"""PAN (Mishra et al., ICCV 2021): two images' difference gives conditions and their relevance.

h = head(features); for a pair g = |h_i - h_j|, conditions s = sigmoid(g W1 + b1), relevance
w = softmax(g W2 + b2), similarity p = sum_m s_m w_m (METHODS 1.1; `similarity.conditional`).

Two things are ours, since with the official start the conditions neither learn nor differ on frozen
features (FIELDNOTES, PAN 1 and 5):

- **A block for each condition.** The head gives M vectors of unit length, one for each condition,
  and W1 starts as a metric on the condition's own block (zero elsewhere, free to grow). So a
  supervised condition has a place to learn its attribute group in, and weighing it changes what is
  found.
- **A condition for each attribute group**, with the target "both have the same value", instead of
  one for each of hundreds of attributes; and a KL term that keeps the relevance from collapsing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facetwise.config import Count, Positive, Share, Within
from facetwise.encoders import PartNorm
from facetwise.encoders.lite import PARTS
from facetwise.errors import InputError
from facetwise.similarity import ConditionalSimilarity, PairScore

__all__ = ["PAN", "Condition", "PANConfig"]


@dataclass(frozen=True)
class Condition:
    """A respect in which two images are similar or not.

    Attributes:
        name: the attribute group, or ``free 1``, ``free 2``, ...
        group: the attribute group that it was taught, None if it is free.
    """

    name: str
    group: str | None

    @property
    def supervised(self) -> bool:
        """Whether attributes taught it."""
        return self.group is not None


@dataclass(frozen=True)
class PANConfig:
    """What makes a PAN model."""

    free: Annotated[int, Within(0)] = 2
    """Unsupervised conditions beside one for each attribute group (hybrid; METHODS 1.3)."""
    width: Count = 32
    """Width of a condition's block."""
    steepness: Positive = 5.0
    """a of the metric start (FIELDNOTES, PAN 1)."""
    feature_dropout: Share = 0.2
    """Of the frozen features, in training."""


class PAN(nn.Module):
    """Frozen pooled features to blocks h, and pairs of them to conditions and relevance."""

    def __init__(
        self,
        config: PANConfig,
        groups: Sequence[str],
        generator: torch.Generator | None = None,
        parts: Sequence[int] = PARTS,
    ) -> None:
        super().__init__()
        self.config = config
        free = (name for k in count(1) if (name := f"free {k}") not in groups)
        self.conditions = (
            *(Condition(group, group) for group in groups),
            *(Condition(name, None) for name in islice(free, config.free)),
        )
        M = len(self.conditions)
        self.norm = PartNorm(parts)
        self.dropout = nn.Dropout(config.feature_dropout)
        self.head = nn.Linear(sum(parts), M * config.width, bias=False)
        nn.init.orthogonal_(self.head.weight, generator=generator)
        self.conditional = ConditionalSimilarity(
            M * config.width, M, generator=generator, a=config.steepness
        )

    @property
    def dim(self) -> int:
        """d, the width of h."""
        return len(self.conditions) * self.config.width

    @torch.no_grad()
    def fit_statistics(self, pooled: Tensor, generator: torch.Generator | None = None) -> None:
        """Set the statistics from the training pictures, (N, P), and start W1 as block metrics."""
        self.norm.fit(pooled)
        # A few thousand pictures tell the mean difference of random pairs.
        some = torch.randperm(len(pooled), generator=generator)[:4096]
        before = self.training
        features = self.eval().embed(pooled[some])  # without dropout: nothing of chance in it
        self.train(before)
        if len(some) < 2 or bool((features == features[0]).all()):
            raise InputError(
                "a pair model needs training pictures that differ; these are all alike"
            )
        self.conditional.start_in_blocks(features, generator)

    def embed(self, pooled: Tensor) -> Tensor:
        """pooled: (N, P) -> h (N, d): a unit vector for each condition, the whole of length 1."""
        M = len(self.conditions)
        blocks = self.head(self.dropout(self.norm(pooled))).unflatten(-1, (M, self.config.width))
        h: Tensor = F.normalize(blocks, dim=-1).flatten(-2) / M**0.5
        return h

    def forward(self, h1: Tensor, h2: Tensor) -> PairScore:
        """h1, h2: (P, d) -> score (P,), conditions (P, M), relevance (P, M)."""
        out: PairScore = self.conditional(h1, h2)
        return out

    def against(self, query: Tensor, gallery: Tensor, factors: Tensor | None = None) -> Tensor:
        """Scores of all pairs: query (Q, d), gallery (N, d) -> (Q, N)."""
        return self.conditional.against(query, gallery, factors=factors)
