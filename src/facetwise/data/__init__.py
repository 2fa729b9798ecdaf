"""What comes in: collections, own files, transforms, splits, sampling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facetwise.data.collection import Collection
from facetwise.data.item import Item, Problem

if TYPE_CHECKING:
    from facetwise.data.attributes import AttributeTable

__all__ = ["AttributeTable", "Collection", "Item", "Problem"]


def __getattr__(name: str) -> Any:
    if name == "AttributeTable":  # it needs PyTorch, which inspecting a collection does not
        from facetwise.data.attributes import AttributeTable

        return AttributeTable
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
