"""One file for each system of a paper, and the `Model` that holds what was trained."""

from facetwise.models.dive import DivE, DivEConfig
from facetwise.models.embedding import ImageEmbedding, TextEmbedding
from facetwise.models.model import Model
from facetwise.models.pan import PAN, Condition, PANConfig
from facetwise.models.run import load
from facetwise.models.set_model import SetConfig, SetModel
from facetwise.models.siamese import Siamese, SiameseConfig
from facetwise.models.systems import SET_SYSTEMS, build_sets
from facetwise.models.vse import VSE, VSEConfig

__all__ = [
    "PAN",
    "SET_SYSTEMS",
    "VSE",
    "Condition",
    "DivE",
    "DivEConfig",
    "ImageEmbedding",
    "Model",
    "PANConfig",
    "SetConfig",
    "SetModel",
    "Siamese",
    "SiameseConfig",
    "TextEmbedding",
    "VSEConfig",
    "build_sets",
    "load",
]
