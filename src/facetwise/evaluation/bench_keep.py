"""What every bench keeps of a training: figures beside the run, and how long it took.

A finished training is a JSON file, with the tensors that intervals are made of; it is not computed
again. One that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from torch import Tensor

from facetwise.files import locked, write_bytes, write_text

__all__ = ["FIGURES", "Clock", "finished", "kept_once", "terms_of", "watched_in"]

FIGURES: Final = "figures.json"
_TERMS: Final = "terms.safetensors"


def kept_once(
    folder: Path,
    key: Mapping[str, Any],
    make: Callable[[], tuple[dict[str, Any], Mapping[str, Tensor]]],
) -> dict[str, Any]:
    """The figures of a training: those in its folder, or made now and kept there.

    Args:
        folder: of the training.
        key: decides how it turns out; what is there under another key is thrown away.
        make: trains and measures: figures (JSON-able), and tensors that intervals are made of.

    Raises:
        KeyboardInterrupt: the state of the training is kept.
        FacetwiseError: another process is at this training.
    """
    from safetensors.torch import save

    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        kept = finished(folder, key)
        if kept is not None:
            return kept
        # A training under another key cannot be gone on with.
        about, begun = json.dumps(key, indent=1), folder / "key.json"
        if not begun.exists() or begun.read_text(encoding="utf-8") != about:
            shutil.rmtree(folder, ignore_errors=True)
            write_text(begun, about)
        figures, terms = make()
        tensors = {name: value.contiguous() for name, value in terms.items()}
        write_bytes(folder / _TERMS, save(tensors))
        write_text(folder / FIGURES, json.dumps({"key": key, "figures": figures}, indent=1) + "\n")
        begun.unlink()
    return figures


def finished(folder: Path, key: Mapping[str, Any]) -> dict[str, Any] | None:
    """The figures in a training's folder, if they are of this key."""
    try:
        saved = json.loads((folder / FIGURES).read_text(encoding="utf-8"))
        same = saved["key"] == key and (folder / _TERMS).exists()
        found: dict[str, Any] | None = saved["figures"] if same else None
    except (OSError, ValueError, KeyError):
        return None
    return found


def terms_of(folder: Path) -> dict[str, Tensor]:
    """The tensors that `kept_once` kept."""
    from safetensors.torch import load_file

    return load_file(folder / _TERMS)


def watched_in(folder: Path) -> list[tuple[int, float]]:
    """(step, score) of every look at a training, from its log."""
    lines = (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()
    entries = [json.loads(line) for line in lines]
    return [(entry["step"], entry["watched"]) for entry in entries if "watched" in entry]


class Clock:
    """Seconds of training without the looks, over interruptions: of the wall, and of processors.

    The latter tell what a training takes on a busy machine, too.

    Args:
        file: where they are kept.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else [0.0, 0.0]
        self.wall, self.processors = map(float, kept)

    def __enter__(self) -> None:
        self._count(-1)

    def __exit__(self, *_: object) -> None:
        self._count(1)
        write_text(self.file, json.dumps([self.wall, self.processors]))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What happens in this block is no training."""
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    def _count(self, sign: int) -> None:
        self.wall += sign * time.monotonic()
        self.processors += sign * time.process_time()
