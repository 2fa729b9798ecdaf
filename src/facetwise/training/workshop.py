"""Where a run is made: a directory beside it that outlives an interruption."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from facetwise.errors import FacetwiseError, InputError
from facetwise.files import disk_is_full, locked, swap, sweep, write_text
from facetwise.models.run import MODEL_FILE, unfinished

__all__ = ["RECIPE_FILE", "check_free", "workshop"]

RECIPE_FILE = "recipe.toml"
_MADE_OF = "made-of.toml"


def check_free(out: Path, *, overwrite: bool) -> None:
    """See that a run may be made at `out`, before any work goes into it.

    Raises:
        InputError: a run is there already (without `overwrite`), or something else is.
    """
    if not os.path.lexists(out) or (out.is_dir() and not any(out.iterdir())):
        return
    if not (out / MODEL_FILE).is_file():
        raise InputError(f"{out} exists and is no run; choose another name")
    if not overwrite:
        raise InputError(f"{out} is a run already; choose another name, or --overwrite it")


@contextlib.contextmanager
def workshop(
    out: Path, recipe: Mapping[str, Any], made_of: Mapping[str, Any], *, overwrite: bool
) -> Iterator[Path]:
    """Make the run `out` in a directory beside it, renamed into place at the end of the block.

    Interrupted, the directory stays, and the next call with the same `recipe` and `made_of` gets it
    as it was left. Of anything else nothing can be used, and it starts empty. An old run at `out`
    is replaced in the last moment.

    Args:
        out: the run, an absolute path.
        recipe: TOML tables, kept as ``recipe.toml``.
        made_of: what else decides how the run turns out: seed, data, threads.
        overwrite: replace a run that is there already.

    Yields:
        The directory to fill.

    Raises:
        InputError: as `check_free`.
        FacetwiseError: the disk is full, or another process makes this run.
    """
    import tomli_w

    folder = unfinished(out)
    files = {RECIPE_FILE: tomli_w.dumps(recipe), _MADE_OF: tomli_w.dumps(made_of)}
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with locked(out):
            sweep(out)
            check_free(out, overwrite=overwrite)
            if any(_text(folder / name) != text for name, text in files.items()):
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                for name, text in files.items():
                    write_text(folder / name, text)
            yield folder
            swap(folder, out)
    except OSError as error:
        if disk_is_full(error):
            raise FacetwiseError(
                f"{folder}: the disk is full; free some space and run the same command, it goes on "
                "where it stopped"
            ) from error
        raise


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
