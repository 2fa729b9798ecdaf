"""Pixels and words to features: frozen encoders, the cache of what they gave, and towers."""

from facetwise.encoders.build import EncoderConfig, Encoders, Towers
from facetwise.encoders.cache import image_features, pad_tokens, text_features
from facetwise.encoders.features import (
    ImageEncoder,
    ImageFeatures,
    TextEncoder,
    TextFeatures,
    masked_mean,
)
from facetwise.encoders.lite import LiteEncoder
from facetwise.encoders.minilm import MiniLM
from facetwise.encoders.standardise import Components, PartNorm
from facetwise.encoders.towers import FrozenGrid, FrozenTokens, ImageTower, TextTower

__all__ = [
    "Components",
    "EncoderConfig",
    "Encoders",
    "FrozenGrid",
    "FrozenTokens",
    "ImageEncoder",
    "ImageFeatures",
    "ImageTower",
    "LiteEncoder",
    "MiniLM",
    "PartNorm",
    "TextEncoder",
    "TextFeatures",
    "TextTower",
    "Towers",
    "image_features",
    "masked_mean",
    "pad_tokens",
    "text_features",
]
