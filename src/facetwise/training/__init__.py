"""The one Lightning module, optimiser groups, checkpoints, and fit."""
