"""Scores and truth to a figure: pure functions, fractions unless they say percent."""

from facetwise.metrics.bootstrap import Interval, bootstrap_difference, bootstrap_mean, rsum_terms
from facetwise.metrics.clustering import nmi, nmi_of
from facetwise.metrics.correlation import (
    BootstrapCorrelation,
    Correlations,
    bootstrap_spearman,
    kendall_tau,
    rank_correlations,
    spearman,
)
from facetwise.metrics.few_shot import MeanInterval, few_shot_accuracy, mean_interval
from facetwise.metrics.folds import Fold, fold_places, folds_of
from facetwise.metrics.from_ranks import (
    average_precisions,
    first_ranks,
    map_at_r_from_ranks,
    mean_known,
    median_from_ranks,
    r_precision_from_ranks,
    r_precisions,
    recall_from_ranks,
)
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
from facetwise.metrics.rankings import fold_ranking_ranks, numbered, ranking_ranks
from facetwise.metrics.variance import circular_variance

__all__ = [
    "BootstrapCorrelation",
    "Correlations",
    "Fold",
    "Interval",
    "MeanInterval",
    "Places",
    "Positives",
    "Ties",
    "average_precisions",
    "bootstrap_difference",
    "bootstrap_mean",
    "bootstrap_spearman",
    "circular_variance",
    "compatibility_auc",
    "distinct_images",
    "few_shot_accuracy",
    "first_places",
    "first_ranks",
    "fitb_accuracy",
    "fold_places",
    "fold_ranking_ranks",
    "folds_of",
    "hits_at_k",
    "kendall_tau",
    "map_at_r",
    "map_at_r_from_ranks",
    "mean_interval",
    "mean_known",
    "median_from_ranks",
    "median_rank",
    "nmi",
    "nmi_of",
    "numbered",
    "owner_relevance",
    "positive_ranks",
    "r_precision",
    "r_precision_from_ranks",
    "r_precisions",
    "rank_correlations",
    "ranking_ranks",
    "ranks",
    "recall_at_k",
    "recall_from_ranks",
    "rsum",
    "rsum_terms",
    "spearman",
]
