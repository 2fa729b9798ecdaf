"""npm packages as data: fetched by name and version with npm, kept unpacked in a folder.

npm checks what it downloads against the registry's checksums. Nothing of a package is ever run.
"""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from facetwise.errors import FacetwiseError, InputError
from facetwise.files import building
from facetwise.progress import bar

__all__ = ["KEPT", "MAX_BYTES", "Package", "fetch", "fetch_all"]

KEPT: Final = (".json", ".webp")
"""Endings of the files that are kept; readme and licence files are kept besides."""

MAX_BYTES: Final = 1_000_000_000
"""What the kept files of a package may take: the largest, all icon families, takes 450 MB."""

_MAX_FILES: Final = 50_000
_SECONDS: Final = 900
_WORDS: Final = ("license", "licence", "readme", "notice")


@dataclass(frozen=True)
class Package:
    """One version of an npm package.

    Attributes:
        name: as in the registry: ``@iconify-json/noto``.
        version: exactly this one.
        licence: of what is in it, for attribution.
        about: who made it, for attribution.
    """

    name: str
    version: str
    licence: str
    about: str

    @property
    def folder(self) -> str:
        """What it is called in the cache: ``iconify-json-noto-1.2.9``."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}"

    def find(self, cache: Path) -> Path:
        """Its folder in `cache`.

        Raises:
            InputError: it was not fetched.
        """
        path = cache / self.folder
        if not path.is_dir():
            raise InputError(
                f"{cache} does not hold {self.name}@{self.version} ({self.folder}); fetch it with "
                "facetwise data get"
            )
        return path


def fetch(package: Package, cache: Path) -> Path:
    """The package's folder in `cache`; downloaded if it is not there, else nothing is asked.

    Args:
        package: what to fetch.
        cache: made if need be. An interrupted download leaves nothing behind.

    Raises:
        FacetwiseError: npm is not there, or cannot fetch it, or the disk is full.
        InputError: what came is no such package, or is too large.
    """
    path = cache / package.folder
    if path.is_dir():
        return path
    npm = shutil.which("npm")
    if npm is None:
        raise FacetwiseError(
            f"{package.name} comes from npm, which is not installed; install Node.js (it has npm), "
            "or take openmoji, which needs neither"
        )
    with building(path, overwrite=False) as fresh, tempfile.TemporaryDirectory() as folder:
        _unpack(_download(npm, package, Path(folder)), fresh, package)
    return path


def fetch_all(packages: Sequence[Package], cache: Path) -> list[Path]:
    """The folders of several packages in `cache`, with a progress bar; see `fetch`."""
    found: list[Path] = []
    with bar("fetching packages", len(packages)) as progress:
        for package in packages:
            progress.note(package.name)
            found.append(fetch(package, cache))
            progress.advance()
    return found


def _download(npm: str, package: Package, folder: Path) -> Path:
    spec = f"{package.name}@{package.version}"
    command = [npm, "pack", spec, "--pack-destination", str(folder)]
    command += ["--ignore-scripts", "--loglevel", "error", "--no-update-notifier"]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise FacetwiseError(f"npm took over {_SECONDS} s to fetch {spec}; try again") from error
    except OSError as error:
        raise FacetwiseError(f"npm at {npm} cannot be run ({error.strerror}); mend it") from error
    files = sorted(folder.glob("*.tgz"))
    if done.returncode or len(files) != 1:
        lines = (done.stderr or done.stdout).replace("npm error ", "").splitlines()
        said = " ".join(" ".join(lines[:3]).split())[:300] or "it said nothing"
        raise FacetwiseError(f"npm could not fetch {spec}: {said}; check the network and try again")
    return files[0]


def _unpack(file: Path, folder: Path, package: Package) -> None:
    """Write what is kept of a package; its first folder (``package/``) is left out."""
    total, count = 0, 0
    try:
        with tarfile.open(file, "r:gz") as archive:
            for member in archive:
                inside = PurePosixPath(*PurePosixPath(member.name).parts[1:])
                if not member.isfile() or not _kept(inside):
                    continue
                total, count = total + member.size, count + 1
                if total > MAX_BYTES or count > _MAX_FILES:
                    raise InputError(
                        f"{package.name}@{package.version} unpacks to more than "
                        f"{MAX_BYTES // 1_000_000} MB or {_MAX_FILES} files; it is not taken"
                    )
                _write(archive, member, folder, inside)
    except (tarfile.TarError, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk, not the archive
        raise InputError(f"{package.name}: the archive is damaged ({error}); try again") from error
    if not (folder / "package.json").is_file():
        raise InputError(f"{package.name}@{package.version} is no npm package: no package.json")


def _write(
    archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, inside: PurePosixPath
) -> None:
    """One plain file. Not by `TarFile.extract`: before Python 3.11.4 it has no filter."""
    if inside.is_absolute() or ".." in inside.parts:
        raise tarfile.ReadError(f"{member.name!r} would be outside the destination")
    content = archive.extractfile(member)
    assert content is not None  # of a plain file
    target = folder / inside
    target.parent.mkdir(parents=True, exist_ok=True)
    with content, target.open("wb") as out:
        shutil.copyfileobj(content, out)


def _kept(name: PurePosixPath) -> bool:
    return name.suffix in KEPT or name.stem.lower() in _WORDS
