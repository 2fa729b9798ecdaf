from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from facetwise.data import Collection
from facetwise.data.importing import stem_words
from facetwise.errors import InputError

from .conftest import encoded
from .test_columns import fashion


def test_a_styles_csv_just_works(shop):
    fashion(shop)
    collection = Collection.from_folder(shop.root)
    assert collection.path == shop.root.parent / "shop.collection"
    assert len(collection) == 12
    assert collection.ids[0] == "100"
    assert collection.texts[0] == ["Some Brand 0 Shirt"]
    assert collection.attribute_groups == ("gender", "baseColour")
    assert collection.table(["baseColour", "year"]).to_pylist()[:3] == [
        {"baseColour": "Red", "year": 2010},
        {"baseColour": "Blue", "year": 2011},
        {"baseColour": None, "year": 2012},
    ]
    assert collection.manifest.roles["image"] == "id (as in images/100.jpg)"
    assert collection.skipped == collection.notes == ()


def test_groups_of_several_columns_need_all_of_them(shop):
    fashion(shop)
    collection = Collection.from_folder(
        shop.root, table="styles.csv", group="gender,baseColour", out=shop.out
    )
    assert collection.groups[:3] == ["Men / Red", "Women / Blue", None]
    assert collection.attribute_groups == ("gender", "baseColour")


def test_rows_of_one_picture_are_one_item(shop):
    shop.pictures("Images/a.jpg", "Images/b.jpg")
    shop.csv(
        'image,caption\na.jpg,"A dog, running ."\nb.jpg,A cat .\na.jpg,A brown dog .\n'
        "a.jpg,A brown dog .\nb.jpg,Two cats .\n",
        "captions.txt",
    )
    collection = Collection.from_folder(shop.root, table="captions.txt", out=shop.out)
    assert collection.ids == ["a.jpg", "b.jpg"]
    assert collection.texts == [["A dog, running .", "A brown dog ."], ["A cat .", "Two cats ."]]
    assert collection.skipped == ()


def test_rows_of_one_picture_may_disagree(shop):
    shop.pictures("a.jpg", "b.jpg")
    shop.csv(
        "image,colour,size,note\na.jpg,red,L,\na.jpg,blue,L,x\nb.jpg,red,NA,y\nb.jpg,red,M,y\n"
    )
    collection = Collection.from_folder(shop.root, attributes="colour,size", out=shop.out)
    assert collection.table(["colour", "size", "note"]).to_pylist() == [
        {"colour": ["red", "blue"], "size": "L", "note": "x"},
        {"colour": ["red"], "size": "M", "note": "y"},
    ]


def test_an_id_that_comes_twice_with_other_content_is_an_error(shop):
    shop.pictures("a.jpg", "b.jpg", "c.jpg")
    shop.csv("id,image,title\n1,a.jpg,red shoe\n1,b.jpg,blue hat\n2,c.jpg,x\n2,c.jpg,x\n")
    collection = Collection.from_folder(shop.root, id="id", out=shop.out)
    assert collection.ids == ["1", "2"]
    assert [(p.row, p.kind) for p in collection.skipped] == [(3, "conflict"), (5, "duplicate")]
    assert str(collection.skipped[0]) == (
        "styles.csv row 3: the id '1' is taken by styles.csv row 2, which differs; "
        "ids must be unique"
    )
    with pytest.raises(InputError, match="row 3: the id '1' is taken"):
        Collection.from_folder(shop.root, id="id", out=shop.out, strict=True, overwrite=True)
    assert Collection.open(shop.out).ids == ["1", "2"]


def bad_pictures(shop):
    shop.picture("good.jpg")
    shop.picture("empty.jpg", b"")
    shop.picture("words.jpg", b"this is no picture")
    shop.picture("cut.jpg", encoded(size=(64, 64))[:60])
    shop.csv(
        "id,image,title\n1,good.jpg,a\n2,empty.jpg,b\n3,words.jpg,c\n4,cut.jpg,d\n"
        "5,missing.jpg,e\n6,,f\n,good.jpg,g\n8,../../etc/passwd,h\n9,good.jpg,\n10\n"
    )


def test_bad_rows_are_left_out_and_each_says_why(shop):
    bad_pictures(shop)
    collection = Collection.from_folder(shop.root, id="id", image="image", out=shop.out)
    assert collection.ids == ["1", "9"]
    assert collection.texts == [["a"], []]
    said = {problem.row: str(problem) for problem in collection.skipped}
    assert sorted(said) == [3, 4, 5, 6, 7, 8, 9, 11]
    assert "row 3 (id '2'): the picture is empty" in said[3]
    assert "row 4 (id '3'): the picture cannot be read" in said[4]
    assert "row 5 (id '4'): the picture is truncated or damaged" in said[5]
    assert "row 6: 'image' names 'missing.jpg', but no picture below" in said[6]
    assert said[6].endswith("is called so; put it there, or leave the row out")
    assert "row 7: column 'image' names no picture" in said[7]
    assert "row 8 has no id" in said[8]
    assert "row 9: '../../etc/passwd' leads out of" in said[9]
    assert "row 11: 1 fields instead of 3" in said[11]
    assert all(text.startswith("styles.csv row ") and "\n" not in text for text in said.values())


@pytest.mark.parametrize(
    "row", ["2,empty.jpg,b", "5,missing.jpg,e", "6,,f", ",good.jpg,g", "8,../x.jpg,h", "10"]
)
def test_strict_refuses_each_of_them(shop, row):
    bad_pictures(shop)
    shop.csv(f"id,image,title\n1,good.jpg,a\n{row}\n11,good.jpg,z\n")
    with pytest.raises(InputError, match=r"styles\.csv row 3"):
        Collection.from_folder(shop.root, id="id", image="image", out=shop.out, strict=True)
    assert not shop.out.exists()


def test_strict_sees_a_bad_last_row(shop):
    bad_pictures(shop)
    shop.csv("id,image,title\n1,good.jpg,a\n10\n")
    with pytest.raises(InputError, match="row 3: 1 fields"):
        Collection.from_folder(shop.root, id="id", image="image", out=shop.out, strict=True)


def test_all_rows_bad(shop):
    shop.csv("id,image\n1,a.jpg\n2,b.jpg\n")
    with pytest.raises(InputError, match=r"no items to keep.*row 2: 'image' names 'a\.jpg'"):
        Collection.from_folder(shop.root, out=shop.out)
    shop.csv("id,image\n")
    with pytest.raises(InputError, match="no rows below its header"):
        Collection.from_folder(shop.root, out=shop.out)
    assert not shop.out.exists()


def test_missing_columns_and_tables(shop):
    shop.pictures("a.jpg")
    shop.csv("id,title\n1,x\n")
    with pytest.raises(InputError, match="no column names the picture files"):
        Collection.from_folder(shop.root)
    with pytest.raises(InputError, match="no column 'photo'"):
        Collection.from_folder(shop.root, image="photo")
    with pytest.raises(InputError, match=r"other\.csv does not exist; it holds styles\.csv"):
        Collection.from_folder(shop.root, table="other.csv")
    shop.csv("id,title\n1,x\n", "second.csv")
    with pytest.raises(InputError, match=r"several tables \(second\.csv, styles\.csv\)"):
        Collection.from_folder(shop.root)


def test_folders_of_pictures_without_a_table(shop):
    shop.pictures("shoes/red_shoe-01.jpg", "shoes/IMG_0002.jpg", "hats/blue/0003.png", "x.jpg")
    collection = Collection.from_folder(shop.root, out=shop.out)
    found = dict(
        zip(collection.ids, zip(collection.groups, collection.texts, strict=True), strict=True)
    )
    assert found == {
        "hats/blue/0003": ("hats/blue", ["blue"]),
        "shoes/IMG_0002": ("shoes", ["shoes"]),
        "shoes/red_shoe-01": ("shoes", ["red shoe"]),
        "x": (None, []),
    }
    with pytest.raises(InputError, match="no table whose column 'colour'"):
        Collection.from_folder(shop.root, attributes="colour")


def test_folders_named_train_and_test_are_splits(shop):
    shop.pictures("train/cat/a.jpg", "test/cat/a.jpg", "test/dog/a.png", "test/dog/a.jpg")
    collection = Collection.from_folder(shop.root, out=shop.out)
    assert collection.groups == ["cat", "dog", "dog", "cat"]
    assert collection.splits == ["test", "test", "test", "train"]
    assert collection.ids == ["test/cat/a", "test/dog/a.jpg", "test/dog/a.png", "train/cat/a"]


def test_folders_that_all_pictures_share_are_no_groups(shop):
    shop.pictures("images/cat/a.jpg", "images/dog/b.jpg", "images/dog/old/c.jpg")
    assert Collection.from_folder(shop.root, out=shop.out).groups == ["cat", "dog", "dog/old"]
    assert Collection.open(shop.out).texts == [["cat"], ["dog"], ["old"]]
    for name in ("one/a.jpg", "same/x/a.jpg", "same/x/b.jpg", "sets/train/a.jpg", "sets/val/b.jpg"):
        shop.picture(f"../{name}")
    parent = shop.root.parent
    assert Collection.from_folder(parent / "one").groups == [None]
    assert Collection.open(parent / "one.collection").texts == [[]]
    assert Collection.from_folder(parent / "same").groups == [None, None]
    assert Collection.from_folder(parent / "sets").splits == ["train", "val"]


def test_a_folder_without_pictures(shop):
    with pytest.raises(InputError, match="holds no pictures"):
        Collection.from_folder(shop.root)
    with pytest.raises(InputError, match="does not exist"):
        Collection.from_folder(shop.root / "no")


def test_jsonl_with_several_texts_and_values(shop):
    shop.pictures("a.jpg", "b.jpg")
    shop.jsonl(
        {"id": 1, "image": "a.jpg", "captions": ["one", "two"], "tags": ["x", "y"], "new": True},
        {"id": 2, "image": "b.jpg", "captions": "three", "tags": [], "new": False, "price": 2.5},
    )
    collection = Collection.from_table(shop.root / "styles.jsonl", out=shop.out)
    assert collection.ids == ["1", "2"]
    assert collection.texts == [["one", "two"], ["three"]]
    assert collection.manifest.attributes == {"tags": "several", "new": "flag"}
    assert collection.attributes.states.tolist() == [[1, 1, 1], [0, 0, 0]]
    assert collection.table(["price"]).to_pylist() == [{"price": None}, {"price": 2.5}]


def test_parquet_with_pictures_inside(shop):
    pictures = [{"bytes": encoded((n * 40, 0, 0)), "path": None} for n in range(5)]
    labels = ["cat", "cat", "dog", "dog", None]
    pq.write_table(pa.table({"image": pictures, "label": labels}), shop.root / "pets.parquet")
    collection = Collection.from_table(shop.root / "pets.parquet")
    assert collection.path == shop.root / "pets.collection"
    assert collection.ids == [f"row {n}" for n in range(1, 6)]
    assert collection.groups == labels
    assert collection.image_bytes([2]) == [pictures[2]["bytes"]]


def test_flags_and_separated_values_of_a_csv(shop):
    shop.pictures(*(f"{n}.jpg" for n in range(6)))
    shop.csv(
        "id,new,materials\n"
        + "".join(
            f"{n},{('yes', 'no', '')[n % 3]},{('wool; silk', 'wool')[n % 2]}\n" for n in range(6)
        )
    )
    collection = Collection.from_folder(shop.root, out=shop.out)
    rows = collection.table(["new", "materials"]).to_pylist()
    assert [row["new"] for row in rows[:3]] == [True, False, None]
    assert [row["materials"] for row in rows[:2]] == [["wool", "silk"], ["wool"]]


def test_a_pattern_for_the_pictures(shop):
    shop.pictures("a/1-front.jpg", "a/1-back.jpg", "b/2-front.jpg")
    shop.csv("id,folder,title\n1,a,x\n2,b,y\n3,,z\n")
    collection = Collection.from_folder(shop.root, image="{folder}/{id}-front.jpg", out=shop.out)
    assert collection.ids == ["1", "2"]
    assert "row 4" in str(collection.skipped[0])


def test_column_names_that_are_taken(shop):
    shop.pictures("1.jpg", "2.jpg", "3.jpg", "4.jpg")
    shop.csv("id,width,Texts,texts\n1,9,a,x\n2,9,a,y\n3,8,b,x\n4,8,b,y\n")
    collection = Collection.from_folder(shop.root, attributes="width,Texts,texts", out=shop.out)
    assert collection.attribute_groups == ("width_2", "Texts_2", "texts_3")
    assert dict(collection.manifest.renamed) == {
        "width": "width_2", "Texts": "Texts_2", "texts": "texts_3",
    }  # fmt: skip
    assert collection.rows("width_2 = '9' AND texts_3 = 'y'") == [1]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("a/red-running_shoe_01.jpg", "red running shoe"),
        ("DSC01234.jpg", ""),
        ("cats/photo (12).jpg", "cats"),
        ("0123456789abcdef.png", ""),
        ("tiere/süße katze.png", "süße katze"),
    ],
)
def test_words_of_a_file_name(path, words):
    assert stem_words(path) == words
