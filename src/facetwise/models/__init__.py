"""One file for each system of a paper, and the `Model` that holds what was trained."""

from facetwise.models.caan import CAAN, CAANConfig
from facetwise.models.cgae import CGAE, CGAEConfig
from facetwise.models.devise import DeViSE, DeViSEConfig
from facetwise.models.dive import DivE, DivEConfig
from facetwise.models.embedding import ImageEmbedding, TextEmbedding
from facetwise.models.graph_pan import GraphPAN, GraphPANConfig
from facetwise.models.model import Model
from facetwise.models.pair_model import Condition, Known, PairConfig, PairModel, Taught
from facetwise.models.pair_systems import PAIR_SYSTEMS, build_pairs
from facetwise.models.pan import PAN, PANConfig
from facetwise.models.pcme import PCME, PCMEConfig
from facetwise.models.pcmepp import PCMEPP, PCMEPPConfig
from facetwise.models.proxy_nca import ProxyNCA, ProxyNCAConfig
from facetwise.models.proxy_pan import ProxyPAN, ProxyPANConfig
from facetwise.models.pvse import PVSE, PVSEConfig
from facetwise.models.run import load
from facetwise.models.scan import SCAN, SCANConfig
from facetwise.models.sce_net import SCENet, SCENetConfig
from facetwise.models.set_model import SetConfig, SetModel
from facetwise.models.siamese import Siamese, SiameseConfig
from facetwise.models.slot_attention import SlotAttentionConfig, SlotAttentionModel
from facetwise.models.systems import SET_SYSTEMS, build_sets
from facetwise.models.type_aware import TypeAware, TypeAwareConfig
from facetwise.models.virtex import VirTex, VirTexConfig
from facetwise.models.vse import VSE, VSEConfig
from facetwise.models.vse_infinity import VSEInfinity, VSEInfinityConfig

__all__ = [
    "CAAN",
    "CGAE",
    "PAIR_SYSTEMS",
    "PAN",
    "PCME",
    "PCMEPP",
    "PVSE",
    "SCAN",
    "SET_SYSTEMS",
    "VSE",
    "CAANConfig",
    "CGAEConfig",
    "Condition",
    "DeViSE",
    "DeViSEConfig",
    "DivE",
    "DivEConfig",
    "GraphPAN",
    "GraphPANConfig",
    "ImageEmbedding",
    "Known",
    "Model",
    "PANConfig",
    "PCMEConfig",
    "PCMEPPConfig",
    "PVSEConfig",
    "PairConfig",
    "PairModel",
    "ProxyNCA",
    "ProxyNCAConfig",
    "ProxyPAN",
    "ProxyPANConfig",
    "SCANConfig",
    "SCENet",
    "SCENetConfig",
    "SetConfig",
    "SetModel",
    "Siamese",
    "SiameseConfig",
    "SlotAttentionConfig",
    "SlotAttentionModel",
    "Taught",
    "TextEmbedding",
    "TypeAware",
    "TypeAwareConfig",
    "VSEConfig",
    "VSEInfinity",
    "VSEInfinityConfig",
    "VirTex",
    "VirTexConfig",
    "build_pairs",
    "build_sets",
    "load",
]
