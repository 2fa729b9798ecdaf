"""Why: a set score by slots, a pair score by conditions, and pictures of them."""

from .facets import Explanation, Facet, Word

__all__ = ["Explanation", "Facet", "Word"]
