from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from facetwise.cli.main import main
from facetwise.data import Collection
from facetwise.data.benchmarks.icons import PACKAGE, TYPES


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Packages that are there already, so that nothing is fetched."""
    folder = tmp_path / "cache" / "npm" / PACKAGE.folder
    (folder / "json").mkdir(parents=True)
    about = {
        name: {"license": {"spdx": "MIT"}, "author": {"name": name}} for name in ("one", "two")
    }
    (folder / "collections.json").write_text(json.dumps(about))
    for number, name in enumerate(about):
        icons = {
            kind: {"body": f'<path d="M{n} {number}h9v{n + 2}z"/>'}
            for n, kind in enumerate(TYPES[:12])
        }
        (folder / "json" / f"{name}.json").write_text(json.dumps({"prefix": name, "icons": icons}))
    monkeypatch.setenv("FACETWISE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))  # no npm
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_icons_become_a_collection_with_thanks(cache, capsys):
    assert main(["data", "get", "icons"]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "of: @iconify/json 2.2.535 by the designers" in said.err
    assert "icons.collection holds 24 items" in said.err
    collection = Collection.open("icons.collection")
    assert collection.name == "icons-all"
    assert collection.outfits[0][0].startswith("one/0-")
    assert main(["data", "get", "icons"]) == 2
    assert "exists already" in capsys.readouterr().err
    assert main(["data", "get", "icons", "--overwrite", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["items"], answer["collection"]) == (24, "icons.collection")
    assert "MIT" not in answer["attribution"][0]  # each family has its own, in a column
    collection = Collection.open("icons.collection")
    assert set(collection.table(["licence"])["licence"].to_pylist()) == {"MIT"}


def test_without_npm_it_says_what_to_do(cache, capsys):
    assert main(["data", "get", "emoji-designs", "--out", "e.collection"]) == 2
    said = capsys.readouterr().err
    assert "npm, which is not installed" in said
    assert not Path("e.collection").exists()


def test_openmoji_needs_nothing(cache, capsys, monkeypatch, png_bytes):
    from facetwise.data import Item

    def items(*, languages):
        yield Item(id="1F34E/colour", image=png_bytes, texts=languages)

    monkeypatch.setattr("facetwise.data.openmoji.items", items)
    assert main(["data", "get", "openmoji", "--languages", "en, de"]) == 0
    assert "CC BY-SA 4.0" in capsys.readouterr().err
    assert Collection.open("openmoji.collection").texts == [["en", "de"]]


@pytest.fixture
def flickr(tmp_path: Path) -> Path:
    folder = tmp_path / "Flickr8k"
    (folder / "Images").mkdir(parents=True)
    lines = ["image,caption"]
    for number in range(4):
        name = f"{number}.jpg"
        Image.new("RGB", (9, 9), (60 * number, 9, 9)).save(folder / "Images" / name)
        lines += [f"{name},caption {k} of {number}" for k in range(5)]
    (folder / "captions.txt").write_text("\n".join(lines) + "\n")
    (folder / "Flickr_8k.trainImages.txt").write_text("0.jpg\n1.jpg\n")
    (folder / "Flickr_8k.devImages.txt").write_text("2.jpg\n")
    (folder / "Flickr_8k.testImages.txt").write_text("3.jpg\n")
    return folder


def test_a_benchmark_is_imported_as_published(flickr, capsys):
    command = ["data", "import", str(flickr), "--benchmark", "flickr8k"]
    assert main(command) == 2
    assert "2 of 6,000" in capsys.readouterr().err
    assert main([*command, "--split", "train,dev", "--allow-partial", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["collection"] == str(flickr.parent / "Flickr8k-train-dev.collection")
    assert answer["items"] == 3
    assert {note["kind"] for note in answer["notes"]} == {"missing"}
    collection = Collection.open(answer["collection"])
    assert collection.name == "flickr8k-train+flickr8k-dev"
    assert collection.texts[0] == [f"caption {k} of 0" for k in range(5)]
    assert main([*command, "--texts", "caption"]) == 2
    assert "knows its own files; leave --texts out" in capsys.readouterr().err
    assert main(["data", "import", str(flickr), "--benchmark", "nonsense"]) == 2
