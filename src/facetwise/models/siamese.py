"""The siamese rival of PAN: a linear head on the same frozen features, triplet loss, cosine.

METHODS 1.5 and 3.12; on these features a tuned one is hard to beat (FIELDNOTES, PAN 7). It has
what PAN has before the conditions: the weighed features, and the start of the head.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facetwise.config import Count
from facetwise.encoders.lite import PARTS
from facetwise.heads.discriminant import within_class_start
from facetwise.models.pair_features import PairFeatures, Standardise
from facetwise.models.pair_model import Condition, Known, PairConfig, PairModel, Taught
from facetwise.similarity import CosineSimilarity

__all__ = ["Siamese", "SiameseConfig"]


@dataclass(frozen=True)
class SiameseConfig(PairConfig):
    """What makes a siamese model."""

    dim: Count = 256
    """Width of the embedding."""
    standardise: Standardise = "weighed"
    """Features, as of PAN."""
    start: Literal["classes", "random"] = "classes"
    """Of the head: whitened within the training classes (`heads.discriminant`), or orthogonal."""
    attribute_head: bool = False
    """In training also tell each item's attributes from its embedding (METHODS 1.5), with the
    weight ``attribute_weight``."""


class Siamese(PairModel):
    """Frozen pooled features to one unit vector; pairs are compared by cosine."""

    losses: ClassVar[tuple[str, ...]] = ("triplet", "info_nce")
    config: SiameseConfig

    def __init__(
        self,
        config: SiameseConfig,
        taught: Taught = Taught(),
        generator: torch.Generator | None = None,
        parts: Sequence[int] = PARTS,
    ) -> None:
        super().__init__(config, taught)
        self.features = PairFeatures(parts, config.standardise, len(taught.types))
        self.dropout = nn.Dropout(config.feature_dropout)
        self.head = nn.Linear(sum(parts), config.dim, bias=False)
        nn.init.orthogonal_(self.head.weight, generator=generator)
        self.cosine = CosineSimilarity()

    @property
    def dim(self) -> int:
        """Width of the embedding."""
        return self.config.dim

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The one similarity."""
        return (Condition("similarity", None),)

    @property
    def similarity(self) -> CosineSimilarity:
        """The cosine."""
        return self.cosine

    @property
    def parts(self) -> Mapping[str, Sequence[nn.Parameter]]:
        """All of it is the head."""
        return {"head": list(self.head.parameters())}

    @torch.no_grad()
    def fit_statistics(
        self, x: Tensor, known: Known = Known(), generator: torch.Generator | None = None
    ) -> None:
        """Set the statistics of the training pictures, (N, P), and start the head."""
        self.features.fit(x, known, generator)
        if self.config.start == "classes" and known.labels is not None:
            z = self.features(x, known)
            start = within_class_start(z, known.labels, self.config.dim, generator=generator)
            self.head.weight.copy_(start)

    def untrained(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (N, P) -> the last layer's and all standardised features."""
        return self.features.untrained(x)

    def embed(self, x: Tensor, known: Known = Known()) -> Tensor:
        """x: (N, P) -> (N, dim), rows of length 1."""
        return F.normalize(self.head(self.dropout(self.features(x, known))), dim=-1)
