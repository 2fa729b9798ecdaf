from __future__ import annotations

import io
import json

import pytest
from PIL import Image

from facetwise.cli.main import main
from facetwise.data import Collection


@pytest.fixture
def shop(tmp_path):
    folder = tmp_path / "shop"
    (folder / "images").mkdir(parents=True)
    lines = ["id,gender,baseColour,year,productDisplayName"]
    for n in range(8):
        picture = io.BytesIO()
        Image.new("RGB", (8, 8), (30 * n, 99, 9)).save(picture, "JPEG")
        (folder / "images" / f"{n}.jpg").write_bytes(picture.getvalue())
        lines.append(f"{n},{('Men', 'Women')[n % 2]},{('Red', '')[n % 2]},2012,Shirt number {n}")
    lines.append("8,Men,Red,2012,A shirt that has no picture")
    (folder / "styles.csv").write_text("\n".join(lines))
    return folder


def test_import_and_inspect(shop, tmp_path, capsys):
    out, sheet = str(tmp_path / "shop.collection"), tmp_path / "sheet.png"
    command = ["data", "import", str(shop), "--table", "styles.csv"]
    assert main([*command, "--group", "gender,baseColour", "--out", out]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "left out: styles.csv row 10: 'id' names '8', but no picture below" in said.err
    assert "holds 8 items, 1 left out" in said.err
    assert f"facetwise fit {out}" in said.err
    assert Collection.open(out).groups[:2] == ["Men / Red", None]

    assert main(["data", "inspect", out, "--png", str(sheet)]) == 0
    shown = capsys.readouterr()
    for words in ("productDisplayName", "baseColour", "What deserves a look", "row 10", "2012"):
        assert words in shown.out
    assert str(sheet) in shown.err
    with Image.open(sheet) as picture:
        assert picture.width > 200

    assert main(["data", "inspect", out, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["items"] == 8
    assert report["skipped"][0]["row"] == 10


def test_import_prints_json_only(shop, tmp_path, capsys):
    out = tmp_path / "shop.collection"
    assert main(["data", "import", str(shop), "--out", str(out), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert main(["data", "import", str(shop / "styles.csv"), "--out", f"{out}2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["roles"] == answer["roles"]
    assert answer["collection"] == str(out)
    assert answer["items"] == 8
    assert answer["roles"]["texts"] == "productDisplayName"
    assert answer["skipped"][0]["kind"] == "missing"


def test_bad_input_is_one_line_and_exit_code_2(shop, tmp_path, capsys):
    out = str(tmp_path / "shop.collection")
    command = ["data", "import", str(shop), "--out", out]
    for more, says in (
        (["--strict"], "styles.csv row 10"),
        (["--image", "photo"], "no column 'photo'"),
        (["--table", "other.csv"], "other.csv does not exist"),
    ):
        assert main([*command, *more]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("error: ")
        assert says in said.err
        assert said.err.count("\n") == 1
    assert main(command) == 0
    assert main(command) == 2
    assert "exists already" in capsys.readouterr().err
    assert main([*command, "--overwrite"]) == 0
    assert main(["data", "inspect", str(shop)]) == 2
    assert "is no collection" in capsys.readouterr().err
    assert main(["data", "import", str(tmp_path / "no")]) == 2
