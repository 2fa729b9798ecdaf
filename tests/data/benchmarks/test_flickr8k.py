from __future__ import annotations

import csv
import io
import json

import pytest

from facetwise.data.benchmarks import flickr8k
from facetwise.errors import InputError

from ..conftest import encoded

NAMES = ("1000_a.jpg", "2000_b.jpg", "3000_c.jpg")
TEXTS = {name: [f"A dog , {n} , on {name} ." for n in range(5)] for name in NAMES}


@pytest.fixture(autouse=True)
def tiny_counts(monkeypatch):
    for split, count in {"train": 1, "dev": 2, "test": 3}.items():
        monkeypatch.setitem(flickr8k.SPLITS, split, count)


def photos(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(encoded(kind="JPEG"))


def original(root, text="", photo="Flicker8k_Dataset", split="test", names=NAMES):
    (root / text).mkdir(parents=True, exist_ok=True)
    lines = [f"{name}#{n}\t{text}" for name in NAMES for n, text in enumerate(TEXTS[name])]
    (root / text / "Flickr8k.token.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    listed = root / text / f"Flickr_8k.{split}Images.txt"
    listed.write_text("\n".join(names) + "\n", encoding="utf-8")
    photos(root / photo, *NAMES)


def kaggle(root, end="\n", start=""):
    file = io.StringIO()
    rows = csv.writer(file, lineterminator=end)
    rows.writerows([("image", "caption"), *((n, text) for n in NAMES for text in TEXTS[n])])
    (root / "captions.txt").write_bytes((start + file.getvalue()).encode())
    photos(root / "Images", *NAMES)


def listed(root, split="test", names=NAMES, end="\n"):
    (root / f"Flickr_8k.{split}Images.txt").write_bytes(end.join(names).encode())


@pytest.mark.parametrize("text", ["", "Flickr8k_text"])
@pytest.mark.parametrize("photo", ["Flicker8k_Dataset", "Flickr8k_Dataset", "Images"])
def test_the_original_layout(tmp_path, text, photo):
    original(tmp_path, text, photo, names=NAMES[::-1])
    found = flickr8k.read(tmp_path)
    assert found.images == NAMES[::-1]
    assert found.captions[:5] == tuple(TEXTS[NAMES[2]])
    assert found.caption_ids[:2] == ("3000_c.jpg#0", "3000_c.jpg#1")
    assert (found.name, found.problems) == ("flickr8k-test", ())
    assert next(found.items()).image == found.files[0].read_bytes()


@pytest.mark.parametrize(("end", "start"), [("\n", ""), ("\r\n", "\ufeff")])
def test_the_kaggle_layout_reads_the_same(tmp_path, end, start):
    kaggle(tmp_path, end, start)
    listed(tmp_path, end=end)
    found = flickr8k.read(tmp_path)
    original(tmp_path / "original")
    twin = flickr8k.read(tmp_path / "original")
    assert found.captions == twin.captions
    assert found.caption_ids == twin.caption_ids


def test_the_kaggle_layout_alone_says_which_file_is_missing(tmp_path):
    kaggle(tmp_path)
    with pytest.raises(InputError, match=r"has no Flickr_8k\.devImages\.txt or .* dev photos"):
        flickr8k.read(tmp_path, "dev", allow_partial=True)


def test_without_captions_both_files_are_named(tmp_path):
    listed(tmp_path)
    with pytest.raises(InputError, match=r"no Flickr8k\.token\.txt or .*captions\.txt"):
        flickr8k.read(tmp_path)


def test_karpathys_file_splits_where_no_list_does(tmp_path):
    photos(tmp_path / "Images", *NAMES)
    images = [
        {
            "filename": name,
            "split": split,
            "sentences": [{"raw": text, "sentid": n} for n, text in enumerate(TEXTS[name])],
        }
        for name, split in zip(NAMES, ("val", "test", "val"), strict=True)
    ]
    (tmp_path / "dataset_flickr8k.json").write_text(json.dumps({"images": images}))
    found = flickr8k.read(tmp_path, "dev")
    assert found.images == (NAMES[0], NAMES[2])
    assert found.caption_ids[5:7] == ("3000_c.jpg#0", "3000_c.jpg#1")
    listed(tmp_path, "dev", NAMES[:2])
    kaggle(tmp_path)
    assert flickr8k.read(tmp_path, "val").images == NAMES[:2]


def test_only_the_split_that_is_asked_for_is_counted(tmp_path):
    original(tmp_path, split="dev", names=NAMES[:2])
    (tmp_path / "Flicker8k_Dataset" / NAMES[2]).unlink()
    assert len(flickr8k.read(tmp_path, "dev")) == 2


def test_a_missing_photo(tmp_path):
    original(tmp_path)
    (tmp_path / "Flicker8k_Dataset" / NAMES[1]).unlink()
    with pytest.raises(InputError, match=r"2 of 3 test photos.*2000_b\.jpg.*--allow-partial"):
        flickr8k.read(tmp_path)
    assert flickr8k.read(tmp_path, allow_partial=True).images == (NAMES[0], NAMES[2])


@pytest.mark.parametrize(
    "bad",
    [
        b"1000_a.jpg#2 no tab",
        b"1000_a.jpg\tno number",
        b"1000_a.jpg#x\tno number",
        b"1000_a.jpg#2\t  ",
        b"\x00\x00\x00\x00",
        b"1000_a.jpg#2\t\xff\xfe",
        b"#2\tno name",
    ],
)
def test_a_damaged_line_is_skipped_counted_and_named(tmp_path, bad):
    original(tmp_path)
    file = tmp_path / "Flickr8k.token.txt"
    lines = file.read_bytes().split(b"\n")
    file.write_bytes(b"\n".join([*lines[:2], bad, *lines[3:]]))
    found = flickr8k.read(tmp_path)
    assert len(found.captions) == 14
    assert found.caption_ids[:4] == tuple(f"1000_a.jpg#{n}" for n in (0, 1, 3, 4))
    (problem,) = found.problems
    assert problem.row == 3
    assert "Flickr8k.token.txt line 3" in str(problem)


@pytest.mark.parametrize(
    "bad", ['1000_a.jpg,"no end', "1000_a.jpg,", "1000_a.jpg", "1000_a.jpg,two, cells unquoted"]
)
def test_a_damaged_row_keeps_the_numbers_of_the_next(tmp_path, bad):
    kaggle(tmp_path)
    listed(tmp_path)
    file = tmp_path / "captions.txt"
    lines = file.read_text().split("\n")
    file.write_text("\n".join([*lines[:3], bad, *lines[4:]]))
    found = flickr8k.read(tmp_path)
    assert found.caption_ids[:4] == tuple(f"1000_a.jpg#{n}" for n in (0, 1, 3, 4))
    assert [problem.row for problem in found.problems] == [4]


def test_a_caption_id_that_comes_again_is_damage(tmp_path):
    original(tmp_path)
    file = tmp_path / "Flickr8k.token.txt"
    file.write_text(file.read_text() + "1000_a.jpg#0\tagain\n")
    found = flickr8k.read(tmp_path)
    assert found.captions[0] == TEXTS[NAMES[0]][0]
    assert "second time" in str(found.problems[0])


def test_too_much_damage_is_refused(tmp_path):
    original(tmp_path)
    (tmp_path / "Flickr8k.token.txt").write_text("broken\n" * 101)
    with pytest.raises(InputError, match="more than 100 bad lines, the first is line 1"):
        flickr8k.read(tmp_path, allow_partial=True)


def test_an_unknown_split_lists_those_there_are(tmp_path):
    with pytest.raises(InputError, match="train, dev, test"):
        flickr8k.read(tmp_path, "validation")


def test_real_flickr8k(monkeypatch, real_data):
    folder = real_data("Flickr8k")
    monkeypatch.setitem(flickr8k.SPLITS, "dev", 1000)
    monkeypatch.setitem(flickr8k.SPLITS, "train", 6000)
    dev = flickr8k.read(folder, "dev")
    assert (len(dev), len(dev.captions), dev.problems) == (1000, 5000, ())
    train = flickr8k.read(folder, "train", allow_partial=True)
    assert len(train.captions) == 5 * len(train)
    assert not set(train.images) & set(dev.images)
