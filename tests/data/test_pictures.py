from __future__ import annotations

import pytest

from facetwise.data import pictures
from facetwise.data.pictures import PictureFolder
from facetwise.errors import InputError


def test_finds_by_path_by_name_and_by_stem(shop):
    shop.pictures("images/1.jpg", "images/sub/2.PNG", "a/same.png", "b/same.png", ".trash/3.jpg")
    shop.picture("old.collection/4.jpg")
    shop.csv("id\n1\n", "notes.txt")
    folder = PictureFolder(shop.root)
    assert folder.files == ("a/same.png", "b/same.png", "images/1.jpg", "images/sub/2.PNG")
    assert folder.find("images/1.jpg") == "images/1.jpg"
    assert folder.find("./images//1.jpg") == "images/1.jpg"
    assert folder.find("images\\1.jpg") == "images/1.jpg"
    assert folder.find("1.jpg") == folder.find("1") == "images/1.jpg"
    assert folder.find("2") == "images/sub/2.PNG"
    assert folder.find("elsewhere/1.jpg") == "images/1.jpg"
    assert folder.find("same.png") is None
    assert folder.find("a/same.png") == "a/same.png"
    assert folder.find(str(shop.root / "images" / "1.jpg")) == "images/1.jpg"
    for missing in ("9.jpg", "", ".", "x" * 5000, "x" * 300 + "/1"):
        assert folder.find(missing) in (None, "images/1.jpg"), missing


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "images/../../x.jpg", "a\0b"])
def test_a_path_that_leads_out_of_the_folder_is_refused(shop, path):
    shop.picture("a.jpg")
    (shop.root.parent / "x.jpg").write_bytes(b"x")
    with pytest.raises(InputError, match="leads out of"):
        PictureFolder(shop.root).find(path)


def test_a_large_file_is_not_read(shop, monkeypatch):
    shop.picture("a.jpg")
    monkeypatch.setattr(pictures, "MAX_BYTES", 10)
    with pytest.raises(InputError, match="scale it down"):
        PictureFolder(shop.root).read("a.jpg")


def test_a_folder_must_be_one(shop):
    with pytest.raises(InputError, match="does not exist"):
        PictureFolder(shop.root / "no")
    with pytest.raises(InputError, match="is no folder"):
        PictureFolder(shop.picture("a.jpg"))
