from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from facetwise.data.tables import clean, read_table
from facetwise.errors import InputError


def write(tmp_path, text, name="t.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding) if isinstance(text, str) else text)
    return path


def rows(path):
    table = read_table(path)
    return table, [(row.number, row.values) for row in table]


def test_csv_rows_are_numbered_as_a_spreadsheet_does(tmp_path):
    path = write(tmp_path, 'id,name\r\n1," red, shoe "\r\n\r\n007,"two\nlines"\r\n')
    table, found = rows(path)
    assert table.columns == ("id", "name")
    assert found == [
        (2, {"id": "1", "name": "red, shoe"}),
        (4, {"id": "007", "name": "two\nlines"}),
    ]
    assert list(table) == list(table)


@pytest.mark.parametrize(("name", "delimiter"), [("t.csv", ";"), ("t.tsv", "\t"), ("t.txt", "|")])
def test_other_delimiters(tmp_path, name, delimiter):
    path = write(tmp_path, "\ufeffid,name\n1,a\n".replace(",", delimiter), name)
    assert rows(path)[1] == [(2, {"id": "1", "name": "a"})]


def test_unquoted_commas_belong_to_the_last_column(tmp_path):
    table, found = rows(write(tmp_path, "id,c,name\n1,red,shoe, with, laces\n2,red,x,,\n"))
    assert found[0][1] == {"id": "1", "c": "red", "name": "shoe, with, laces"}
    assert found[1][1] == {"id": "2", "c": "red", "name": "x"}
    assert [str(note) for note in table.notes] == [
        "t.csv row 2: 5 fields instead of 3: joined the last ones to 'name'; "
        "put values that hold ',' in quotation marks"
    ]
    list(table)
    assert len(table.notes) == 1


def test_rows_with_too_few_fields_are_left_out(tmp_path):
    table, found = rows(write(tmp_path, 'id,name\n1\n2,b\n3 "x\n4,"open\n5,c\n'))
    assert [number for number, _ in found] == [3, 5]
    assert str(table.skipped[0]) == (
        "t.csv row 2: 1 fields instead of 2; left out, complete the row"
    )
    assert (table.skipped[0].file, table.skipped[0].row) == ("t.csv", 2)


def test_an_open_quotation_mark_is_suspected(tmp_path):
    table, _ = rows(write(tmp_path, 'id,name\n"1,a\n2,b\n3,c\n'))
    assert "spans 3 lines: is a quotation mark left open?" in str(table.skipped[0])


def test_column_names_are_made_unique(tmp_path):
    table, found = rows(write(tmp_path, "a,a,\n1,2,3\n"))
    assert table.columns == ("a", "a 2", "column 3")
    assert len(table.notes) == 2
    assert found[0][1] == {"a": "1", "a 2": "2", "column 3": "3"}


def test_a_table_that_is_not_utf8_names_byte_and_row(tmp_path):
    path = write(tmp_path, b"id,name\n1,a\n2,Caf\xe9\n")
    with pytest.raises(InputError, match=r"t\.csv row 3: byte 17 is not UTF-8; save"):
        read_table(path)
    big = write(tmp_path, b"id,name\n" + "1,\u00e9\n".encode() * 300_000 + b"2,\xe9")
    with pytest.raises(InputError, match=r"row 300002: byte 1500010 is not UTF-8"):
        read_table(big)
    cut = write(tmp_path, "id,name\n1,\u00e9".encode()[:-1])
    with pytest.raises(InputError, match=r"row 2: byte 10 is not UTF-8"):
        read_table(cut)
    with pytest.raises(InputError, match="is UTF-16"):
        read_table(write(tmp_path, "id,name\n", encoding="utf-16"))
    with pytest.raises(InputError, match="not UTF-8"):
        read_table(write(tmp_path, b'{"a": "\xe9"}\n', "t.jsonl"))


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.jsonl"])
def test_an_empty_file(tmp_path, name):
    with pytest.raises(InputError, match="is empty"):
        read_table(write(tmp_path, "", name))


def test_what_is_no_table(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_table(tmp_path / "t.csv")
    with pytest.raises(InputError, match="is empty"):
        read_table(write(tmp_path, "\n  \n"))
    for name in ("t.xlsx", "t.json", "t"):
        with pytest.raises(InputError, match=r"save it as \.csv, \.parquet or \.jsonl"):
            read_table(write(tmp_path, "x", name))
    with pytest.raises(InputError, match="cannot be read as parquet"):
        read_table(write(tmp_path, "no parquet", "t.parquet"))
    with pytest.raises(InputError, match=r"row 2: .*quotation mark"):
        list(read_table(write(tmp_path, "id,name\n1,{}\n".format("x" * 2_000_000))))


def test_jsonl_holds_lists_numbers_and_flags(tmp_path):
    path = write(
        tmp_path,
        '{"id": 7, "t": ["a", "b", null], "n": 1.5}\n\n[1]\n{"id": oops}\n'
        '{"id": 12345678901234567890, "new": true, "t": [], "u": ["?"]}\n',
        "t.jsonl",
    )
    table, found = rows(path)
    assert table.columns == ("id", "t", "n", "new", "u")
    assert found == [
        (1, {"id": 7.0, "t": ("a", "b"), "n": 1.5}),
        (5, {"id": "12345678901234567890", "new": True, "t": (), "u": None}),
    ]
    assert [problem.row for problem in table.skipped] == [3, 4]
    with pytest.raises(InputError, match=r"no row can be read .*row 1"):
        read_table(write(tmp_path, "oops\n", "t.jsonl"))


def test_parquet_holds_pictures_and_lists(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(
        pa.table(
            {
                "id": [1, 2],
                "image": [{"bytes": b"x", "path": "a.png"}, {"bytes": None, "path": "b.png"}],
                "raw": [b"y", None],
                "tags": [["a"], None],
            }
        ),
        path,
    )
    assert rows(path)[1] == [
        (1, {"id": 1.0, "image": b"x", "raw": b"y", "tags": ("a",)}),
        (2, {"id": 2.0, "image": "b.png", "raw": None, "tags": None}),
    ]


@pytest.mark.parametrize("word", ["", " ", "NA", "n/a", "NaN", "null", "None", "UNKNOWN", "?", "-"])
def test_words_for_unknown(word):
    assert clean(word) is None
    assert clean([word, "x"]) == ("x",)


def test_not_a_number_is_unknown():
    assert clean(float("nan")) is None
    assert clean({"a": 1}) == '{"a": 1}'
