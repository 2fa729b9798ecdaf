from __future__ import annotations

import json

import pytest

from facetwise.data.benchmarks.polyvore_metadata import (
    Description,
    attribute_names,
    match_attributes,
    read_metadata,
)
from facetwise.errors import InputError

from ...polyvore_tree import write_polyvore


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_the_last_name_is_whole_whatever_the_file_ends_with(tmp_path, end):
    (tmp_path / "dataset").mkdir()
    (tmp_path / "nondisjoint").mkdir()
    (tmp_path / "dataset" / "attribute_list.txt").write_bytes(f"cute\nskinny{end}".encode())
    for folder in (tmp_path, tmp_path / "nondisjoint"):
        names, remark = attribute_names(folder)
        assert names == ("cute", "skinny")
        assert "2 of 206 names" in str(remark)


def test_no_list_no_names(tmp_path):
    assert attribute_names(tmp_path) == ((), None)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A KNEE HIGH boot", ("kneehigh", "high")),
        ("knee-high", ("kneehigh", "high")),
        ("highly woolly", ()),
        ("rainbow colored bomber style", ("rainbow-colored", "bomber-style")),
        ("", ()),
    ],
)
def test_names_match_whole_words_however_they_are_joined(text, found):
    names = ("kneehigh", "high", "wool", "rainbow-colored", "bomber-style")
    assert match_attributes([text], names) == found


def test_texts_that_are_missing_leave_attributes_unknown(tmp_path):
    about = {"1": {}, "2": {"url_name": "plain thing"}, "3": {"title": None, "description": " "}}
    (tmp_path / "polyvore_item_metadata.json").write_text(json.dumps(about))
    found = read_metadata(tmp_path, ("wool",))
    assert found["1"] == found["3"] == Description()
    assert found["2"].attributes == () and found["2"].texts == ("plain thing",)
    assert found["1"].item_attributes()["attributes"] is None


def test_fine_types_with_one_name_are_kept_apart(tmp_path):
    write_polyvore(tmp_path)
    (tmp_path / "categories.csv").write_text('1,Top,tops\n2,Top,bottoms\n3,"Heel, high",shoes\n')
    found = read_metadata(tmp_path / "nondisjoint", only=frozenset({"5000", "6002", "6003"}))
    assert {id: one.category for id, one in found.items()} == {
        "5000": "Top",
        "6002": "Top (2)",
        "6003": "Heel, high",
    }


def test_the_list_of_categories_serves_where_there_is_no_id(tmp_path):
    about = {"1": {"categories": ["Clothing", "Dresses"]}, "2": "text"}
    (tmp_path / "polyvore_item_metadata.json").write_text(json.dumps(about))
    assert read_metadata(tmp_path)["1"].category == "Dresses"
    assert "2" not in read_metadata(tmp_path)


def test_metadata_may_be_missing_but_not_broken(tmp_path):
    assert read_metadata(tmp_path) == {}
    (tmp_path / "polyvore_item_metadata.json").write_text("{")
    with pytest.raises(InputError, match=r"polyvore_item_metadata.json"):
        read_metadata(tmp_path)
