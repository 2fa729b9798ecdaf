"""PAN over a graph encoder (METHODS 1.2): items that belong together lend each other features.

h = GE(x, edges), then conditions and their relevance as in `models.pan`. In training half of the
pairs that belong together are the graph's edges, and the other half what is to be told; afterwards
an item has only the edges that a protocol gives it (the shots of a few-shot class, the given items
of an outfit), and without any it is embedded by itself, as everywhere in an index.

Vectors of length 1, and conditions that start as metrics each on a block of its own, are ours as in
PAN; ``init = "xavier"``, ``unit = false``, ``standardise = "dimensions"`` are the paper's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facetwise.config import Count, Positive, Share, Within
from facetwise.encoders import DimensionNorm, GraphEncoder, PartNorm
from facetwise.encoders.lite import PARTS
from facetwise.errors import InputError
from facetwise.models.conditions import ConditionConfig, all_conditions
from facetwise.models.pair_model import Condition, Known, PairConfig, PairModel, Taught
from facetwise.similarity import ConditionalSimilarity

__all__ = ["GraphConfig", "GraphPAN", "GraphPANConfig"]


@dataclass(frozen=True)
class GraphConfig(PairConfig):
    """What makes a graph encoder and what is above it."""

    feature_dropout: Share = 0.0
    """Of the frozen features, before the dropout of the first layer."""
    widths: tuple[Count, ...] = (350, 350, 350)
    """Of the layers (METHODS 1.2: CGAE and CUB; (200, 200) on Polyvore)."""
    degree: Annotated[int, Within(0, 1)] = 1
    """Supports beside the identity (METHODS 1.2); 0 makes an MLP of it."""
    dropout: Share = 0.5
    """Of each layer's input (METHODS 1.5, 1.6)."""
    support_dropout: Share = 0.15
    """Share of the items that lose all edges in a step (METHODS 1.5, 1.6)."""
    edge_dropout: Share = 0.15
    """Share of the other edges that are left out (METHODS 1.6); 0 in the code for CUB (T-7)."""
    batch_norm: bool = True
    """After each layer (METHODS 1.2)."""
    unit: bool = True
    """Whether each block of h has length 1, ours (FIELDNOTES, PAN 2); the papers do not scale."""
    standardise: Literal["parts", "dimensions"] = "parts"
    """Features part by part to length 1 as in PAN, or every dimension to unit variance (1.5)."""
    init: Literal["blocks", "metric", "xavier"] = "metric"
    """Each condition a metric on its own block of h (the last width is rounded up to a multiple
    of their number), all of them a metric on all of h, or the papers' Xavier (FIELDNOTES, PAN)."""
    steepness: Positive = 5.0
    """a of the metric starts (FIELDNOTES, PAN 1)."""
    one_direction: bool = False
    """Legacy: episodes of CUB hold each edge in one direction only (METHODS T-6)."""
    doubled_loops: bool = False
    """Legacy: in training an item counts twice among its own neighbours (METHODS T-7)."""


@dataclass(frozen=True)
class GraphPANConfig(ConditionConfig, GraphConfig):
    """What makes PAN with a graph encoder."""

    feature_dropout: Share = 0.0
    """Of the frozen features, before the dropout of the first layer."""
    init: Literal["blocks", "metric", "xavier"] = "blocks"
    """As `GraphConfig.init`; several conditions on the same start stay one condition."""


class GraphPAN(PairModel):
    """Frozen pooled features and edges to h, and pairs of them to conditions and relevance."""

    losses: ClassVar[tuple[str, ...]] = ("edges", "triplet")
    whole: ClassVar[bool] = True
    config: GraphConfig

    def __init__(
        self,
        config: GraphConfig,
        taught: Taught = Taught(),
        generator: torch.Generator | None = None,
        parts: Sequence[int] = PARTS,
    ) -> None:
        super().__init__(config, taught)
        if not config.widths:
            raise InputError("[pairs] widths: a graph encoder has at least one layer, as [350]")
        self._conditions = self._named()
        M = len(self._conditions)
        *widths, last = config.widths
        self._blocks = M if config.init == "blocks" else 1
        last = -(-last // self._blocks) * self._blocks
        self.norm = DimensionNorm(parts) if config.standardise == "dimensions" else PartNorm(parts)
        self.dropout = nn.Dropout(config.feature_dropout)
        self.encoder = GraphEncoder(
            sum(parts),
            [*widths, last],
            degree=config.degree,
            dropout=config.dropout,
            support_dropout=config.support_dropout,
            edge_dropout=config.edge_dropout,
            batch_norm=config.batch_norm,
            one_direction=config.one_direction,
            doubled_loops=config.doubled_loops,
            generator=generator,
        )
        self.conditional = ConditionalSimilarity(
            last,
            M,
            init="xavier" if config.init == "xavier" else "metric",
            generator=generator,
            a=config.steepness,
        )

    def _named(self) -> tuple[Condition, ...]:
        assert isinstance(self.config, GraphPANConfig)
        return all_conditions(self.taught, self.config.free)

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
        """The encoder, and the conditional similarity at its own rate."""
        return {
            "head": list(self.encoder.parameters()),
            "conditions": list(self.conditional.parameters()),
        }

    @torch.no_grad()
    def fit_statistics(
        self, x: Tensor, known: Known = Known(), generator: torch.Generator | None = None
    ) -> None:
        """Set the statistics from the training pictures, (N, P), and scale W1 to what h is then."""
        self.norm.fit(x)
        h = self._scaled(self.encoder.start_statistics(self.norm(x), known.edges))
        if len(h) < 2 or bool((h == h[0]).all()):
            raise InputError(
                "a pair model needs training pictures that differ; these are all alike"
            )
        if self.config.init == "blocks":
            self.conditional.start_in_blocks(h, generator)
        elif self.config.init == "metric":
            self.conditional.calibrate(h, generator)

    def untrained(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (N, P) -> the last layer's and all standardised features."""
        out: Tensor = self.norm(x)
        return out[:, : self.norm.widths[0]], out

    def embed(self, x: Tensor, known: Known = Known()) -> Tensor:
        """x: (N, P), edges among them -> h (N, d), each block a unit vector if `unit`."""
        return self._scaled(self.encoder(self.dropout(self.norm(x)), known.edges))

    def _scaled(self, h: Tensor) -> Tensor:
        if not self.config.unit:
            return h
        blocks = h.unflatten(-1, (self._blocks, -1))
        scaled: Tensor = F.normalize(blocks, dim=-1).flatten(-2) / self._blocks**0.5
        return scaled
