"""Index: an embedded collection, searched exactly, filtered, steered and explained."""

from .index import Hit, Index
from .query import IndexedItem, Query

__all__ = ["Hit", "Index", "IndexedItem", "Query"]
