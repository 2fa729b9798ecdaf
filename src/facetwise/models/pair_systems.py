"""The image-image systems by the names that recipes and runs give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import torch

from facetwise.encoders.lite import PARTS
from facetwise.models.cgae import CGAE, CGAEConfig
from facetwise.models.graph_pan import GraphPAN, GraphPANConfig
from facetwise.models.pair_model import PairConfig, PairModel, Taught
from facetwise.models.pan import PAN, PANConfig
from facetwise.models.proxy_nca import ProxyNCA, ProxyNCAConfig
from facetwise.models.proxy_pan import ProxyPAN, ProxyPANConfig
from facetwise.models.sce_net import SCENet, SCENetConfig
from facetwise.models.siamese import Siamese, SiameseConfig
from facetwise.models.type_aware import TypeAware, TypeAwareConfig

__all__ = ["PAIR_SYSTEMS", "build_pairs", "pair_system_name"]

PAIR_SYSTEMS: Final[Mapping[str, tuple[type[Any], type[PairConfig]]]] = MappingProxyType(
    {
        "pan": (PAN, PANConfig),
        "graph_pan": (GraphPAN, GraphPANConfig),
        "cgae": (CGAE, CGAEConfig),
        "siamese": (Siamese, SiameseConfig),
        "proxy_nca": (ProxyNCA, ProxyNCAConfig),
        "proxy_pan": (ProxyPAN, ProxyPANConfig),
        "type_aware": (TypeAware, TypeAwareConfig),
        "sce_net": (SCENet, SCENetConfig),
    }
)
"""``model`` in a recipe's table [pairs] to the system's class and configuration."""


def build_pairs(
    config: PairConfig,
    taught: Taught = Taught(),
    generator: torch.Generator | None = None,
    parts: Sequence[int] = PARTS,
) -> PairModel:
    """A new model of the system that `config` belongs to.

    Args:
        config: of the system.
        taught: conditions and types by name.
        generator: randomness of the start.
        parts: widths of the encoder's global features.

    >>> build_pairs(SiameseConfig(dim=8)).dim
    8
    """
    system = PAIR_SYSTEMS[pair_system_name(config)][0]
    model: PairModel = system(config, taught, generator, parts)
    return model


def pair_system_name(config: PairConfig) -> str:
    """What the system is called in a recipe."""
    return next(name for name, (_, kind) in PAIR_SYSTEMS.items() if kind is type(config))
