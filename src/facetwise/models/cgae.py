"""CGAE (Cucurull et al., CVPR 2019): a graph encoder, and p = sigmoid(w |h_i - h_j| + b).

That is PAN over the same encoder with a single condition, whose relevance is 1 (METHODS 3.11).
"""

from __future__ import annotations

from dataclasses import dataclass

from facetwise.models.graph_pan import GraphConfig, GraphPAN
from facetwise.models.pair_model import Condition

__all__ = ["CGAE", "CGAEConfig"]


@dataclass(frozen=True)
class CGAEConfig(GraphConfig):
    """What makes a CGAE; its settings are the encoder's."""


class CGAE(GraphPAN):
    """Frozen pooled features and edges to h, and pairs of them to one similarity.

    >>> [condition.name for condition in CGAE(CGAEConfig(widths=(8,))).conditions]
    ['similarity']
    """

    def _named(self) -> tuple[Condition, ...]:
        return (Condition("similarity", None),)
