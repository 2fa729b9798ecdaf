"""Features to embeddings: pooling, PIE-Net, set prediction."""
