from __future__ import annotations

import pytest

from facetwise.data.benchmarks import cxc
from facetwise.errors import InputError

ROWS = {
    "sits": (
        "caption,image,agg_score,sampling_method",
        "COCO_val2014:sentid:11,COCO_val2014_000000000022.jpg,3.4,c2i_intrasim",
        "COCO_val2014:sentid:12,COCO_val2014_000000391895.jpg,5,c2i_original",
    ),
    "sts": (
        "caption1,caption2,agg_score,sampling_method",
        "COCO_val2014:sentid:11,COCO_val2014:sentid:12,2.9,c2c_isim",
        "COCO_val2014:sentid:12,COCO_val2014:sentid:13,3,c2c_cocaption",
    ),
    "sis": (
        "image1,image2,agg_score,sampling_method",
        "COCO_val2014_000000000022.jpg,COCO_val2014_000000000100.jpg,2.5,i2i_csim",
        "COCO_val2014_000000000022.jpg,COCO_val2014_000000391895.jpg,0.0,i2i_csim",
    ),
}
PUBLISHED = {"sits": (44_722, 44_833), "sts": (44_009, 44_045), "sis": (42_767, 46_719)}


@pytest.fixture(autouse=True)
def tiny_counts(monkeypatch):
    counts = {(kind, split): 2 for kind in ROWS for split in ("val", "test")}
    monkeypatch.setattr(cxc, "COUNTS", counts)


def write(folder, kind, *rows, split="test", end="\n", start=""):
    folder.mkdir(exist_ok=True)
    file = folder / f"{kind}_{split}.csv"
    file.write_bytes((start + end.join(rows or ROWS[kind]) + end).encode())
    return folder


@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize(("end", "start"), [("\n", ""), ("\r\n", "\ufeff")])
def test_ids_are_those_of_coco(tmp_path, kind, end, start):
    found = cxc.read(write(tmp_path, kind, end=end, start=start), kind)
    expected = {
        "sits": (("11", "12"), ("22", "391895"), (3.4, 5.0)),
        "sts": (("11", "12"), ("12", "13"), (2.9, 3.0)),
        "sis": (("22", "22"), ("100", "391895"), (2.5, 0.0)),
    }[kind]
    assert (found.left, found.right, found.scores) == expected
    assert found.methods[0] == ROWS[kind][1].rsplit(",", 1)[1]
    assert (len(found), found.problems) == (2, ())


def test_columns_are_found_by_name(tmp_path):
    write(tmp_path, "sts", "agg_score,caption2,caption1,sampling_method", "4,COCO_val2014:sentid:2,"
          "COCO_val2014:sentid:1,x", "4,COCO_val2014:sentid:3,COCO_val2014:sentid:1,x")  # fmt: skip
    found = cxc.read(tmp_path, "sts")
    assert (found.left, found.right) == (("1", "1"), ("2", "3"))


def test_numbers_and_scores(tmp_path):
    found = cxc.read(write(tmp_path, "sits"), "sits")
    pairs, scores = found.numbered(["12", "11"], ["391895", "22"])
    assert pairs.tolist() == [[1, 1], [0, 0]]
    assert scores.tolist() == [3.4, 5.0]
    with pytest.raises(InputError, match="1 of 2 pairs of CxC sits test"):
        found.numbered(["12"], ["391895", "22"])
    assert found.numbered(["12"], ["391895"], allow_partial=True)[0].tolist() == [[0, 0]]
    assert found.numbered([], [], allow_partial=True)[0].shape == (0, 2)


@pytest.mark.parametrize(
    "bad",
    [
        "COCO_val2014:sentid:11,COCO_val2014_000000000022.jpg",
        "COCO_val2014:sentid:x,COCO_val2014_000000000022.jpg,3,c2i",
        "COCO_val2014:sentid:11,000000000022.png,3,c2i",
        "COCO_val2014:sentid:11,COCO_val2014_000000000022.jpg,5.1,c2i",
        "COCO_val2014:sentid:11,COCO_val2014_000000000022.jpg,nan,c2i",
        "COCO_val2014:sentid:11,COCO_val2014_000000000022.jpg,,c2i",
    ],
)
def test_a_damaged_row_is_skipped_and_named(tmp_path, bad):
    header, first, _ = ROWS["sits"]
    found = cxc.read(write(tmp_path, "sits", header, bad, first), "sits")
    assert found.left == ("11",)
    assert [problem.row for problem in found.problems] == [2]


def test_counts_are_checked(tmp_path):
    write(tmp_path, "sis", *ROWS["sis"][:2])
    with pytest.raises(InputError, match=r"sis_test\.csv: 1 of 2 sis test pairs"):
        cxc.read(tmp_path, "sis")
    assert len(cxc.read(tmp_path, "sis", allow_partial=True)) == 1


def test_an_empty_file_and_another_header(tmp_path):
    write(tmp_path, "sis", ROWS["sis"][0])
    assert len(cxc.read(tmp_path, "sis", allow_partial=True)) == 0
    with pytest.raises(InputError, match="expected the header caption1,caption2"):
        cxc.read(write(tmp_path, "sts", *ROWS["sis"]), "sts")


def test_files_in_data_and_missing_ones(tmp_path):
    write(tmp_path / "data", "sts", split="val")
    assert len(cxc.read(tmp_path, "sts", "dev")) == 2
    with pytest.raises(InputError, match=r"no sts_test\.csv"):
        cxc.read(tmp_path, "sts")
    with pytest.raises(InputError, match="sits val, sits test"):
        cxc.read(tmp_path, "sits", "train")


def test_the_published_counts(monkeypatch):
    monkeypatch.undo()
    for kind, (val, test) in PUBLISHED.items():
        assert (cxc.COUNTS[kind, "val"], cxc.COUNTS[kind, "test"]) == (val, test)
    assert sum(cxc.COUNTS.values()) == 267_095
    assert dict(cxc.THRESHOLDS) == {"sits": 3.0, "sts": 3.0, "sis": 2.5}
