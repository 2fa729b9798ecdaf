"""Pixels and words to features: frozen encoders, the cache of what they gave, and towers."""

from facetwise.encoders.adapter import AdaptedGrid
from facetwise.encoders.augment import crop_and_flip, drop_cells
from facetwise.encoders.augment_words import (
    Marks,
    augment_texts,
    drop_caption,
    drop_tokens,
    drop_words,
    word_parts,
)
from facetwise.encoders.bigru import BiGRU
from facetwise.encoders.build import EncoderConfig, Encoders, Towers
from facetwise.encoders.cache import image_features, pad_tokens, text_features
from facetwise.encoders.features import (
    ImageEncoder,
    ImageFeatures,
    TextEncoder,
    TextFeatures,
    masked_mean,
)
from facetwise.encoders.glove import glove_vectors
from facetwise.encoders.graph import GraphEncoder, Neighbours, tidy_edges
from facetwise.encoders.lite import LiteEncoder
from facetwise.encoders.lite_top import LiteTop
from facetwise.encoders.minilm import MiniLM
from facetwise.encoders.regions import REGIONS, RegionFile, RegionTower
from facetwise.encoders.sequences import pool
from facetwise.encoders.standardise import Components, DimensionNorm, GridNorm, PartNorm
from facetwise.encoders.text_models import LanguageModel
from facetwise.encoders.towers import FrozenGrid, FrozenTokens, ImageTower, TextTower
from facetwise.encoders.transformers_grid import TransformersGrid
from facetwise.encoders.transformers_images import TransformersImages
from facetwise.encoders.transformers_text import TokenIds, TransformersText, TransformersWords
from facetwise.encoders.words import WordIds, vocabulary_of

__all__ = [
    "REGIONS",
    "AdaptedGrid",
    "BiGRU",
    "Components",
    "DimensionNorm",
    "EncoderConfig",
    "Encoders",
    "FrozenGrid",
    "FrozenTokens",
    "GraphEncoder",
    "GridNorm",
    "ImageEncoder",
    "ImageFeatures",
    "ImageTower",
    "LanguageModel",
    "LiteEncoder",
    "LiteTop",
    "Marks",
    "MiniLM",
    "Neighbours",
    "PartNorm",
    "RegionFile",
    "RegionTower",
    "TextEncoder",
    "TextFeatures",
    "TextTower",
    "TokenIds",
    "Towers",
    "TransformersGrid",
    "TransformersImages",
    "TransformersText",
    "TransformersWords",
    "WordIds",
    "augment_texts",
    "crop_and_flip",
    "drop_caption",
    "drop_cells",
    "drop_tokens",
    "drop_words",
    "glove_vectors",
    "image_features",
    "masked_mean",
    "pad_tokens",
    "pool",
    "text_features",
    "tidy_edges",
    "vocabulary_of",
    "word_parts",
]
