import io

import pytest
from PIL import Image

from facetwise.errors import InputError
from facetwise.search.query import IndexedItem, read_query


def png(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def picture():
    return Image.new("RGB", (5, 3), (10, 200, 30))


def test_a_str_is_a_text_even_where_a_file_has_that_name(tmp_path, monkeypatch, picture):
    (tmp_path / "a.png").write_bytes(png(picture))
    monkeypatch.chdir(tmp_path)
    assert read_query("a.png").kind == "text"


def test_path_bytes_and_pil_are_the_same_picture(tmp_path, picture):
    (tmp_path / "a.png").write_bytes(png(picture))
    asked = [read_query(tmp_path / "a.png"), read_query(png(picture)), read_query(picture)]
    assert [a.kind for a in asked] == ["image"] * 3
    assert {a.image.tobytes() for a in asked} == {picture.tobytes()}
    assert asked[0].name == "a.png"
    assert asked[0].hash == asked[1].hash is not None


def test_a_transparent_picture_is_laid_over_white():
    for image in (Image.new("RGBA", (2, 2)), Image.new("LA", (2, 2))):
        assert read_query(image).image.getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_an_empty_text_is_refused(text):
    with pytest.raises(InputError, match="empty"):
        read_query(text)


def test_what_is_no_query_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("no picture")
    with pytest.raises(InputError, match="does not exist"):
        read_query(tmp_path / "none.png")
    with pytest.raises(InputError, match="cannot be read"):
        read_query(tmp_path)
    with pytest.raises(InputError, match=r"a\.txt"):
        read_query(tmp_path / "a.txt")
    with pytest.raises(InputError, match="not int"):
        read_query(3)


def test_an_item_asks_by_its_id():
    assert read_query(IndexedItem("shape-1")).id == "shape-1"
