"""PAN on top of ProxyNCA++: its encoder, with PAN's conditions on the pair (METHODS 1.7).

The paper compares PAN on In-Shop with ProxyNCA++ as its image encoder, but neither text nor code
says how they are joined. **This is our own reading**: one vector h serves both, the proxies under
its cosine and the conditional similarity on |h_i - h_j|, with the loss L_proxy + L_edge +
lambda L_attr over the pairs of class-balanced batches, in which positives and negatives weigh the
same. h is cut into a block for each condition as in `models.pan`. A large gallery is ranked by the
cosine, and the first hundred again by p; the full ranking by p stands beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from facetwise.encoders import ImageFeatures
from facetwise.encoders.lite import PARTS
from facetwise.models.pair_model import Taught
from facetwise.models.pan import PAN, PANConfig
from facetwise.models.proxy_nca import Pool, ProxyFeatures, pooled_for_proxies

__all__ = ["ProxyPAN", "ProxyPANConfig"]


@dataclass(frozen=True)
class ProxyPANConfig(PANConfig):
    """What makes a PAN on ProxyNCA++."""

    pool: Pool = "max"
    """As of ``proxy_nca``."""


class ProxyPAN(PAN):
    """Max-pooled, layer-normed features to blocks h; pairs to conditions and relevance."""

    losses: ClassVar[tuple[str, ...]] = ("proxy_edges", "proxy", "triplet", "edges")
    config: ProxyPANConfig

    def __init__(
        self,
        config: ProxyPANConfig,
        taught: Taught = Taught(),
        generator: torch.Generator | None = None,
        parts: Sequence[int] = PARTS,
    ) -> None:
        widths = parts if config.pool == "features" else parts[:1]
        super().__init__(config, taught, generator, widths)
        self.features = ProxyFeatures(widths)  # type: ignore[assignment]

    def prepare(self, features: ImageFeatures) -> Tensor:
        """(N, P) as `pool` says."""
        return pooled_for_proxies(features, self.config.pool, self.features.norm.widths)
