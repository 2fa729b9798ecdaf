from __future__ import annotations

import pytest

from facetwise.data import Collection
from facetwise.data.benchmarks.captions import Captioned, Photos, captioned_images
from facetwise.data.benchmarks.checks import Damage
from facetwise.data.benchmarks.reading import json_object, text_lines
from facetwise.errors import InputError

from ..conftest import encoded


def five(image, count=5):
    return [(f"{image}#{n}", f"caption {n} of {image}") for n in range(count)]


def entries(*names, count=5):
    return [Captioned(name, name, five(name, count)) for name in names]


def folder_of(root, *names):
    (root / "Images").mkdir()
    for number, name in enumerate(names):
        (root / "Images" / name).write_bytes(encoded(size=(8 + number, 8)))
    return Photos(root, ("Photos", "Images"))


def test_captions_owners_and_ids_stand_in_image_order(tmp_path):
    photos = folder_of(tmp_path, "b.jpg", "a.jpg")
    found = captioned_images("tiny", "dev", entries("b.jpg", "a.jpg"), photos, published=2)
    assert (found.name, found.images) == ("tiny-dev", ("b.jpg", "a.jpg"))
    assert found.owner == (0,) * 5 + (1,) * 5
    assert found.caption_ids[4:6] == ("b.jpg#4", "a.jpg#0")
    assert found.texts == (found.captions[:5], found.captions[5:])
    assert found.problems == ()


def test_six_or_seven_captions_are_cut_to_the_first_five(tmp_path):
    photos = folder_of(tmp_path, "a.jpg")
    found = captioned_images("tiny", "test", entries("a.jpg", count=7), photos, published=1)
    assert found.caption_ids == tuple(f"a.jpg#{n}" for n in range(5))


def test_a_missing_photo_is_named_and_left_out_only_when_allowed(tmp_path):
    photos = folder_of(tmp_path, "a.jpg")
    wanted = entries("b.jpg", "a.jpg")
    with pytest.raises(InputError, match=r"1 of 2 dev photos with captions.*missing: b\.jpg; get"):
        captioned_images("tiny", "dev", wanted, photos, published=2)
    found = captioned_images("tiny", "dev", wanted, photos, published=2, allow_partial=True)
    assert (found.images, found.owner) == (("a.jpg",), (0,) * 5)
    assert [problem.kind for problem in found.problems] == ["missing"]


def test_missing_captions_are_no_damaged_lines(tmp_path):
    photos = folder_of(tmp_path, "a.jpg", "b.jpg")
    wanted = [*entries("a.jpg", count=4), *entries("b.jpg")]
    with pytest.raises(InputError, match=r"9 of 10 dev captions.*missing: 1 of a\.jpg"):
        captioned_images("tiny", "dev", wanted, photos, published=2)
    damage = Damage(tmp_path / "captions.txt")
    damage.add(3, "expected a caption")
    found = captioned_images("tiny", "dev", wanted, photos, published=2, damaged=damage.problems)
    assert (found.owner, found.problems) == ((0,) * 4 + (1,) * 5, damage.problems)
    assert len(found.texts[0]) == 4


def test_nothing_there_says_where_photos_are_looked_for(tmp_path):
    photos = Photos(tmp_path, ("Photos", "Images"))
    with pytest.raises(InputError, match=r"looked for a\.jpg; put the photos into one of Photos/"):
        captioned_images("tiny", "dev", entries("a.jpg"), photos, published=1, allow_partial=True)


def test_an_image_listed_twice_counts_once(tmp_path):
    photos = folder_of(tmp_path, "a.jpg")
    found = captioned_images("tiny", "dev", entries("a.jpg", "a.jpg"), photos, published=1)
    assert len(found) == 1
    assert found.problems[0].kind == "duplicate"


def test_a_source_becomes_a_collection(tmp_path):
    photos = folder_of(tmp_path, "a.jpg", "b.jpg")
    found = captioned_images("tiny", "dev", entries("b.jpg", "a.jpg"), photos, published=2)
    collection = Collection.create(tmp_path / "c.collection", found.items(), total=len(found))
    assert collection.ids == ["b.jpg", "a.jpg"]
    assert collection.splits == ["val", "val"]
    assert collection.texts[1] == [f"caption {n} of a.jpg" for n in range(5)]


def test_the_fingerprint_follows_photos_captions_and_order(tmp_path):
    photos = folder_of(tmp_path, "a.jpg", "b.jpg")

    def read(*names, text=""):
        wanted = [Captioned(e.image, e.photo, [*e.captions[:4], ("x", text)]) for e in names]
        return captioned_images("tiny", "dev", unique(wanted), photos, published=2).fingerprint()

    def unique(wanted):
        return [e._replace(captions=[(f"{e.image}{i}", t) for i, t in e.captions]) for e in wanted]

    a, b = entries("a.jpg", "b.jpg")
    first = read(a, b)
    assert first == read(a, b)
    changed = {read(b, a), read(a, b, text="another"), first}
    (tmp_path / "Images" / "a.jpg").write_bytes(encoded(size=(99, 9)))
    assert len(changed | {read(a, b)}) == 4


def test_photos_are_found_with_their_own_folder_or_without(tmp_path):
    (tmp_path / "images" / "val2014").mkdir(parents=True)
    (tmp_path / "images" / "val2014" / "a.jpg").touch()
    (tmp_path / "images" / "b.jpg").touch()
    (tmp_path / "c.jpg").touch()
    photos = Photos(tmp_path, ("images",))
    assert photos.find("val2014/a.jpg") == tmp_path / "images" / "val2014" / "a.jpg"
    assert photos.find("val2014/b.jpg") == tmp_path / "images" / "b.jpg"
    assert photos.find("val2014/c.jpg") == tmp_path / "c.jpg"
    assert photos.find("d.jpg") is None


def test_lines_keep_their_numbers_whatever_the_ends(tmp_path):
    file = tmp_path / "lines.txt"
    file.write_bytes("\ufeffone\r\n\r\nzwei \u2028 drei\n".encode() + b"\xff\xfe\nlast")
    damage = Damage(file)
    assert list(text_lines(file, damage)) == [(1, "one"), (3, "zwei \u2028 drei"), (5, "last")]
    assert [problem.row for problem in damage.problems] == [4]


@pytest.mark.parametrize("text", ["{", "[1]", "\x00", "[" * 100_000])
def test_json_that_is_none_is_a_one_line_error(tmp_path, text):
    file = tmp_path / "a.json"
    file.write_text(text)
    with pytest.raises(InputError, match=r"a\.json") as error:
        json_object(file)
    assert "\n" not in str(error.value)


def test_json_may_have_a_byte_order_mark(tmp_path):
    (tmp_path / "a.json").write_text('\ufeff{"a": 1}', encoding="utf-8")
    assert json_object(tmp_path / "a.json") == {"a": 1}
