"""npm packages, with an npm that is a script of ours: no network in tests."""

from __future__ import annotations

import io
import os
import sys
import tarfile
from pathlib import Path

import pytest

from facetwise.data.benchmarks import packages
from facetwise.data.benchmarks.packages import Package, fetch, fetch_all
from facetwise.errors import FacetwiseError, InputError

THING = Package("@who/thing", "1.2.3", "MIT", "somebody")
NPM = """#!{python}
import shutil, sys
from pathlib import Path
here = Path({here!r})
with open(here / "asked", "a") as log:
    log.write(" ".join(sys.argv[1:]) + chr(10))
if not (here / "thing.tgz").exists():
    sys.exit("npm error code ETARGET\\nnpm error notarget No matching version")
to = sys.argv[sys.argv.index("--pack-destination") + 1]
shutil.copy(here / "thing.tgz", Path(to, "who-thing-1.2.3.tgz"))
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the npm of these is a script")


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an npm that hands out ``thing.tgz``."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "npm"
    script.write_text(NPM.format(python=sys.executable, here=str(folder)))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return folder


def pack(folder: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(folder / "thing.tgz", "w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def test_a_package_is_fetched_once(npm, tmp_path):
    pack(npm, {"package.json": b"{}", "a/b.json": b"1", "run.js": b"evil()", "LICENSE": b"MIT"})
    cache = tmp_path / "cache"
    with pytest.raises(InputError, match=r"does not hold @who/thing@1\.2\.3"):
        THING.find(cache)
    folder = fetch(THING, cache)
    assert folder == THING.find(cache) == cache / "who-thing-1.2.3"
    files = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    assert files == {"package.json", "a/b.json", "LICENSE"}
    assert fetch_all([THING, THING], cache) == [folder, folder]
    asked = (npm / "asked").read_text().splitlines()
    assert len(asked) == 1
    assert asked[0].startswith("pack @who/thing@1.2.3 --pack-destination ")
    assert "--ignore-scripts" in asked[0]


def test_what_npm_says_is_passed_on_and_nothing_is_left(npm, tmp_path):
    with pytest.raises(FacetwiseError, match=r"could not fetch @who/thing@1.2.3: code ETARGET not"):
        fetch(THING, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_without_npm_the_way_out_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FacetwiseError, match=r"which is not installed; install Node\.js"):
        fetch(THING, tmp_path / "cache")


def test_archives_do_not_write_elsewhere(npm, tmp_path):
    pack(npm, {"package.json": b"{}", "../../../outside.json": b"1"})
    with pytest.raises(InputError, match="archive is damaged"):
        fetch(THING, tmp_path / "cache")
    assert not list(tmp_path.rglob("outside.json"))


def test_archives_are_bounded(npm, tmp_path, monkeypatch):
    pack(npm, {"package.json": b"{}", "large.json": b"1" * 999})
    monkeypatch.setattr(packages, "MAX_BYTES", 500)
    with pytest.raises(InputError, match="unpacks to more than"):
        fetch(THING, tmp_path / "cache")


@pytest.mark.parametrize("data", [b"", b"no archive at all", None])
def test_what_is_no_package_is_refused(npm, tmp_path, data):
    if data is None:
        pack(npm, {"readme.md": b"only words"})
    else:
        (npm / "thing.tgz").write_bytes(data)
    with pytest.raises(InputError, match=r"archive is damaged|no npm package"):
        fetch(THING, tmp_path / "cache")
