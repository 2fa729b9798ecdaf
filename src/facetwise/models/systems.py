"""The image-text systems by the names that recipes and runs give them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import torch

from facetwise.encoders import Encoders
from facetwise.models.caan import CAAN, CAANConfig
from facetwise.models.devise import DeViSE, DeViSEConfig
from facetwise.models.dive import DivE, DivEConfig
from facetwise.models.pcme import PCME, PCMEConfig
from facetwise.models.pcmepp import PCMEPP, PCMEPPConfig
from facetwise.models.pvse import PVSE, PVSEConfig
from facetwise.models.scan import SCAN, SCANConfig
from facetwise.models.set_model import SetConfig, SetModel
from facetwise.models.slot_attention import SlotAttentionConfig, SlotAttentionModel
from facetwise.models.vse import VSE, VSEConfig
from facetwise.models.vse_infinity import VSEInfinity, VSEInfinityConfig

__all__ = ["SET_SYSTEMS", "build_sets", "system_name"]

SET_SYSTEMS: Final[Mapping[str, tuple[type[Any], type[SetConfig]]]] = MappingProxyType(
    {
        "dive": (DivE, DivEConfig),
        "vse": (VSE, VSEConfig),
        "vse_infinity": (VSEInfinity, VSEInfinityConfig),
        "pvse": (PVSE, PVSEConfig),
        "pcme": (PCME, PCMEConfig),
        "pcmepp": (PCMEPP, PCMEPPConfig),
        "devise": (DeViSE, DeViSEConfig),
        "scan": (SCAN, SCANConfig),
        "caan": (CAAN, CAANConfig),
        "slot_attention": (SlotAttentionModel, SlotAttentionConfig),
    }
)
"""``model`` in a recipe's table [sets] to the system's class and configuration."""


def build_sets(
    config: SetConfig, encoders: Encoders, generator: torch.Generator | None = None
) -> SetModel:
    """A new model of the system that `config` belongs to, on towers of these encoders.

    >>> build_sets(VSEConfig(dim=8), Encoders()).K
    1
    """
    system = SET_SYSTEMS[system_name(config)][0]
    model: SetModel = system(config, encoders.towers(generator), generator)
    return model


def system_name(config: SetConfig) -> str:
    """What the system is called in a recipe."""
    return next(name for name, (_, kind) in SET_SYSTEMS.items() if kind is type(config))
