"""Scores and truth to a figure: pure functions, fractions unless they say percent."""

from facetwise.metrics.few_shot import MeanInterval, few_shot_accuracy, mean_interval
from facetwise.metrics.outfits import compatibility_auc, fitb_accuracy
from facetwise.metrics.places import Places, Ties
from facetwise.metrics.positives import Positives, first_places, positive_ranks
from facetwise.metrics.precision import map_at_r, r_precision
from facetwise.metrics.ranking import (
    distinct_images,
    hits_at_k,
    median_rank,
    owner_relevance,
    ranks,
    recall_at_k,
    rsum,
)
from facetwise.metrics.variance import circular_variance

__all__ = [
    "MeanInterval",
    "Places",
    "Positives",
    "Ties",
    "circular_variance",
    "compatibility_auc",
    "distinct_images",
    "few_shot_accuracy",
    "first_places",
    "fitb_accuracy",
    "hits_at_k",
    "map_at_r",
    "mean_interval",
    "median_rank",
    "owner_relevance",
    "positive_ranks",
    "r_precision",
    "ranks",
    "recall_at_k",
    "rsum",
]
