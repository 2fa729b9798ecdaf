"""Features to embeddings."""

from facetwise.heads.ridge import ridge, start_as_ridge
from facetwise.heads.set_prediction import (
    AggregationBlock,
    ElementSet,
    SetPrediction,
    sine_positions,
)
from facetwise.heads.standardise import Components, PartNorm
from facetwise.heads.tower import Projection, masked_mean

__all__ = [
    "AggregationBlock",
    "Components",
    "ElementSet",
    "PartNorm",
    "Projection",
    "SetPrediction",
    "masked_mean",
    "ridge",
    "sine_positions",
    "start_as_ridge",
]
