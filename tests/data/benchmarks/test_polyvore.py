from __future__ import annotations

import json
import shutil

import pytest

from facetwise.cli.main import main
from facetwise.data import Collection
from facetwise.data.benchmarks import polyvore, polyvore_questions
from facetwise.data.benchmarks.outfit_sets import cleaned
from facetwise.errors import InputError

from ...polyvore_tree import SETS, UNCHANGED, item, write_polyvore


def read(folder, split="test", **more):
    return polyvore.read(folder, split, allow_partial=True, **more)


def test_a_whole_tree(tmp_path):
    write_polyvore(tmp_path)
    found = read(tmp_path)
    assert found.name == "polyvore-nondisjoint-test"
    assert len(found.ids) == 47 and len(found) == 47  # 48 places, one item in two outfits
    assert set(found.tasks) == {"original", "resampled"}
    numbers = {id: number for number, id in enumerate(found.ids)}
    for n, name in enumerate(SETS):
        assert found.outfits[name] == tuple(numbers[item(n, i)] for i in range(1, 5))
    for task, place, width in (("original", 2, 4), ("resampled", 0, 10)):
        blanks = found.tasks[task].blanks
        assert blanks.candidates.shape == (12, width)
        assert blanks.answers.tolist() == [place] * 12
        assert blanks.position.tolist() == [1, 2, 3, 4] * 3
        right = [found.ids[blanks.candidates[n, place]] for n in range(12)]
        assert right == [item(n, 1 + n % 4) for n in range(12)]
    asked = found.tasks["resampled"].compatibility
    assert asked.labels.tolist() == [True] * 12 + [False] * 12
    unit = asked.unit.tolist()
    assert unit[:12] == unit[12:] and len(set(unit)) == 12
    assert len(found.tasks["original"].compatibility.unit.unique()) == 24


def test_cleaning_takes_out_the_false_outfits_that_are_true(tmp_path):
    asked = read(write_polyvore(tmp_path)).tasks["resampled"]
    assert len(cleaned(asked).compatibility) == len(asked.compatibility) - UNCHANGED


def test_published_counts_are_asked_for(tmp_path):
    write_polyvore(tmp_path)
    with pytest.raises(InputError, match=r"12 of 10,000 outfits .*--allow-partial"):
        polyvore.read(tmp_path)
    said = [str(problem) for problem in read(tmp_path).problems]
    assert any("12 of 10,000 resampled questions" in words for words in said)
    assert any("24 of 20,000 original compatibility lines" in words for words in said)
    assert any("47 of 47,854 items" in words for words in said)


def test_without_the_json_of_the_split_tokens_stay(tmp_path):
    write_polyvore(tmp_path, "valid", resolved=False, pictures=False, original=False)
    found = read(tmp_path, "val")
    assert found.split == "valid" and set(found.tasks) == {"resampled"}
    assert len(found.ids) == 48 and f"{SETS[0]}_1" in found.ids
    assert len(found.outfits) == 12 and all(len(own) == 4 for own in found.outfits.values())
    assert len(found) == 0
    assert any("no valid.json" in str(problem) for problem in found.problems)


def test_items_have_pictures_words_types_and_attributes(tmp_path):
    write_polyvore(tmp_path)
    (tmp_path / "images" / "6003.jpg").unlink()
    found = read(tmp_path)
    items = {one.id: one for one in found.items()}
    assert len(items) == len(found) == 46 and "6003" not in items
    shared = items["5000"]
    assert shared.outfits == (SETS[0], SETS[1]) and shared.split == "test"
    skirt = items["6012"]
    assert skirt.texts == ("High-waisted wool skirt", "Cute, off white.")
    assert skirt.attributes == {
        "semantic_category": "bottoms",
        "category": "Skirt",
        "attributes": ("cute", "highwaisted", "wool"),
    }
    types = found.types()
    assert types is not None and types[found.ids.index("6003")] == "Heel"
    assert types[found.ids.index("6004")] == "4"  # not in categories.csv


def test_some_pictures_must_not_be_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(polyvore_questions.OUTFITS, ("nondisjoint", "test"), 12)
    monkeypatch.setitem(polyvore_questions.ITEMS, "test", 47)
    write_polyvore(tmp_path)
    assert not [p for p in polyvore.read(tmp_path).problems if "of 47 pictures" in str(p)]
    (tmp_path / "images" / "6003.jpg").unlink()
    with pytest.raises(InputError, match=r"46 of 47 pictures .* missing: 6003.jpg; .*partial"):
        polyvore.read(tmp_path)
    assert any("46 of 47 pictures" in str(problem) for problem in read(tmp_path).problems)
    shutil.rmtree(tmp_path / "images")
    assert any("0 of 47 pictures" in str(p) for p in polyvore.read(tmp_path).problems)


def test_it_can_be_imported(tmp_path, capsys):
    write_polyvore(tmp_path / "polyvore_outfits", "train", original=False, resampled=False)
    out = tmp_path / "train.collection"
    words = ["data", "import", tmp_path / "polyvore_outfits", "--benchmark", "polyvore"]
    code = main([*map(str, words), "--split", "train", "--allow-partial", "--out", str(out)])
    assert code == 0, capsys.readouterr().err
    collection = Collection.open(out)
    assert len(collection) == 47 and set(collection.splits) == {"train"}
    assert collection.outfits[collection.row("5000")] == [SETS[0], SETS[1]]
    assert collection.attribute_groups == ("semantic_category", "category", "attributes")


def test_either_version_is_found(tmp_path):
    write_polyvore(tmp_path, version="disjoint", resampled=False)
    found = read(tmp_path)
    assert found.version == "disjoint" and set(found.tasks) == {"original"}
    assert read(tmp_path / "disjoint").name == "polyvore-disjoint-test"
    assert len(read(tmp_path / "disjoint")) == 47  # the pictures are beside it
    write_polyvore(tmp_path)
    assert read(tmp_path).version == "nondisjoint"
    assert read(tmp_path, version="disjoint").version == "disjoint"
    with pytest.raises(InputError, match="has no folder nondisjoint"):
        read(tmp_path / "disjoint", version="nondisjoint")
    with pytest.raises(InputError, match="no version 'other'"):
        read(tmp_path, version="other")


def test_the_right_answer_is_the_hidden_one_of_the_same_set(tmp_path):
    write_polyvore(tmp_path, resampled=False)
    file = tmp_path / "nondisjoint" / "fill_in_blank_test.json"
    entries = json.loads(file.read_text())
    own = SETS[0]
    # As in a released file: an item that is given stands first, the right one fourth.
    entries[0]["answers"] = [f"{own}_2", f"{SETS[3]}_1", f"{SETS[4]}_1", f"{own}_1"]
    file.write_text(json.dumps(entries))
    assert read(tmp_path).tasks["original"].blanks.answers[0] == 3


def test_damaged_entries_are_skipped_and_named(tmp_path):
    write_polyvore(tmp_path, resampled=False)
    folder = tmp_path / "nondisjoint"
    file = folder / "fill_in_blank_test.json"
    entries = json.loads(file.read_text())
    entries[1] = {"question": ["a_1"]}
    entries[2]["answers"] = [f"{SETS[5]}_1"]
    entries[3]["question"][0] = f"{SETS[3]}_99"
    entries[4] = "text"
    file.write_text(json.dumps(entries))
    lines = (folder / "compatibility_test.txt").read_bytes().splitlines()
    lines[0] = b"2 " + lines[0][2:]
    lines[1] = b"1"
    lines[2] = b"\x00\xff"
    lines[3] += b" 999_1"
    (folder / "compatibility_test.txt").write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(lines))
    outfits = json.loads((folder / "test.json").read_text())
    (folder / "test.json").write_text(json.dumps([*outfits, {"set_id": "9"}]))
    found = read(tmp_path)
    said = " | ".join(str(p) for p in found.problems if p.kind == "row")
    assert len([p for p in found.problems if p.kind == "row"]) == 9
    assert len(found.tasks["original"].blanks) == 8
    assert len(found.tasks["original"].compatibility) == 20
    for words in (
        "fill_in_blank_test.json line 3: not one of the answers",
        f"line 4: {SETS[3]}_99 is in no outfit of test.json",
        "compatibility_test.txt line 1: expected 0 or 1",
        "test.json line 13: expected",
    ):
        assert words in said


def test_files_that_are_missing_are_named(tmp_path):
    write_polyvore(tmp_path, resampled=False)
    (tmp_path / "nondisjoint" / "compatibility_test.txt").unlink()
    found = read(tmp_path)
    assert any("no compatibility_test.txt" in str(problem) for problem in found.problems)
    with pytest.raises(InputError, match=r"has no valid.json"):
        read(tmp_path, "valid")
    with pytest.raises(InputError, match="no split 'other'"):
        read(tmp_path, "other")
    with pytest.raises(InputError, match="has no folder nondisjoint or disjoint"):
        read(tmp_path / "images")


@pytest.mark.parametrize("text", ["[", "{}"])
def test_a_file_that_is_no_list_is_refused(tmp_path, text):
    write_polyvore(tmp_path)
    (tmp_path / "nondisjoint" / "fill_in_blank_test.json").write_text(text)
    with pytest.raises(InputError, match=r"fill_in_blank_test.json .*get the file again"):
        read(tmp_path)


def test_the_fingerprint_sees_pictures_and_words(tmp_path):
    write_polyvore(tmp_path)
    before = read(tmp_path).fingerprint()
    assert before == read(tmp_path).fingerprint()
    (tmp_path / "polyvore_item_metadata.json").write_text('{"6003": {"title": "a new title"}}')
    assert read(tmp_path).fingerprint() != before
    (tmp_path / "images" / "6003.jpg").unlink()
    assert read(tmp_path).fingerprint() != before


def test_the_released_validation_questions(real_data):
    asked = polyvore.read(real_data("polyvore_outfits"), "valid").tasks["resampled"]
    assert (len(asked.blanks), len(asked.compatibility)) == (5000, 10_000)
    assert (asked.blanks.answers != 0).sum() == 1  # one question lists a given item first
    kept = cleaned(asked)
    assert len(kept.compatibility) == 10_000 - 1624
    assert (kept.blanks.candidates < 0).sum() == 20  # 16 doubles and 4 given items
