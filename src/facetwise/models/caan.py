"""CAAN (Zhang et al., CVPR 2020): regions and words weighed by the pair that they are compared in.

Sets as SCAN's; the similarity (METHODS 3.7, `similarity.context_attention`) has weights of its own,
which are the model's. What could not be confirmed of the paper's equations is said there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from facetwise.config import Count
from facetwise.encoders import Towers
from facetwise.models.scan import LocalSets
from facetwise.models.set_model import SetConfig
from facetwise.similarity import ContextAttention, ContextSimilarity, NamedSimilarity

__all__ = ["CAAN", "CAANConfig"]


@dataclass(frozen=True)
class CAANConfig(SetConfig):
    """What makes a CAAN model; `hidden` plays no part."""

    attention_hidden: Count = 256
    """Width of Q; the paper's is not known to us."""


class CAAN(LocalSets):
    """Context-aware attention over local features."""

    config: CAANConfig

    def __init__(
        self, config: CAANConfig, towers: Towers, generator: torch.Generator | None = None
    ) -> None:
        super().__init__(config, towers, generator)
        self.context = ContextAttention(
            config.dim, hidden=config.attention_hidden, generator=generator
        )

    @property
    def similarity(self) -> NamedSimilarity:
        """Context-aware attention, with the model's weights."""
        return ContextSimilarity(module=self.context)

    def module_parameters(self) -> Iterator[nn.Parameter]:
        """Of the attention."""
        yield from self.context.parameters()
