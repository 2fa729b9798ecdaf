"""The training loop, recipes, and `fit`."""

from facetwise.training.fit import fit
from facetwise.training.recipe import Recipe, recipes

__all__ = ["Recipe", "fit", "recipes"]
