"""What every image-image system has in common: pictures to vectors h, pairs of them to scores.

Each system is one file that says how h is made, how two of them are compared, under which
conditions, and what it may be trained by. What a picture does not show (its type, the items it
belongs with) comes in `Known`; a system that needs it does without where it is not there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from facetwise.config import Share
from facetwise.encoders import ImageFeatures
from facetwise.similarity import PairScore, PairSimilarity

__all__ = ["Condition", "Known", "PairConfig", "PairModel", "Taught"]


@dataclass(frozen=True)
class Condition:
    """A respect in which two images are similar or not.

    Attributes:
        name: the attribute group, an attribute (``wing=blue``), or ``free 1``, ``free 2``, ...
        group: the attribute group that it was taught, None if it is free.
    """

    name: str
    group: str | None

    @property
    def supervised(self) -> bool:
        """Whether attributes taught it."""
        return self.group is not None


@dataclass(frozen=True)
class Taught:
    """What a pair model knows by name; kept with a run.

    Attributes:
        conditions: those that attributes teach.
        types: values of the attribute group that says what an item is (`PairConfig.types`).
    """

    conditions: tuple[Condition, ...] = ()
    types: tuple[str, ...] = ()

    @classmethod
    def groups(cls, names: Sequence[str]) -> Taught:
        """A condition for each attribute group.

        >>> Taught.groups(["colour"]).conditions
        (Condition(name='colour', group='colour'),)
        """
        return cls(tuple(Condition(name, name) for name in names))


class Known(NamedTuple):
    """What is known of N items beside their pictures."""

    types: Tensor | None = None
    """(N,) int64 places in `Taught.types`, -1 where it is not known."""
    edges: Tensor | None = None
    """(E, 2) int64 pairs of items that belong together, each once."""
    labels: Tensor | None = None
    """(N,) int64 the classes that training tells apart, -1 for none; for starts in closed form."""
    values: tuple[Tensor, ...] = ()
    """For each taught condition (N, A) 1 where an item has a value, 0 where not, NaN where that is
    not known; for starts in closed form."""

    def rows(self, rows: Tensor) -> Known:
        """Of some items; edges are between items by their numbers, so they are left out."""
        return Known(None if self.types is None else self.types[rows])


@dataclass(frozen=True)
class PairConfig:
    """What all systems have."""

    types: str = ""
    """Attribute group that says what an item is, for systems that look at it; empty: none;
    ``auto``: found as for questions about outfits (`data.outfit_types`)."""
    feature_dropout: Share = 0.2
    """Of the frozen features, in training."""


class PairModel(nn.Module, ABC):
    """Features of pictures to vectors h (N, d), and pairs of them to scores.

    Args:
        config: of the system.
        taught: conditions and types by name.
    """

    losses: ClassVar[tuple[str, ...]] = ("triplet", "edges")
    """What it may be trained by (`training.pair_objectives`); the first is the default."""

    whole: ClassVar[bool] = False
    """Whether an item's vector depends on the others, so that all are embedded in each step."""

    def __init__(self, config: PairConfig, taught: Taught) -> None:
        super().__init__()
        self.config = config
        self.taught = taught

    # -- what a system says of itself -----------------------------------------------------------

    @property
    @abstractmethod
    def dim(self) -> int:
        """D."""

    @property
    @abstractmethod
    def conditions(self) -> tuple[Condition, ...]:
        """M of them, in the order of `PairScore.conditions`."""

    @property
    @abstractmethod
    def similarity(self) -> PairSimilarity:
        """Of two vectors h."""

    @abstractmethod
    def fit_statistics(
        self, x: Tensor, known: Known = Known(), generator: torch.Generator | None = None
    ) -> None:
        """Take the statistics of the training pictures, as `prepare` gives them, (N, P)."""

    @abstractmethod
    def embed(self, x: Tensor, known: Known = Known()) -> Tensor:
        """x: (N, P) as `prepare` gives it -> h (N, d)."""

    @abstractmethod
    def untrained(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What no training gives, for controls: the last layer (N, P0) and all the standardised
        features that the head sees (N, P).
        """

    @property
    @abstractmethod
    def parts(self) -> Mapping[str, Sequence[nn.Parameter]]:
        """Parameters by their learning rate: ``head`` and ``conditions``."""

    def prepare(self, features: ImageFeatures) -> Tensor:
        """What of the features is looked at, (N, P); done once for all training pictures."""
        return features.pooled

    # -- pairs ----------------------------------------------------------------------------------

    def forward(self, h1: Tensor, h2: Tensor) -> PairScore:
        """h1, h2: (P, d) -> score (P,), conditions (P, M), relevance (P, M)."""
        return self.similarity(h1, h2)

    def against(self, query: Tensor, gallery: Tensor, factors: Tensor | None = None) -> Tensor:
        """Scores of all pairs: query (Q, d), gallery (N, d) -> (Q, N)."""
        return self.similarity.against(query, gallery, factors=factors)
