from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from facetwise.data import Collection
from facetwise.data.benchmarks import inshop
from facetwise.errors import InputError

ROWS = [
    ("img/WOMEN/Tops/id_00000001/01_1_front.jpg", "id_00000001", "query"),
    ("img/WOMEN/Tops/id_00000001/01_2_side.jpg", "id_00000001", "gallery"),
    ("img/MEN/Denim_Jackets/id_00000002/02_1_front.jpg", "id_00000002", "query"),
    ("img/MEN/Denim_Jackets/id_00000002/02_4_full.jpg", "id_00000002", "gallery"),
    ("img/MEN/Denim_Jackets/id_00000003/01_1_front.jpg", "id_00000003", "train"),
]
NAMES = ["Drop Waist", "Lace", *(f"made up {n}" for n in range(461))]


def write(root: Path, *, images: str = "Img", anno: str = "Anno/attributes") -> Path:
    for number, (path, _, _) in enumerate(ROWS):
        file = root / images / path
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (60 * number, 9, 9)).save(file)
    (root / "Eval").mkdir()
    lines = [f"{path:<60} {garment}   {status}" for path, garment, status in ROWS]
    (root / "Eval/list_eval_partition.txt").write_text(
        "\n".join([str(len(ROWS)), "image_name item_id evaluation_status", *lines]) + "\n"
    )
    (root / anno).mkdir(parents=True, exist_ok=True)
    (root / anno / "list_attr_cloth.txt").write_text(
        "\n".join(["463", "attribute_name", *NAMES]) + "\n"
    )
    items = {"id_00000001": [1, -1, 0], "id_00000002": [-1, 1, -1]}
    (root / anno / "list_attr_items.txt").write_text(
        "\n".join(
            [
                "2",
                "item_id attribute_labels",
                *(
                    f"{garment}  " + "  ".join(map(str, (row + [-1] * 463)[:463]))
                    for garment, row in items.items()
                ),
            ]
        )
        + "\n"
    )
    return root


@pytest.mark.parametrize(("images", "anno"), [("Img", "Anno/attributes"), (".", "Anno")])
def test_queries_and_gallery_with_the_attributes_of_their_garments(tmp_path, images, anno):
    photos = inshop.read(write(tmp_path / "x", images=images, anno=anno), allow_partial=True)
    assert [photo.status for photo in photos.photos] == ["query", "gallery"] * 2
    first, second, third, _ = photos.items()
    assert first.attributes == {
        "gender": "WOMEN",
        "category": "Tops",
        "attribute": ("Drop Waist",),
    }
    assert second.attributes == first.attributes
    assert first.unknown == ("attribute=made up 0",)
    assert third.attributes["category"] == "Denim Jackets"
    assert third.attributes["attribute"] == ("Lace",)
    assert (first.group, first.split, first.extras) == (
        *("id_00000001", "test"),
        {"status": "query"},
    )
    collection = Collection.create(tmp_path / "x.collection", photos.items())
    assert collection.rows("status = 'query'") == [0, 2]


def test_counts_are_the_published_ones(tmp_path):
    root = write(tmp_path)
    with pytest.raises(InputError, match="2 of 14,218 query photos"):
        inshop.read(root)
    with pytest.raises(InputError, match="1 of 25,882 train photos"):
        inshop.read(root, "train")
    assert len(inshop.read(root, "all", allow_partial=True)) == 5
    parts = inshop.PUBLISHED.values()
    assert sum(photos for photos, _ in parts) == 52_712


def test_missing_photos_are_named(tmp_path):
    root = write(tmp_path)
    (root / "Img" / ROWS[2][0]).unlink()
    photos = inshop.read(root, allow_partial=True)
    assert len(photos) == 3
    assert any(f"missing: {ROWS[2][0]}" in str(problem) for problem in photos.problems)


def test_damaged_lines_are_skipped(tmp_path):
    root = write(tmp_path)
    with (root / "Eval/list_eval_partition.txt").open("a") as file:
        file.write(f"{ROWS[0][0]} id_00000001 query\n../../x/y/z.jpg id query\na b\nx y maybe\n")
    with (root / "Anno/attributes/list_attr_items.txt").open("a") as file:
        file.write("id_00000001 1 1\nid_00000001 a b\n")
    photos = inshop.read(root, allow_partial=True)
    rows = [problem.row for problem in photos.problems if problem.kind == "row"]
    assert rows == [8, 9, 10, 11, 5, 6]
    assert len(photos) == 4


def test_without_attribute_files_the_path_still_tells(tmp_path):
    root = write(tmp_path)
    (root / "Anno/attributes/list_attr_items.txt").unlink()
    first = next(inshop.read(root, allow_partial=True).items())
    assert first.attributes == {"gender": "WOMEN", "category": "Tops"}


def test_a_wrong_list_of_attributes_is_said(tmp_path):
    root = write(tmp_path)
    (root / "Anno/attributes/list_attr_cloth.txt").write_text("463\nattribute_name\nLace\n")
    with pytest.raises(InputError, match="1 attributes, expected 463"):
        inshop.read(root, allow_partial=True)


def test_no_such_split_or_file(tmp_path):
    with pytest.raises(InputError, match="test, train, all"):
        inshop.read(tmp_path, "val")
    with pytest.raises(InputError, match=r"Eval/list_eval_partition\.txt"):
        inshop.read(tmp_path)


def test_the_fingerprint_changes_with_an_attribute(tmp_path):
    root = write(tmp_path)
    before = inshop.read(root, allow_partial=True).fingerprint()
    assert inshop.read(root, allow_partial=True).fingerprint() == before
    file = root / "Anno/attributes/list_attr_items.txt"
    file.write_text(file.read_text().replace("id_00000001  1", "id_00000001  0"))
    assert inshop.read(root, allow_partial=True).fingerprint() != before
