"""Features to embeddings."""

from facetwise.heads.element_set import ElementSet
from facetwise.heads.gaussian import (
    Gaussian,
    GaussianEmbedding,
    GaussianGPO,
    gaussian_samples,
)
from facetwise.heads.gpo import GPO
from facetwise.heads.mixture import start_as_mixture
from facetwise.heads.pie_net import PIENet
from facetwise.heads.positions import grid_positions, sine_positions
from facetwise.heads.ridge import ridge, start_as_ridge
from facetwise.heads.set_prediction import AggregationBlock, SetPrediction
from facetwise.heads.slot_attention import SlotAttention
from facetwise.heads.tower import LocalDropout, Projection, local_projection
from facetwise.heads.transformer import TransformerHead

__all__ = [
    "GPO",
    "AggregationBlock",
    "ElementSet",
    "Gaussian",
    "GaussianEmbedding",
    "GaussianGPO",
    "LocalDropout",
    "PIENet",
    "Projection",
    "SetPrediction",
    "SlotAttention",
    "TransformerHead",
    "gaussian_samples",
    "grid_positions",
    "local_projection",
    "ridge",
    "sine_positions",
    "start_as_mixture",
    "start_as_ridge",
]
