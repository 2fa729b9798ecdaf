"""One thin file for each command: a frozen dataclass that says its options, and `run`.

The modules import nothing heavy at their top, so that `facetwise --help` is instant.
"""

from __future__ import annotations

__all__: list[str] = []
