"""Writing that leaves either the old state or the new one, never half of one."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from .errors import FacetwiseError, InputError

__all__ = [
    "building",
    "disk_is_full",
    "locked",
    "replacing",
    "swap",
    "sweep",
    "write_bytes",
    "write_text",
]


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 `text` to `path`, beside it first and then renamed: a reader sees old or new.

    Raises:
        FacetwiseError: the disk is full (the old file is still there).
    """
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write `data` to `path`, beside it first and then renamed.

    Raises:
        FacetwiseError: the disk is full (the old file is still there).
    """
    with replacing(path) as beside:
        beside.write_bytes(data)


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a file name beside `path` to write to, renamed to `path` at the end of the block.

    Whatever ends the block early removes the unfinished file and leaves an old `path` untouched.

    Raises:
        FacetwiseError: the disk is full.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield beside
        _sync_file(beside)
        os.replace(beside, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        if disk_is_full(error):
            raise _full(path) from error
        raise
    _sync_directory(path.parent)


@contextlib.contextmanager
def building(path: str | Path, *, overwrite: bool, marker: str | None = None) -> Iterator[Path]:
    """Build the directory `path` in a fresh one beside it, renamed into place at the end.

    Whatever ends the block early (an error, Ctrl-C, a full disk) leaves an old `path` untouched and
    removes the unfinished one. What a killed process left is swept by the next build of `path`.

    Args:
        path: the directory to make; missing parents are made.
        overwrite: replace a directory that is there already.
        marker: a file that an old directory must hold to be replaced, so that a mistyped `path`
            with `overwrite` never removes somebody's own folder. An empty directory always may be.

    Yields:
        The temporary directory to fill.

    Raises:
        InputError: `path` exists and may not be replaced.
        FacetwiseError: the disk is full, or another process is building `path`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     target = Path(folder) / "shop.index"
    ...     with building(target, overwrite=False) as fresh:
    ...         (fresh / "a.txt").write_text("done")
    ...         target.exists()
    ...     [file.name for file in target.iterdir()]
    4
    False
    ['a.txt']
    """
    path = Path(os.path.abspath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path):
        sweep(path)
        _check_replaceable(path, overwrite=overwrite, marker=marker)
        fresh = path.with_name(f".{path.name}.building-{secrets.token_hex(4)}")
        try:
            fresh.mkdir()
            yield fresh
            _sync_tree(fresh)
            swap(fresh, path)
        except BaseException as error:
            shutil.rmtree(fresh, ignore_errors=True)
            if disk_is_full(error):
                raise _full(path) from error
            raise


def disk_is_full(error: BaseException) -> bool:
    """Whether `error` says that the disk or the user's quota is full (Lance wraps the errno)."""
    full = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
    if isinstance(error, OSError) and error.errno in full:
        return True
    return isinstance(error, (OSError, RuntimeError)) and "No space left on device" in str(error)


def _full(path: Path) -> FacetwiseError:
    return FacetwiseError(
        f"{path}: the disk is full, nothing was changed; free some space there or write elsewhere"
    )


def _check_replaceable(path: Path, *, overwrite: bool, marker: str | None) -> None:
    if not os.path.lexists(path):
        return
    if not path.is_dir():
        raise InputError(f"{path} is a file, a directory was to be made; choose another name")
    if not any(path.iterdir()):
        return
    if not overwrite:
        raise InputError(f"{path} exists already; choose another name, or --overwrite it")
    if marker is not None and not (path / marker).exists():
        raise InputError(
            f"{path} holds no {marker}, so it was not made by facetwise and is not overwritten; "
            "choose another name"
        )


def swap(fresh: Path, path: Path) -> None:
    """Rename `fresh` to `path`; the old one steps aside first and comes back if that fails."""
    aside = path.with_name(f".{path.name}.old-{secrets.token_hex(4)}")
    had_old = path.exists()
    if had_old:
        os.rename(path, aside)
    try:
        os.rename(fresh, path)
    except BaseException:
        if had_old:
            os.rename(aside, path)
        raise
    _sync_directory(path.parent)
    shutil.rmtree(aside, ignore_errors=True)


def sweep(path: Path) -> None:
    """Remove what killed builds of `path` left; an old directory without successor comes back."""
    for entry in list(path.parent.iterdir()):
        if entry.name.startswith(f".{path.name}.old-"):
            if os.path.lexists(path):
                shutil.rmtree(entry, ignore_errors=True)
            else:
                os.rename(entry, path)
        elif entry.name.startswith(f".{path.name}.building-"):
            shutil.rmtree(entry, ignore_errors=True)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the only right to build `path`; the system frees it when the process dies."""
    if sys.platform == "win32":  # no flock: two builds of one path at once are not detected there
        yield
        return
    import fcntl

    name = path.with_name(f".{path.name}.lock")
    while True:
        descriptor = os.open(name, os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The holder before us may have removed the file between our open and our lock.
            if name.exists() and os.fstat(descriptor).st_ino == name.stat().st_ino:
                break
        except BlockingIOError:
            os.close(descriptor)
            raise FacetwiseError(
                f"{path} is being built by another process; wait for it, or choose another name"
            ) from None
        os.close(descriptor)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            name.unlink()
        os.close(descriptor)


def _sync_tree(folder: Path) -> None:
    for directory, _, names in os.walk(folder):
        for name in names:
            _sync_file(Path(directory, name))
        _sync_directory(Path(directory))


def _sync_file(path: Path) -> None:
    # Windows syncs only what is open for writing; elsewhere a copied file may be read-only.
    descriptor = os.open(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_directory(folder: Path) -> None:
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # Some network file systems cannot sync a directory; the rename itself has happened.
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
