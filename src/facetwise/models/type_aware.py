"""Type-aware embeddings (Vasileva et al., ECCV 2018): a mask for each pair of types.

METHODS 3.13: a 64-d embedding; a shoe and a dress are compared in the space of shoes with dresses,
a shoe and a hat in another one; triplets of an item, one that goes with it, and one of that one's
type that does not. The paper's other losses are left out: those of its visual-semantic embedding
(texts), and the small L1 and L2 terms on masks and embeddings. Where types are not known the
masks of all pairs are averaged, and with none at all it is one mask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from facetwise.config import Count
from facetwise.encoders.lite import PARTS
from facetwise.models.pair_model import Condition, Known, PairConfig, PairModel, Taught
from facetwise.models.typed_head import TypedHead
from facetwise.similarity.typed import TypeMasks

__all__ = ["TypeAware", "TypeAwareConfig"]


@dataclass(frozen=True)
class TypeAwareConfig(PairConfig):
    """What makes a type-aware model."""

    types: str = "auto"
    """Attribute group that says what an item is; ``auto``: found as for questions about outfits."""
    dim: Count = 64
    """Width of the embedding (METHODS 3.13)."""
    centre: bool = True
    """Take each type's mean away from its items' features (FIELDNOTES, PAN 8); not in the paper,
    whose network is trained."""


class TypeAware(PairModel):
    """Frozen features and a type to h = (e, type); pairs are compared under their types' mask."""

    losses: ClassVar[tuple[str, ...]] = ("triplet", "edges")
    config: TypeAwareConfig

    def __init__(
        self,
        config: TypeAwareConfig,
        taught: Taught = Taught(),
        generator: torch.Generator | None = None,
        parts: Sequence[int] = PARTS,
    ) -> None:
        super().__init__(config, taught)
        types = max(1, len(taught.types))
        self.head = TypedHead(
            parts,
            types,
            config.dim,
            dropout=config.feature_dropout,
            centre=config.centre,
            generator=generator,
        )
        self.masks = TypeMasks(config.dim, types, generator)

    @property
    def dim(self) -> int:
        """Width of h: of the embedding and the types."""
        return self.config.dim + self.masks.types

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The one similarity; its space is the types' to say."""
        return (Condition("similarity", None),)

    @property
    def similarity(self) -> TypeMasks:
        """P = 1 - distance / 2 in the space of the two types."""
        return self.masks

    @property
    def parts(self) -> Mapping[str, Sequence[nn.Parameter]]:
        """The head, and the masks at the conditions' rate."""
        return {"head": list(self.head.parameters()), "conditions": list(self.masks.parameters())}

    def fit_statistics(
        self, x: Tensor, known: Known = Known(), generator: torch.Generator | None = None
    ) -> None:
        """Set the statistics from the training pictures, (N, P), and their types."""
        self.head.fit(x, known.types)

    def untrained(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (N, P) -> the last layer's and all standardised features."""
        out: Tensor = self.head.norm(x)
        return out[:, : self.head.norm.widths[0]], out

    def embed(self, x: Tensor, known: Known = Known()) -> Tensor:
        """x: (N, P) -> h (N, d + T): a unit vector, and small behind it what the item is."""
        return self.masks.joined(self.head(x, known.types), known.types)
