"""Scores to a number to minimise."""

from facetwise.losses.conditional import attribute_loss, conditional
from facetwise.losses.contrastive import info_nce
from facetwise.losses.diversity import diversity
from facetwise.losses.mmd import mmd
from facetwise.losses.relevance import relevance_kl
from facetwise.losses.triplet import batch_triplet, triplet

__all__ = [
    "attribute_loss",
    "batch_triplet",
    "conditional",
    "diversity",
    "info_nce",
    "mmd",
    "relevance_kl",
    "triplet",
]
