from __future__ import annotations

import json

import pytest

from facetwise.data.benchmarks import flickr30k
from facetwise.errors import InputError

from ..conftest import encoded

SPLITS = {"1.jpg": "train", "2.jpg": "val", "3.jpg": "test", "4.jpg": "test"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    images = [
        {
            "filename": name,
            "split": split,
            "sentences": [{"raw": f"{name} {n}", "sentid": n} for n in range(5)],
        }
        for name, split in SPLITS.items()
    ]
    (tmp_path / "dataset_flickr30k.json").write_text(json.dumps({"images": images}))
    (tmp_path / "flickr30k-images").mkdir()
    for name in SPLITS:
        (tmp_path / "flickr30k-images" / name).write_bytes(encoded(kind="JPEG"))
    for split, count in {"train": 1, "val": 1, "test": 2}.items():
        monkeypatch.setitem(flickr30k.SPLITS, split, count)
    return tmp_path


def test_the_test_split_in_the_order_of_the_file(folder):
    found = flickr30k.read(folder)
    assert found.images == ("3.jpg", "4.jpg")
    assert found.caption_ids[5] == "4.jpg#0"
    assert found.captions[5] == "4.jpg 0"


def test_dev_is_val(folder):
    assert flickr30k.read(folder, "dev").name == "flickr30k-val"


@pytest.mark.parametrize("place", ["flickr30k_images/flickr30k_images", "Images"])
def test_photos_may_lie_in_kaggles_folders(folder, place):
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    (folder / "flickr30k-images").rename(folder / place)
    assert flickr30k.read(folder).files[0] == folder / place / "3.jpg"


def test_counts_and_missing_files_are_told(folder, tmp_path):
    (folder / "flickr30k-images" / "4.jpg").unlink()
    with pytest.raises(InputError, match=r"1 of 2 test photos with captions.*4\.jpg"):
        flickr30k.read(folder)
    assert len(flickr30k.read(folder, allow_partial=True)) == 1
    (folder / "dataset_flickr30k.json").unlink()
    with pytest.raises(InputError, match=r"has no dataset_flickr30k\.json"):
        flickr30k.read(folder)
    with pytest.raises(InputError, match="train, val, test"):
        flickr30k.read(folder, "all")


def test_the_published_counts():
    assert flickr30k.SPLITS == {"train": 29_000, "val": 1_014, "test": 1_000}
