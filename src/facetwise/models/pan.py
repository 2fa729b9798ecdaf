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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facetwise.config import Count, Positive
from facetwise.encoders import PartNorm
from facetwise.encoders.lite import PARTS
from facetwise.errors import InputError
from facetwise.models.conditions import ConditionConfig, all_conditions
from facetwise.models.pair_model import Condition, Known, PairModel, Taught
from facetwise.similarity import ConditionalSimilarity

__all__ = ["PAN", "PANConfig"]


@dataclass(frozen=True)
class PANConfig(ConditionConfig):
    """What makes a PAN model."""

    width: Count = 32
    """Width of a condition's block."""
    steepness: Positive = 5.0
    """a of the metric start (FIELDNOTES, PAN 1)."""


class PAN(PairModel):
    """Frozen pooled features to blocks h, and pairs of them to conditions and relevance."""

    config: PANConfig

    def __init__(
        self,
        config: PANConfig,
        taught: Taught = Taught(),
        generator: torch.Generator | None = None,
        parts: Sequence[int] = PARTS,
    ) -> None:
        super().__init__(config, taught)
        self._conditions = all_conditions(taught, config.free)
        M = len(self._conditions)
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
        return len(self._conditions) * self.config.width

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The taught ones, then the free ones."""
        return self._conditions

    @property
    def similarity(self) -> ConditionalSimilarity:
        """P = sum_m s_m w_m."""
        return self.conditional

    @property
    def parts(self) -> Mapping[str, Sequence[nn.Parameter]]:
        """The head, and the conditional similarity at its own rate."""
        return {
            "head": list(self.head.parameters()),
            "conditions": list(self.conditional.parameters()),
        }

    @torch.no_grad()
    def fit_statistics(
        self, x: Tensor, known: Known = Known(), generator: torch.Generator | None = None
    ) -> None:
        """Set the statistics from the training pictures, (N, P), and start W1 as block metrics."""
        self.norm.fit(x)
        # A few thousand pictures tell the mean difference of random pairs.
        some = torch.randperm(len(x), generator=generator)[:4096]
        before = self.training
        features = self.eval().embed(x[some])  # without dropout: nothing of chance in it
        self.train(before)
        if len(some) < 2 or bool((features == features[0]).all()):
            raise InputError(
                "a pair model needs training pictures that differ; these are all alike"
            )
        self.conditional.start_in_blocks(features, generator)

    def untrained(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (N, P) -> the last layer's and all standardised features."""
        out: Tensor = self.norm(x)
        return out[:, : self.norm.widths[0]], out

    def embed(self, x: Tensor, known: Known = Known()) -> Tensor:
        """x: (N, P) -> h (N, d): a unit vector for each condition, the whole of length 1."""
        M = len(self.conditions)
        blocks = self.head(self.dropout(self.norm(x))).unflatten(-1, (M, self.config.width))
        h: Tensor = F.normalize(blocks, dim=-1).flatten(-2) / M**0.5
        return h
