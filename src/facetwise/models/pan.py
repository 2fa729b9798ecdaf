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

The paper's own are ``taught = "attributes"``, ``head = "none"``, ``init = "xavier"``, ``standardise
= "dimensions"`` and ``unit = false`` (recipes ``pan-cub-...``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facetwise.config import Count, Positive
from facetwise.encoders import DimensionNorm, PartNorm
from facetwise.encoders.lite import PARTS
from facetwise.errors import InputError
from facetwise.models.conditions import ConditionConfig, all_conditions
from facetwise.models.pair_model import Condition, Known, PairModel, Taught
from facetwise.similarity import ConditionalSimilarity

__all__ = ["PAN", "PANConfig"]


@dataclass(frozen=True)
class PANConfig(ConditionConfig):
    """What makes a PAN model."""

    head: Literal["blocks", "shared", "none"] = "blocks"
    """Between features and conditions: a linear layer to a block for each condition, ours; one to a
    single vector for all of them; or nothing, as the paper has it on frozen features."""
    width: Count = 32
    """Width of a condition's block, or of the shared vector."""
    init: Literal["metric", "xavier"] = "metric"
    """Conditions start as metrics, ours, or as in the paper (FIELDNOTES, PAN 1)."""
    steepness: Positive = 5.0
    """a of the metric start (FIELDNOTES, PAN 1)."""
    standardise: Literal["parts", "dimensions"] = "parts"
    """Features: centred, and each part of length 1, or every dimension of unit variance (1.5)."""
    unit: bool = True
    """Whether each block of h has length 1, ours (FIELDNOTES, PAN 2); the paper does not scale."""


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
        self._blocks = M if config.head == "blocks" else 1
        d = sum(parts) if config.head == "none" else self._blocks * config.width
        self.norm = DimensionNorm(parts) if config.standardise == "dimensions" else PartNorm(parts)
        self.dropout = nn.Dropout(config.feature_dropout)
        self.head: nn.Module = nn.Identity()
        if config.head != "none":
            self.head = nn.Linear(sum(parts), d, bias=False)
            nn.init.orthogonal_(self.head.weight, generator=generator)
        self.conditional = ConditionalSimilarity(
            d, M, init=config.init, generator=generator, a=config.steepness
        )

    @property
    def dim(self) -> int:
        """d, the width of h."""
        return self.conditional.W1.shape[1]

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
        """Set the statistics from the training pictures, (N, P), and start W1 as metrics."""
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
        if self.config.init == "metric" and self.config.head == "blocks":
            self.conditional.start_in_blocks(features, generator)
        elif self.config.init == "metric":
            self.conditional.calibrate(features, generator)

    def untrained(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (N, P) -> the last layer's and all standardised features."""
        out: Tensor = self.norm(x)
        return out[:, : self.norm.widths[0]], out

    def embed(self, x: Tensor, known: Known = Known()) -> Tensor:
        """x: (N, P) -> h (N, d): a unit vector for each block, the whole of length 1."""
        h: Tensor = self.head(self.dropout(self.norm(x)))
        if self.config.unit:
            blocks = F.normalize(h.unflatten(-1, (self._blocks, -1)), dim=-1)
            h = blocks.flatten(-2) / self._blocks**0.5
        return h
