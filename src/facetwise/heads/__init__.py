"""Features to embeddings."""

from facetwise.heads.ridge import ridge, start_as_ridge
from facetwise.heads.set_prediction import (
    AggregationBlock,
    ElementSet,
    SetPrediction,
    sine_positions,
)
from facetwise.heads.tower import Projection

__all__ = [
    "AggregationBlock",
    "ElementSet",
    "Projection",
    "SetPrediction",
    "ridge",
    "sine_positions",
    "start_as_ridge",
]
