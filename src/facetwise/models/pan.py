"""PAN (Mishra et al., ICCV 2021): two images' difference gives conditions and their relevance.

h = head(features); for a pair g = |h_i - h_j|, conditions s = sigmoid(g W1 + b1), relevance
w = softmax(g W2 + b2), similarity p = sum_m s_m w_m (METHODS 1.1; `similarity.conditional`).

What is ours, since with the official start the conditions neither learn nor differ on frozen
features, and the relevance collapses (FIELDNOTES, PAN 1 and 5):

- **Blocks.** h is a block of unit length for each taught condition and one that is shared. W1
  starts as a metric on the condition's own block (and, by ``own_share``, on the shared one), so
  that a supervised condition has a place to learn its attribute group in; free conditions start
  as metrics on the shared block.
- **A start in closed form** (`heads.discriminant`): the shared block where the training classes
  differ, an own block where the values of its group differ.
- **A condition for each attribute group**, with the target "both have the same value", instead of
  one for each of hundreds of attributes.
- **A soft minimum** in the relevance, w = softmax(W2 g + b2 + kappa (1 - s)): what a pair differs
  in counts more, so relevance depends on the pair from the first step. In training it is told so,
  too: of a pair of different things, the respects that truly differ (`losses.relevance_truth`).

The paper's own are ``taught = "attributes"``, ``head = "none"``, ``init = "xavier"``, ``standardise
= "dimensions"``, ``unit = false``, ``power = 1``, ``soft_minimum = 0`` (recipes ``pan-cub-...``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facetwise.config import Count, Positive, Share, Weight, Within
from facetwise.encoders.lite import PARTS
from facetwise.errors import InputError
from facetwise.heads.discriminant import (
    ATTRIBUTE_SHRINKAGE,
    attribute_start,
    whitening,
    within_class_start,
)
from facetwise.models.conditions import ConditionConfig, all_conditions
from facetwise.models.pair_features import PairFeatures, Standardise
from facetwise.models.pair_model import Condition, Known, PairModel, Taught
from facetwise.similarity import ConditionalSimilarity

__all__ = ["PAN", "PANConfig"]

_JITTER = 0.3
"""Spread of the logarithms of W1's start between free conditions on one block."""


@dataclass(frozen=True)
class PANConfig(ConditionConfig):
    """What makes a PAN model."""

    head: Literal["blocks", "shared", "none"] = "blocks"
    """Between features and conditions: a linear layer to blocks, ours; to the shared block alone;
    or nothing, as the paper has it on frozen features."""
    width: Count = 32
    """Of a taught condition's own block."""
    shared: Count = 512
    """Of the block that is shared."""
    own_share: Share = 1.0
    """How much a taught condition starts on its own block; the rest of it on the shared one."""
    fixed_blocks: bool = False
    """Whether own blocks stay as they start: where a few dozen classes have each their one
    description, triplets would make the blocks learn the classes."""
    start: Literal["classes", "random"] = "classes"
    """Of the head, in closed form or orthogonal (`heads.discriminant`)."""
    init: Literal["metric", "xavier"] = "metric"
    """Conditions start as metrics, ours, or as in the paper (FIELDNOTES, PAN 1)."""
    steepness: Positive = 5.0
    """a of the metric start (FIELDNOTES, PAN 1)."""
    power: Annotated[float, Within(1, 2)] = 1.5
    """q of g = |h_i - h_j|^q: 1 in the paper, up to 2, ours (`similarity.conditional`)."""
    soft_minimum: Weight = 2.5
    """Start of kappa (`similarity.conditional`); 0 in the paper."""
    free_share: Annotated[float, Within(0, 1)] = 0.2
    """Of the relevance that all free conditions start with, where there are taught ones."""
    standardise: Standardise = "weighed"
    """Features part by part, weighed by what the training labels say; with equal weights; or every
    dimension to unit variance (METHODS 1.5)."""
    unit: bool = True
    """Whether each block of h has length 1, ours (FIELDNOTES, PAN 2); the paper does not scale."""


class PAN(PairModel):
    """Frozen pooled features to blocks h, and pairs of them to conditions and relevance."""

    losses: ClassVar[tuple[str, ...]] = ("triplet", "edges", "info_nce")
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
        M, self._taught = len(self._conditions), len(taught.conditions)
        own = self._taught if config.head == "blocks" else 0
        # Nobody looks at a shared block that no condition starts on.
        shared = config.free > 0 or config.own_share < 1 or not own
        self._own = own * config.width
        self._shared = 0 if not shared else sum(parts) if config.head == "none" else config.shared
        self.features = PairFeatures(parts, config.standardise, len(taught.types))
        self.dropout = nn.Dropout(config.feature_dropout)
        self.head: nn.Module = nn.Identity()
        if config.head != "none":
            self.head = nn.Linear(sum(parts), self.dim, bias=False)
            nn.init.orthogonal_(self.head.weight, generator=generator)
        self.conditional = ConditionalSimilarity(
            self.dim,
            M,
            init=config.init,
            generator=generator,
            a=config.steepness,
            power=config.power,
            soft_minimum=config.soft_minimum if M > 1 else 0,
        )
        if config.fixed_blocks and own:
            self._fix(own * config.width)

    def _fix(self, columns: int) -> None:
        """Let nothing flow back into the first blocks, nor into what conditions make of them."""

        def free(gradient: Tensor) -> Tensor:
            return torch.cat([torch.zeros_like(gradient[:, :columns]), gradient[:, columns:]], 1)

        def below(gradient: Tensor) -> Tensor:
            return torch.cat([torch.zeros_like(gradient[:columns]), gradient[columns:]])

        self.conditional.W1.register_hook(free)
        self.conditional.W2.register_hook(free)
        for parameter in self.head.parameters():
            parameter.register_hook(below)

    @property
    def dim(self) -> int:
        """d, the width of h."""
        return self._own + self._shared

    @property
    def block_widths(self) -> tuple[int, ...]:
        """Of the taught conditions' own blocks, in their order, and of the shared one."""
        own = (self.config.width,) * (self._own // self.config.width)
        return (*own, self._shared) if self._shared else own

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
        """Set the statistics of the training pictures, (N, P), and start head and conditions."""
        self.features.fit(x, known, generator)
        if isinstance(self.head, nn.Linear) and self.config.start == "classes":
            self._start_head(self.features(x, known), known, generator)
        # A few thousand pictures tell the mean difference of random pairs.
        some = torch.randperm(len(x), generator=generator)[:4096]
        before = self.training
        h = self.eval().embed(x[some], known.rows(some))  # no dropout: nothing of chance in it
        self.train(before)
        if len(some) < 2 or bool((h == h[0]).all()):
            raise InputError(
                "a pair model needs training pictures that differ; these are all alike"
            )
        if self.config.init == "metric":
            self._start_conditions(h, generator)

    def _start_head(self, z: Tensor, known: Known, generator: torch.Generator | None) -> None:
        """Each block where what it is for differs; z: (N, P)."""
        assert isinstance(self.head, nn.Linear)
        weight = self.head.weight
        wide = max(self._shared, self.config.width)
        if known.labels is not None:
            shared = within_class_start(z, known.labels, wide, generator=generator)
        else:
            shared = torch.empty(wide, z.shape[1])
            nn.init.orthogonal_(shared, generator=generator)
        if self._shared:
            weight[self._own :] = shared[: self._shared]
        if not self._own or not known.values:
            return
        centred = z - z.mean(0)
        whitened = whitening(centred.T @ centred / len(z), ATTRIBUTE_SHRINKAGE)
        for block, values in zip(
            weight[: self._own].split(self.config.width), known.values, strict=True
        ):
            block.copy_(attribute_start(z, values, self.config.width, shared, whitened=whitened))

    def _start_conditions(self, h: Tensor, generator: torch.Generator | None) -> None:
        """W1 as metrics on blocks, b2 as the log of the relevance that each begins with."""
        widths, M, taught = self.block_widths, len(self._conditions), self._taught
        shares = torch.zeros(M, len(widths))
        if self._own:
            shares[:taught, :taught] = self.config.own_share * torch.eye(taught)
            if self._shared:
                shares[:taught, -1] = 1 - self.config.own_share
        else:
            shares[:taught, -1] = 1.0
        shares[taught:, -1] = 1.0
        self.conditional.start_in_blocks(h, generator, widths=widths, shares=shares)
        # Those on one and the same block must not be one condition for ever.
        alike = slice(taught + 1, M) if self._own else slice(1, M)
        row = self.conditional.W1[alike]
        row.mul_(torch.empty_like(row).normal_(generator=generator).mul_(_JITTER).exp_())
        free = M - taught
        if free and taught:
            share = min(max(self.config.free_share, 1e-6), 1 - 1e-6)  # none or all: as good as
            self.conditional.b2[:taught] = math.log((1 - share) / taught)
            self.conditional.b2[taught:] = math.log(share / free)

    def untrained(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (N, P) -> the last layer's and all standardised features."""
        return self.features.untrained(x)

    def embed(self, x: Tensor, known: Known = Known()) -> Tensor:
        """x: (N, P) -> h (N, d): a unit vector for each block, the whole of length 1."""
        h: Tensor = self.head(self.dropout(self.features(x, known)))
        if not self.config.unit:
            return h
        own, shared = h[:, : self._own], h[:, self._own :]
        blocks = F.normalize(own.unflatten(-1, (-1, self.config.width)), dim=-1).flatten(-2)
        whole = torch.cat([blocks, F.normalize(shared, dim=-1)], -1)
        unit: Tensor = whole / len(self.block_widths) ** 0.5
        return unit
