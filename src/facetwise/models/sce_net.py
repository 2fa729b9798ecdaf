"""SCE-Net (Tan et al., ICCV 2019): M masks, and the pair itself says how they are mixed.

METHODS 3.13. Similarity conditions without labels, as PAN's unsupervised ones, but mixed before the
comparison: the two embeddings are masked by one weighted sum of masks, and their distance is taken
once. The paper is known to us through its abstract; its weights come from the two vectors one after
the other, here from what swapping leaves as it is. Types are used for the features' means only.
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
from facetwise.similarity.typed import MixedMasks

__all__ = ["SCENet", "SCENetConfig"]


@dataclass(frozen=True)
class SCENetConfig(PairConfig):
    """What makes an SCE-Net model."""

    dim: Count = 64
    """Width of the embedding (METHODS 3.13)."""
    masks: Count = 5
    """M."""
    hidden: Count = 32
    """Width of the network that weighs the masks."""
    centre: bool = True
    """Take each type's mean away from its items' features, if `types` names them (FIELDNOTES,
    PAN 8); not in the paper, whose network is trained."""


class SCENet(PairModel):
    """Frozen features to a unit vector; pairs are compared under a mask of their own."""

    losses: ClassVar[tuple[str, ...]] = ("triplet", "edges")
    config: SCENetConfig

    def __init__(
        self,
        config: SCENetConfig,
        taught: Taught = Taught(),
        generator: torch.Generator | None = None,
        parts: Sequence[int] = PARTS,
    ) -> None:
        super().__init__(config, taught)
        self.head = TypedHead(
            parts,
            len(taught.types),
            config.dim,
            dropout=config.feature_dropout,
            centre=config.centre and bool(taught.types),
            generator=generator,
        )
        self.mixed = MixedMasks(config.dim, config.masks, config.hidden, generator)

    @property
    def dim(self) -> int:
        """Width of the embedding."""
        return self.config.dim

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """A free one for each mask."""
        return tuple(Condition(f"free {k}", None) for k in range(1, self.config.masks + 1))

    @property
    def similarity(self) -> MixedMasks:
        """P = 1 - distance / 2 under the mixed mask."""
        return self.mixed

    @property
    def parts(self) -> Mapping[str, Sequence[nn.Parameter]]:
        """The head, and the masks with their weights at the conditions' rate."""
        return {"head": list(self.head.parameters()), "conditions": list(self.mixed.parameters())}

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
        """x: (N, P) -> (N, dim), rows of length 1."""
        out: Tensor = self.head(x, known.types)
        return out
