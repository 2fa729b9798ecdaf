from __future__ import annotations

import json

import numpy as np
import pytest

from facetwise.data.benchmarks import coco, eccv
from facetwise.errors import InputError

from ..conftest import encoded

# image id: (Karpathy's split, year, captions); ids are unsorted, 9 has six and 30 seven
IMAGES = {
    9: ("test", "val2014", 6),
    3: ("train", "train2014", 5),
    30: ("test", "val2014", 7),
    12: ("restval", "val2014", 5),
    4: ("val", "val2014", 5),
}


def file_name(image):
    return f"COCO_{IMAGES[image][1]}_{image:012d}.jpg"


def caption_ids(image):
    return [1000 * image + n for n in range(IMAGES[image][2])]


def text(caption):
    return f"text {caption}"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Photos and the official files."""
    for year in ("train2014", "val2014"):
        (tmp_path / year).mkdir()
        of_year = [image for image in IMAGES if IMAGES[image][1] == year]
        notes = [
            {"id": caption, "image_id": image, "caption": f"{text(caption)}\n"}
            for image in of_year[::-1]
            for caption in caption_ids(image)
        ]
        images = [{"id": image, "file_name": file_name(image)} for image in of_year]
        (tmp_path / "annotations").mkdir(exist_ok=True)
        (tmp_path / "annotations" / f"captions_{year}.json").write_text(
            json.dumps({"info": {}, "images": images, "annotations": notes})
        )
        for image in of_year:
            (tmp_path / year / file_name(image)).write_bytes(encoded(kind="JPEG"))
    counts = {"train": 1, "restval": 1, "train+restval": 2, "val": 1, "test": 2, "val2014": 4}
    for split, count in counts.items():
        monkeypatch.setitem(coco.SPLITS, split, count)
    monkeypatch.setattr(eccv, "find_spec", lambda name: None)
    return tmp_path


def add_karpathy(folder, place=""):
    images = [
        {
            "filepath": year,
            "filename": file_name(image),
            "cocoid": image,
            "split": split,
            "sentences": [{"raw": text(it), "sentid": it} for it in caption_ids(image)],
        }
        for image, (split, year, _) in IMAGES.items()
    ]
    (folder / place / "dataset_coco.json").write_text(json.dumps({"images": images}))


@pytest.mark.parametrize("place", ["", "annotations"])
def test_karpathys_test_split_keeps_order_and_five_captions(folder, place):
    add_karpathy(folder, place)
    found = coco.read(folder)
    assert found.images == ("9", "30")
    assert found.caption_ids == tuple(str(1000 * image + n) for image in (9, 30) for n in range(5))
    assert found.captions[5] == "text 30000"
    assert found.files[0] == folder / "val2014" / file_name(9)
    assert found.problems == ()


def test_train_and_restval_are_one_split_of_papers(folder):
    add_karpathy(folder)
    assert coco.read(folder, "train+restval").images == ("3", "12")
    assert coco.read(folder, "restval").images == ("12",)
    assert coco.read(folder, "dev").name == "coco-val"


def test_the_official_files_alone_know_only_their_years(folder):
    found = coco.read(folder, "val2014")
    assert found.images == ("9", "30", "12", "4")
    assert found.captions[:2] == ("text 9000", "text 9001")
    with pytest.raises(InputError, match=r"no dataset_coco\.json.*coco_test_ids\.npy.*val2014"):
        coco.read(folder)


@pytest.mark.parametrize("split", ["test", "train+restval"])
def test_lists_of_caption_ids_split_the_official_files(folder, split):
    add_karpathy(folder)
    by_karpathy = coco.read(folder, split)
    (folder / "dataset_coco.json").unlink()
    for part in ("test", "train", "restval"):
        ids = [it for i, (s, *_) in IMAGES.items() if s == part for it in caption_ids(i)[:5]]
        np.save(folder / "annotations" / f"coco_{part}_ids.npy", np.array(ids))
    found = coco.read(folder, split)
    assert (found.images, found.caption_ids) == (by_karpathy.images, by_karpathy.caption_ids)
    assert found.captions == by_karpathy.captions


def test_caption_ids_that_the_official_file_lacks(folder):
    np.save(folder / "coco_test_ids.npy", np.array([9000, 5]))
    with pytest.raises(InputError, match=r"1 of 2 captions of test .* the first is 5"):
        coco.read(folder)
    (folder / "coco_test_ids.npy").write_bytes(b"\x93NUMPY broken")
    with pytest.raises(InputError, match="no list of caption ids"):
        coco.read(folder)


def test_an_image_with_four_captions_is_not_the_published_data(folder):
    file = folder / "annotations" / "captions_val2014.json"
    content = json.loads(file.read_text())
    content["annotations"] = [it for it in content["annotations"] if it["id"] != 4000]
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"19 of 20 val2014 captions.*missing: 1 of 4"):
        coco.read(folder, "val2014")


def test_photos_below_images_and_missing_ones(folder):
    add_karpathy(folder)
    (folder / "images").mkdir()
    (folder / "val2014").rename(folder / "images" / "val2014")
    assert len(coco.read(folder)) == 2
    (folder / "images" / "val2014" / file_name(30)).unlink()
    with pytest.raises(InputError, match=r"1 of 2 test photos.*000000000030\.jpg"):
        coco.read(folder)
    assert coco.read(folder, allow_partial=True).images == ("9",)


@pytest.mark.parametrize("bad", ['{"images": []}', '{"images": [{}], "annotations": []}', "["])
def test_a_damaged_official_file(folder, bad):
    (folder / "annotations" / "captions_val2014.json").write_text(bad)
    with pytest.raises(InputError, match=r"captions_val2014\.json"):
        coco.read(folder, "val2014")


def test_another_order_than_the_official_one_is_remarked(folder, monkeypatch):
    add_karpathy(folder)
    order = coco.read(folder)
    monkeypatch.setattr(eccv, "is_installed", lambda: True)
    for captions, remarks in ((order.caption_ids, []), (order.caption_ids[::-1], ["order"])):
        official = eccv.CocoOrder(order.images, captions, order.owner)
        monkeypatch.setattr(eccv, "official_order", lambda official=official: official)
        assert [problem.kind for problem in coco.read(folder).problems] == remarks


def test_an_unknown_split(folder):
    with pytest.raises(InputError, match=r"train\+restval"):
        coco.read(folder, "test2017")
