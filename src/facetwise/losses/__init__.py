"""Scores to a number to minimise."""

from facetwise.losses.conditional import attribute_loss, conditional
from facetwise.losses.contrastive import info_nce
from facetwise.losses.diversity import diversity, gram_diversity, uniformity
from facetwise.losses.many import many_positives
from facetwise.losses.mmd import mmd
from facetwise.losses.pair_nce import pair_info_nce
from facetwise.losses.probabilistic import mixed_targets, pair_bce
from facetwise.losses.proxy_nca import proxy_nca
from facetwise.losses.rank import rank_loss
from facetwise.losses.relevance import relevance_kl, relevance_truth
from facetwise.losses.soft_contrastive import match_logits, soft_contrastive
from facetwise.losses.triplet import batch_triplet, pair_triplet, triplet
from facetwise.losses.vib import vib

__all__ = [
    "attribute_loss",
    "batch_triplet",
    "conditional",
    "diversity",
    "gram_diversity",
    "info_nce",
    "many_positives",
    "match_logits",
    "mixed_targets",
    "mmd",
    "pair_bce",
    "pair_info_nce",
    "pair_triplet",
    "proxy_nca",
    "rank_loss",
    "relevance_kl",
    "relevance_truth",
    "soft_contrastive",
    "triplet",
    "uniformity",
    "vib",
]
