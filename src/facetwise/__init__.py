"""facetwise: similarity, facet by facet, between images and between images and text.

>>> import facetwise as fw
>>> issubclass(fw.InputError, fw.FacetwiseError)
True
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import (
        data,
        encoders,
        evaluation,
        explain,
        heads,
        losses,
        metrics,
        models,
        search,
        similarity,
        training,
    )
    from .data import AttributeTable, Collection, Item
    from .errors import FacetwiseError, InputError, ModelMismatchError, VersionError
    from .explain import Explanation
    from .models import Model, load
    from .search import Hit, Index
    from .training import fit

__version__ = "0.1.0.dev0"

__all__ = [
    "AttributeTable",
    "Collection",
    "Explanation",
    "FacetwiseError",
    "Hit",
    "Index",
    "InputError",
    "Item",
    "Model",
    "ModelMismatchError",
    "VersionError",
    "__version__",
    "data",
    "encoders",
    "evaluation",
    "explain",
    "fit",
    "heads",
    "load",
    "losses",
    "metrics",
    "models",
    "search",
    "similarity",
    "training",
]

# Where each name lives. They are imported at first use: PyTorch, LanceDB and Transformers take
# seconds, which `facetwise --help` and a script that only needs one room should not pay.
_HOME = {
    "AttributeTable": "data",
    "Collection": "data",
    "Explanation": "explain",
    "FacetwiseError": "errors",
    "Hit": "search",
    "Index": "search",
    "InputError": "errors",
    "Item": "data",
    "Model": "models",
    "ModelMismatchError": "errors",
    "VersionError": "errors",
    "fit": "training",
    "load": "models",
}
_ROOMS = frozenset(__all__) - frozenset(_HOME) - {"__version__"}


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f".{name}", __name__)
    if name in _HOME:
        value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
