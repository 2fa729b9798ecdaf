from __future__ import annotations

import numpy as np
import pytest

from facetwise.data.benchmarks import precomp
from facetwise.errors import InputError

IMAGES = 4


def write(folder, split="test", *, images=IMAGES, repeated=True, ids="image", end="\n"):
    """`ids`: one an image, one a row, the same one for all, or none."""
    folder.mkdir(exist_ok=True)
    rows = np.random.default_rng(0).random((images, 3, 8), dtype=np.float32)
    np.save(folder / f"{split}_ims.npy", rows.repeat(5, axis=0) if repeated else rows)
    captions = [f"caption {n % 5} of {n // 5}" for n in range(5 * images)]
    (folder / f"{split}_caps.txt").write_bytes((end.join(captions) + end).encode())
    names = [f"img{n}" for n in range(images)]
    lines = {
        "image": names,
        "row": [name for name in names for _ in range(5)],
        "same": ["x"] * images,
    }
    if ids in lines:
        (folder / f"{split}_ids.txt").write_bytes((end.join(lines[ids]) + end).encode())
    return rows


@pytest.mark.parametrize("repeated", [True, False])
@pytest.mark.parametrize("ids", ["image", "row"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_arrays_repeated_or_not_read_the_same(tmp_path, repeated, ids, end):
    rows = write(tmp_path / "mine", repeated=repeated, ids=ids, end=end)
    found = precomp.read(tmp_path / "mine")
    assert found.images == ("img0", "img1", "img2", "img3")
    assert np.array_equal(found.regions, rows)
    assert found.captions[7] == "caption 2 of 1"
    assert found.caption_ids[7] == "img1#2"
    assert found.owner == tuple(n // 5 for n in range(20))
    assert found.step == (5 if repeated else 1)
    assert isinstance(found.array, np.memmap)


@pytest.mark.parametrize("ids", ["none", "same"])
def test_rows_are_numbered_where_ids_do_not_tell_them_apart(tmp_path, ids):
    write(tmp_path, ids=ids)
    assert precomp.read(tmp_path).images == ("0", "1", "2", "3")


def test_dev_is_cut_to_5000_captions(tmp_path):
    rows = write(tmp_path / "f30k_precomp", "dev", images=1014)
    found = precomp.read(tmp_path / "f30k_precomp", "val")
    assert (len(found), len(found.captions), len(found.owner)) == (1000, 5000, 5000)
    assert np.array_equal(found.regions, rows[:1000])
    assert found.problems == ()


def test_as_many_rows_as_captions_that_are_no_copies_are_refused(tmp_path):
    write(tmp_path)
    np.save(tmp_path / "test_ims.npy", np.random.default_rng(1).random((20, 3, 8)))
    with pytest.raises(InputError, match="not five copies"):
        precomp.read(tmp_path)


@pytest.mark.parametrize("rows", [3, 21, 100])
def test_counts_that_do_not_fit(tmp_path, rows):
    write(tmp_path)
    np.save(tmp_path / "test_ims.npy", np.zeros((rows, 3, 8), np.float32))
    with pytest.raises(InputError, match=f"{rows} rows and there are 20 captions"):
        precomp.read(tmp_path)


def test_published_counts_go_by_the_folders_name(tmp_path):
    write(tmp_path / "coco_precomp")
    with pytest.raises(InputError, match=r"4 of 1,000 test images"):
        precomp.read(tmp_path / "coco_precomp")
    found = precomp.read(tmp_path / "coco_precomp", allow_partial=True)
    assert (found.name, len(found.problems)) == ("coco_precomp-test", 1)


def test_broken_arrays(tmp_path):
    write(tmp_path)
    file = tmp_path / "test_ims.npy"
    whole = file.read_bytes()
    for data in (whole[:-40], b"", b"text"):
        file.write_bytes(data)
        with pytest.raises(InputError, match=r"test_ims\.npy is no whole array"):
            precomp.read(tmp_path)
    for array in (np.zeros((20, 8), np.float32), np.zeros((20, 3, 8), np.int64)):
        np.save(file, array)
        with pytest.raises(InputError, match="expected floats"):
            precomp.read(tmp_path)
    np.save(file, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="no whole array"):
        precomp.read(tmp_path)


def test_missing_files_broken_ids_and_unknown_splits(tmp_path):
    write(tmp_path)
    (tmp_path / "test_ids.txt").write_text("a\nb\n")
    with pytest.raises(InputError, match=r"test_ids\.txt has 2 lines"):
        precomp.read(tmp_path)
    with pytest.raises(InputError, match=r"no dev_caps\.txt"):
        precomp.read(tmp_path, "dev")
    with pytest.raises(InputError, match="testall"):
        precomp.read(tmp_path, "all")
    (tmp_path / "test_caps.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(InputError, match="no UTF-8"):
        precomp.read(tmp_path)


def test_the_fingerprint_follows_the_files(tmp_path):
    write(tmp_path)
    before = precomp.read(tmp_path).fingerprint()
    (tmp_path / "test_caps.txt").write_text("changed\n" * 20)
    assert precomp.read(tmp_path).fingerprint() != before
