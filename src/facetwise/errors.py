"""The errors a user can meet. Each message is one line: where, what was expected, the way out."""

from __future__ import annotations

__all__ = ["FacetwiseError", "InputError", "ModelMismatchError", "VersionError"]


class FacetwiseError(Exception):
    """Anything that facetwise refuses or cannot do; the message says the way out."""


class InputError(FacetwiseError, ValueError):
    """What was given (a file, a row, an option) is not what was expected."""


class VersionError(FacetwiseError):
    """A collection, run or index that a newer facetwise made."""


class ModelMismatchError(FacetwiseError):
    """An index that is opened with another model than the one that made it."""
