"""Embeddings to scores: set similarities, match probability, conditional similarity."""

from facetwise.similarity.attributes import attribute_mask, combine_attributes
from facetwise.similarity.coarse import CoarseScores, coarse_score_matrix, has_coarse_scores
from facetwise.similarity.conditional import ConditionalSimilarity, PairScore, steer
from facetwise.similarity.context_attention import ContextAttention, ContextSimilarity
from facetwise.similarity.cross_attention import cross_attention
from facetwise.similarity.directed import directed_smooth_chamfer
from facetwise.similarity.gaussians import gaussian_match, sampled_distance
from facetwise.similarity.named import SIMILARITIES, NamedSimilarity, SetSimilarity, real_slots
from facetwise.similarity.pairs import CosineSimilarity, PairSimilarity, against_many
from facetwise.similarity.probability import match_probability
from facetwise.similarity.relevance import relevance_entropy, relevance_mass
from facetwise.similarity.sets import (
    average,
    chamfer,
    max_pair,
    mean_vectors,
    slot_cosines,
    smooth_chamfer,
    unit,
)
from facetwise.similarity.tiles import score_matrix, score_pairs
from facetwise.similarity.typed import MixedMasks, TypeMasks, masked_score

__all__ = [
    "SIMILARITIES",
    "CoarseScores",
    "ConditionalSimilarity",
    "ContextAttention",
    "ContextSimilarity",
    "CosineSimilarity",
    "MixedMasks",
    "NamedSimilarity",
    "PairScore",
    "PairSimilarity",
    "SetSimilarity",
    "TypeMasks",
    "against_many",
    "attribute_mask",
    "average",
    "chamfer",
    "coarse_score_matrix",
    "combine_attributes",
    "cross_attention",
    "directed_smooth_chamfer",
    "gaussian_match",
    "has_coarse_scores",
    "masked_score",
    "match_probability",
    "max_pair",
    "mean_vectors",
    "real_slots",
    "relevance_entropy",
    "relevance_mass",
    "sampled_distance",
    "score_matrix",
    "score_pairs",
    "slot_cosines",
    "smooth_chamfer",
    "steer",
    "unit",
]
