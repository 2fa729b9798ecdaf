"""Embeddings to scores: set similarities, match probability, conditional similarity."""
