from __future__ import annotations

import json

import pytest
from PIL import Image

from facetwise.data.benchmarks import few_shot_json
from facetwise.errors import InputError

NAMES = ["001.Black_footed_Albatross", "002.Laysan_Albatross", "003.Sooty_Albatross"]
WHERE = "/home/somebody/CUB_200_2011/images"
PLACES = {"base": [(0, "a"), (0, "b")], "val": [(1, "c")], "novel": [(2, "d"), (2, "e")]}


@pytest.fixture
def lists(tmp_path):
    """Lists with the paths of another machine."""
    root = tmp_path / "CUB"
    for split, rows in PLACES.items():
        for label, file in rows:
            folder = root / "images" / NAMES[label]
            folder.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), (90 * label, ord(file), 9)).save(folder / f"{file}.jpg")
        write(root, split, rows)
    return root


def write(root, split, rows, **more):
    found = {
        "label_names": NAMES,
        "image_names": [f"{WHERE}/{NAMES[label]}/{file}.jpg" for label, file in rows],
        "image_labels": [label for label, _ in rows],
    }
    (root / f"{split}.json").write_text(json.dumps(found | more))


def test_pictures_are_found_by_class_and_name_wherever_the_lists_were_written(lists):
    found = few_shot_json.read(lists, "novel")
    items = list(found.items())
    assert found.name == "CUB-novel" and found.problems == ()
    assert [item.id for item in items] == [f"{NAMES[2]}/d.jpg", f"{NAMES[2]}/e.jpg"]
    assert {(item.group, item.split, item.texts) for item in items} == {
        (NAMES[2], "test", ("Sooty Albatross",))
    }


def test_all_splits_have_their_roles(lists):
    items = list(few_shot_json.read(lists, "all").items())
    assert [item.split for item in items] == ["train", "train", "val", "test", "test"]
    assert len(few_shot_json.read(lists, "train")) == 2


def test_a_path_that_is_right_as_it_is_needs_no_folder(lists, tmp_path):
    there = tmp_path / "elsewhere" / NAMES[0]
    there.mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(there / "z.jpg")
    write(lists, "base", [], image_names=[str(there / "z.jpg")], image_labels=[0])
    assert [item.file for item in few_shot_json.read(lists, "base").items()] == [
        str(there / "z.jpg")
    ]


def test_missing_pictures_are_an_error_that_partial_data_may_pass(lists):
    (lists / "images" / NAMES[2] / "e.jpg").unlink()
    with pytest.raises(InputError, match=r"1 of 2 pictures are missing: .*e\.jpg; .*allow-partial"):
        few_shot_json.read(lists, "novel")
    found = few_shot_json.read(lists, "novel", allow_partial=True)
    assert len(found) == 1
    assert [problem.kind for problem in found.problems] == ["missing"]
    (lists / "val.json").unlink()
    with pytest.raises(InputError, match=r"no val\.json"):
        few_shot_json.read(lists, "all")
    assert len(few_shot_json.read(lists, "all", allow_partial=True)) == 3


def test_classes_that_are_torn_apart_and_doubles_are_told(lists):
    write(lists, "base", [(0, "a"), (1, "c"), (0, "b"), (0, "a")])
    found = few_shot_json.read(lists, "base")
    assert len(found) == 3
    assert sorted(problem.kind for problem in found.problems) == ["note", "row"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"image_labels": [0]}, "one label a picture"),
        ({"image_labels": [0, 3]}, "none of the 3 places"),
        ({"image_labels": ["0", "1"]}, "image_labels, a list of whole numbers"),
        ({"image_names": "x.jpg"}, "image_names, a list of texts"),
    ],
)
def test_another_shape_is_an_error_that_names_file_and_key(lists, more, said):
    write(lists, "base", PLACES["base"], **more)
    with pytest.raises(InputError, match=said) as error:
        few_shot_json.read(lists, "base")
    assert "base.json" in str(error.value)


def test_pickled_features_are_not_opened(tmp_path):
    (tmp_path / "novel_features.pt").write_bytes(b"not to be loaded")
    with pytest.raises(InputError, match=r"\.pt files are pickles"):
        few_shot_json.read(tmp_path, "novel")
    with pytest.raises(InputError, match="is no folder"):
        few_shot_json.read(tmp_path / "nowhere", "novel")
    with pytest.raises(InputError, match="no split 'tset'"):
        few_shot_json.read(tmp_path, "tset")


def test_other_lists_have_another_fingerprint(lists):
    before = few_shot_json.read(lists, "base").fingerprint()
    assert before == few_shot_json.read(lists, "base").fingerprint()
    write(lists, "base", PLACES["base"], remark="new")
    assert few_shot_json.read(lists, "base").fingerprint() != before
