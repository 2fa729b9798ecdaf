"""Pixels and words to features: frozen encoders, and the cache of what they gave."""

from facetwise.encoders.cache import image_features, pad_tokens, text_features
from facetwise.encoders.image import ImageEncoder, ImageFeatures
from facetwise.encoders.text import TextEncoder, TextFeatures

__all__ = [
    "ImageEncoder",
    "ImageFeatures",
    "TextEncoder",
    "TextFeatures",
    "image_features",
    "pad_tokens",
    "text_features",
]
