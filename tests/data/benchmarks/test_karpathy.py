from __future__ import annotations

import json

import pytest

from facetwise.data.benchmarks.karpathy import karpathy_images
from facetwise.errors import InputError


def write(tmp_path, *images):
    file = tmp_path / "dataset_coco.json"
    file.write_text(json.dumps({"dataset": "coco", "images": images}))
    return file


def entry(split="test", **more):
    sentences = [{"raw": f" Text {n}. ", "tokens": ["text"], "sentid": 40 + n} for n in range(3)]
    return {"filename": "a.jpg", "split": split, "imgid": 0, "sentences": sentences, **more}


def test_coco_has_its_own_ids_and_folders(tmp_path):
    file = write(tmp_path, entry(), entry("val", cocoid=7, filepath="val2014"))
    (found,) = karpathy_images(file, {"val", "restval"})
    assert found == (
        "7",
        "val2014/a.jpg",
        [("40", "Text 0."), ("41", "Text 1."), ("42", "Text 2.")],
    )


def test_flickr_has_file_names_and_numbers(tmp_path):
    (found,) = karpathy_images(write(tmp_path, entry()), {"test"})
    assert found.image == found.photo == "a.jpg"
    assert [name for name, _ in found.captions] == ["a.jpg#0", "a.jpg#1", "a.jpg#2"]


@pytest.mark.parametrize(
    "bad", [{"filename": "a.jpg"}, 3, {**entry(), "sentences": [{}]}, {**entry(), "sentences": 3}]
)
def test_a_broken_entry_is_named(tmp_path, bad):
    with pytest.raises(InputError, match=r"dataset_coco\.json image 2: .*expected filename"):
        karpathy_images(write(tmp_path, entry(), bad), {"test"})


def test_another_json_is_refused(tmp_path):
    file = tmp_path / "captions_val2014.json"
    file.write_text('{"annotations": []}')
    with pytest.raises(InputError, match="Karpathy's file"):
        karpathy_images(file, {"test"})
