from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facetwise.data import Collection
from facetwise.data.benchmarks import Damage, cub
from facetwise.data.benchmarks.cub_attributes import attribute_names, class_states, image_states
from facetwise.data.benchmarks.cub_splits import PUBLISHED, class_ids
from facetwise.errors import InputError

GROUPS = ["has_wing_color::blue", "has_wing_color::red_brown", "has_size::small_(5_-_9_in)"]
NAMES = [*GROUPS, *(f"has_made_up::value_{n}" for n in range(309))]


def write(root: Path, classes: dict[int, int], *, bom: bool = False) -> Path:
    """A tree with so many photos of each class, in the published formats; ids start at 11."""
    (root / "images").mkdir(parents=True)
    (root / "attributes").mkdir()
    rows, labels = [], []
    number = 10
    for label, count in classes.items():
        folder = f"{label:03d}.Bird_{label}"
        (root / "images" / folder).mkdir()
        for k in range(count):
            number += 1
            Image.new("RGB", (8, 8), (label, 9 * k, number)).save(
                root / "images" / folder / f"{k}.jpg"
            )
            rows.append(f"{number} {folder}/{k}.jpg")
            labels.append(f"{number} {label}")
    mark, end = ("\ufeff", "\r\n") if bom else ("", "\n")
    for name, lines in (
        ("images.txt", rows),
        ("image_class_labels.txt", labels),
        ("classes.txt", [f"{n} {n:03d}.Bird_{n}" for n in range(1, 201)]),
        ("attributes.txt", [f"{n} {name}" for n, name in enumerate(NAMES, 1)]),
    ):
        (root / name).write_bytes((mark + end.join(lines) + end).encode())
    return root


def percentages(root: Path, by_class: dict[int, list[float]]) -> None:
    lines = [" ".join(map(str, (by_class.get(n, []) + [0.0] * 312)[:312])) for n in range(1, 201)]
    (root / "attributes/class_attribute_labels_continuous.txt").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("bom", [False, True])
def test_splits_take_the_official_class_ids_however_the_file_was_saved(tmp_path, bom):
    root = write(tmp_path, {1: 2, 2: 3, 4: 1, 7: 2, 101: 1}, bom=bom)
    sizes = {}
    for split in ("base", "val", "novel", "train", "test", "all"):
        birds = cub.read(root, split, allow_partial=True)
        sizes[split] = (len(birds), sorted(set(birds.classes)))
    assert sizes == {
        "base": (5, [1, 7, 101]),
        "val": (3, [2]),
        "novel": (1, [4]),
        "train": (8, [1, 2, 4, 7]),
        "test": (1, [101]),
        "all": (9, [1, 2, 4, 7, 101]),
    }


def test_the_published_counts_add_up():
    few, metric = ("base", "val", "novel"), ("train", "test")
    captions = ("captions-train", "captions-test")
    for parts in (few, metric, captions):
        assert sum(PUBLISHED[name].photos for name in parts) == PUBLISHED["all"].photos
        assert sum(PUBLISHED[name].classes for name in parts) == PUBLISHED["all"].classes
    for name in (*few, *metric):
        assert len(class_ids(name, Path(), range(1, 201))) == PUBLISHED[name].classes


def test_splits_of_the_captions_come_from_their_lists(tmp_path):
    root = write(tmp_path / "CUB_200_2011", {1: 1, 4: 2})
    with pytest.raises(InputError, match=r"testclasses\.txt"):
        cub.read(root, "captions-test", allow_partial=True)
    (tmp_path / "testclasses.txt").write_text("004.Bird_4\n")
    birds = cub.read(root, "captions-test", allow_partial=True)
    assert (birds.name, set(birds.classes)) == ("cub-captions-test", {4})


def test_missing_classes_and_photos_are_named(tmp_path):
    root = write(tmp_path, {2: 2})
    with pytest.raises(InputError, match=r"1 of 50 val classes .*006 Bird 6 and 48 more.*--allow"):
        cub.read(root, "val")
    (root / "images/002.Bird_2/1.jpg").unlink()
    birds = cub.read(root, "val", allow_partial=True)
    assert len(birds) == 1
    assert "missing: images/002.Bird_2/1.jpg" in str(birds.problems[1])


def test_the_tree_may_be_nested(tmp_path):
    write(tmp_path / "CUB_200_2011" / "CUB_200_2011", {2: 1})
    (tmp_path / "CUB_200_2011/CUB_200_2011/attributes.txt").rename(tmp_path / "attributes.txt")
    percentages(tmp_path / "CUB_200_2011/CUB_200_2011", {2: [80.0]})
    birds = cub.read(tmp_path, "val", allow_partial=True)
    assert next(birds.items()).attributes["wing_color"] == ("blue",)


def test_damaged_lines_are_skipped_and_named(tmp_path):
    root = write(tmp_path, {2: 3})
    with (root / "images.txt").open("a") as file:
        file.write("99 ../../etc/passwd\nnonsense\n13 002.Bird_2/0.jpg\n77 002.Bird_2/none.jpg\n")
    birds = cub.read(root, "val", allow_partial=True)
    assert len(birds) == 3
    said = [str(problem) for problem in birds.problems]
    assert [line.split(":")[0] for line in said[:4]] == [
        f"images.txt line {n}" for n in range(4, 8)
    ]


def test_no_such_split_or_folder(tmp_path):
    with pytest.raises(InputError, match="base, val, novel"):
        cub.read(tmp_path, "dev")
    with pytest.raises(InputError, match=r"images\.txt or CUB_200_2011/images\.txt"):
        cub.read(tmp_path, "val")


def test_percentages_have_a_third_state(tmp_path):
    root = write(tmp_path / "cub", {2: 1, 6: 1})
    percentages(root, {2: [50.0, 10.0, 9.9], 6: [10.0, 49.9, 100.0]})
    birds = cub.read(root, "val", allow_partial=True)
    one, two = birds.items()
    assert one.attributes["wing_color"] == ("blue",)
    assert one.attributes["size"] == ()
    assert one.unknown == ("wing_color=red brown",)
    assert two.attributes["size"] == ("small (5 - 9 in)",)
    assert two.unknown == ("wing_color=blue", "wing_color=red brown")
    assert (one.group, one.texts, one.split) == ("002 Bird 2", ("Bird 2",), "val")
    table = Collection.create(tmp_path / "birds.collection", birds.items()).attributes
    states = dict(zip(table.names, table.states.T.tolist(), strict=True))
    assert states["wing_color=blue"] == [1, -1]
    assert states["size=small (5 - 9 in)"] == [0, 1]


def test_a_damaged_class_is_unknown(tmp_path):
    root = write(tmp_path, {2: 1})
    percentages(root, {2: [80.0]})
    file = root / "attributes/class_attribute_labels_continuous.txt"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], "5.0 x", *lines[2:]]) + "\n")
    birds = cub.read(root, "val", allow_partial=True)
    assert "line 2" in str(birds.problems[-1])
    assert set(next(birds.items()).attributes.values()) == {None}
    file.write_text("\n".join(lines[:150]))
    with pytest.raises(InputError, match="150 lines, expected 200"):
        class_states(file, Damage(file))


def labels(numbers: list[int], said: dict[tuple[int, int], str]) -> list[str]:
    return [
        said.get((number, attribute), f"{number} {attribute} 0 4 1.5")
        for number in numbers
        for attribute in range(1, 313)
    ]


def test_labels_of_photos_win_and_only_four_fields_count(tmp_path):
    root = write(tmp_path, {2: 2})
    percentages(root, {2: [0.0]})
    said = {
        (11, 1): "11 1 1 4 2.5",
        (11, 2): "11 2 1 2 2.5",  # guessing
        (11, 3): "11 3 1 3 0 2.5 7",  # as some published lines
        (12, 1): "12 1 0 1 0.5",  # not visible
        (12, 2): "12 2 x 4 0.5",  # damaged
    }
    file = root / "attributes/image_attribute_labels.txt"
    file.write_text("\n".join(["5 1 1 4 1.0", *labels([11, 12], said)]) + "\n")
    birds = cub.read(root, "val", allow_partial=True)
    assert birds.by_photo
    assert birds.attribute_rows.states[:, :3].tolist() == [[1, -1, 1], [-1, -1, 0]]
    assert "line 315: expected image" in str(birds.problems[-1])
    one = next(birds.items())
    assert one.attributes["size"] == ("small (5 - 9 in)",)
    assert one.unknown == ("wing_color=red brown",)


def test_missing_labels_are_counted(tmp_path):
    file = tmp_path / "labels.txt"
    file.write_text("\n".join(labels([1, 2], {})[:-12]) + "\n")
    with pytest.raises(InputError, match="612 of 624 attribute labels"):
        image_states(file, [1, 2], Damage(file))
    states, problem = image_states(file, [2, 1], Damage(file), allow_partial=True)
    assert problem is not None
    assert (states[1] == 0).all()
    assert (states[0, -12:] == -1).all()


def test_too_much_damage_is_no_label_file(tmp_path):
    file = tmp_path / "labels.txt"
    file.write_text("\n".join(["1 2"] * 200))
    with pytest.raises(InputError, match="more than 100 bad lines"):
        image_states(file, [1], Damage(file))


def test_names_must_be_all_there(tmp_path):
    file = tmp_path / "attributes.txt"
    file.write_text("\n".join(f"{n} {name}" for n, name in enumerate(NAMES, 1)))
    groups, values = attribute_names(file, Damage(file))
    assert (groups[1], values[1], len(values)) == ("wing_color", "red brown", 312)
    file.write_text("1 has_size::small\n1 has_size::large\n")
    with pytest.raises(InputError, match="1 attributes, expected 312"):
        attribute_names(file, Damage(file))


def test_the_fingerprint_changes_with_a_photo_and_the_split(tmp_path):
    root = write(tmp_path, {2: 2})
    before = cub.read(root, "val", allow_partial=True).fingerprint()
    assert cub.read(root, "val", allow_partial=True).fingerprint() == before
    assert cub.read(root, "all", allow_partial=True).fingerprint() != before
    Image.new("RGB", (9, 9)).save(root / "images/002.Bird_2/0.jpg")
    assert cub.read(root, "val", allow_partial=True).fingerprint() != before


def test_the_real_tree(real_data):
    birds = cub.read(real_data("CUB_200_2011"), "val", allow_partial=True)
    if len(set(birds.classes)) == 50:
        pytest.skip("the counts below are of the part with 28 of the 50 classes")
    assert (len(birds), len(set(birds.classes))) == (1655, 28)
    assert np.bincount(birds.attribute_rows.states.ravel() + 1, minlength=3).tolist() == [
        *(12289, 45478, 4633),
    ]
    assert next(birds.items()).image[:2] == b"\xff\xd8"
