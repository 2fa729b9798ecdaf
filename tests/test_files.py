from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from facetwise import FacetwiseError, InputError, files
from facetwise.files import building, write_bytes, write_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def old(tmp_path):
    folder = tmp_path / "shop.index"
    folder.mkdir()
    (folder / "index.toml").write_text("old")
    return folder


def test_a_build_appears_only_when_it_is_done(tmp_path):
    target = tmp_path / "deep" / "shop.index"
    with building(target, overwrite=False) as fresh:
        (fresh / "a").write_text("1")
        assert fresh.parent == target.parent
        assert not target.exists()
    assert (target / "a").read_text() == "1"
    assert names(target.parent) == ["shop.index"]


def test_an_old_one_is_replaced_whole(old):
    with building(old, overwrite=True) as fresh:
        (fresh / "new").write_text("1")
        assert (old / "index.toml").read_text() == "old"
    assert names(old) == ["new"]
    assert names(old.parent) == ["shop.index"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, SystemExit])
def test_an_early_end_leaves_the_old_one_and_no_litter(old, error):
    with pytest.raises(error), building(old, overwrite=True) as fresh:
        (fresh / "half").write_text("1")
        raise error
    assert names(old) == ["index.toml"]
    assert names(old.parent) == ["shop.index"]


def test_an_early_end_of_a_first_build_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), building(tmp_path / "x", overwrite=False) as fresh:
        (fresh / "half").write_text("1")
        raise KeyboardInterrupt
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError("LanceError(IO): No space left on device (os error 28)"),
        RuntimeError("lance error: No space left on device"),
    ],
)
def test_a_full_disk_is_one_line_and_changes_nothing(old, error):
    with (
        pytest.raises(FacetwiseError, match=r"shop\.index: the disk is full, nothing was changed"),
        building(old, overwrite=True) as fresh,
    ):
        (fresh / "half").write_text("1")
        raise error
    assert names(old) == ["index.toml"]
    assert names(old.parent) == ["shop.index"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_really_full_device_is_recognised():
    with pytest.raises(OSError) as caught, open("/dev/full", "wb", buffering=0) as full:
        full.write(b"x")
    assert files.disk_is_full(caught.value)


def test_other_errors_are_not_taken_for_a_full_disk():
    assert not files.disk_is_full(OSError(errno.EACCES, "denied"))
    assert not files.disk_is_full(ValueError("No space left on device"))


def test_what_is_there_is_not_overwritten_unasked(old):
    with pytest.raises(InputError, match="exists already"), building(old, overwrite=False):
        pass
    assert names(old) == ["index.toml"]


def test_a_strangers_folder_is_never_overwritten(old):
    with (
        pytest.raises(InputError, match=r"holds no collection\.toml"),
        building(old, overwrite=True, marker="collection.toml"),
    ):
        pass
    assert names(old) == ["index.toml"]


def test_an_empty_folder_may_be_filled(tmp_path):
    (tmp_path / "out").mkdir()
    with building(tmp_path / "out", overwrite=False, marker="x") as fresh:
        (fresh / "a").write_text("1")
    assert names(tmp_path / "out") == ["a"]


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(InputError, match="is a file"), building(tmp_path / "out", overwrite=True):
        pass
    assert (tmp_path / "out").read_text() == "mine"


def test_the_old_one_comes_back_if_the_rename_fails(old, monkeypatch):
    rename = os.rename

    def fail_for_the_fresh_one(source, target):
        if ".building-" in str(source):
            raise PermissionError("no")
        rename(source, target)

    monkeypatch.setattr(files.os, "rename", fail_for_the_fresh_one)
    with pytest.raises(PermissionError), building(old, overwrite=True) as fresh:
        (fresh / "new").write_text("1")
    assert names(old) == ["index.toml"]
    assert names(old.parent) == ["shop.index"]


def test_two_builds_of_one_path_do_not_meet(old):
    with building(old, overwrite=True) as fresh:
        with (
            pytest.raises(FacetwiseError, match="being built by another process"),
            building(old, overwrite=True),
        ):
            pass
        (fresh / "new").write_text("1")
    assert names(old) == ["new"]


BUILD_UNTIL_KILLED = """
import sys, time
from pathlib import Path
from facetwise.files import building
with building(sys.argv[1], overwrite=True) as fresh:
    (fresh / "half").write_text("1")
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kills a process")
def test_what_a_killed_build_left_is_swept_by_the_next(old):
    process = subprocess.Popen([sys.executable, "-c", BUILD_UNTIL_KILLED, str(old)])
    deadline = time.monotonic() + 30
    while not list(old.parent.glob(".*.building-*/half")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert any(".building-" in name for name in names(old.parent))
    assert names(old) == ["index.toml"]
    with building(old, overwrite=True) as fresh:
        (fresh / "new").write_text("1")
    assert names(old.parent) == ["shop.index"]
    assert names(old) == ["new"]


def test_an_old_one_lost_between_two_renames_comes_back(old):
    # the process died after moving the old one aside and before the new one was in place
    old.rename(old.with_name(".shop.index.old-00"))
    with pytest.raises(InputError, match="exists already"), building(old, overwrite=False):
        pass
    assert names(old) == ["index.toml"]


def test_write_text_replaces_whole(tmp_path):
    write_text(tmp_path / "a.toml", "één")
    write_text(tmp_path / "a.toml", "twee")
    assert (tmp_path / "a.toml").read_text("utf-8") == "twee"
    assert names(tmp_path) == ["a.toml"]


def test_write_bytes_keeps_the_old_file_on_a_full_disk(tmp_path, monkeypatch):
    write_bytes(tmp_path / "a", b"old")

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(FacetwiseError, match="the disk is full"):
        write_bytes(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]
