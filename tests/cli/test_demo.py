"""The demo's whole way, on a few real drawings and a few steps of training."""

import json
from itertools import islice
from pathlib import Path

import pytest
from PIL import Image

from facetwise.cli import showcase
from facetwise.cli.main import main
from facetwise.data import openmoji

FOODS = [f"1F{code:X}" for code in range(0x345, 0x371)]


@pytest.fixture
def few_drawings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """44 foods and 40 others, a recipe of three steps, and a folder to work in."""
    drawings = openmoji.drawings

    def some():  # type: ignore[no-untyped-def]
        everything = list(drawings())
        foods = [drawing for drawing in everything if drawing.code in FOODS]
        people = [drawing for drawing in everything if drawing.tones]
        return [*foods, *islice(people, 0, 400, 10)]

    monkeypatch.setattr(openmoji, "drawings", some)
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(
        '[data]\nby = "group"\ntest = 0.4\n[encoders]\npixels = 32\n'
        '[sets]\nmodel = "dive"\ndim = 16\nhidden = 16\n[sets.training]\nsteps = 3\nbatch = 8\n'
        '[pairs]\nmodel = "pan"\n[pairs.training]\nsteps = 3\n'
    )
    monkeypatch.setattr(showcase, "RECIPE", str(recipe))
    return tmp_path / "demo"


def test_demo_leaves_everything_and_does_it_once(
    few_drawings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--out", str(few_drawings), "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert {"openmoji.collection", "run", "openmoji.index", "sheet.png", "index.html"} <= {
        entry.name for entry in few_drawings.iterdir()
    }
    for name in ("sheet.png", "why-1.png", "why-2.png"):
        with Image.open(few_drawings / name) as picture:
            assert min(picture.size) > 200
    page = (few_drawings / "index.html").read_text(encoding="utf-8")
    assert "CC BY-SA 4.0" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    stamp = (few_drawings / "run" / "model.toml").stat().st_mtime_ns
    assert main(["demo", "--out", str(few_drawings)]) == 0
    assert (few_drawings / "run" / "model.toml").stat().st_mtime_ns == stamp
    shown = capsys.readouterr()
    assert "DivE" in shown.out
    assert "facetwise search" in shown.err
    assert json.loads((few_drawings / "evaluation.json").read_text())["figures"] == first["figures"]


def test_demo_goes_on_after_an_interruption(
    few_drawings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from facetwise.search import Index

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Index, "build", interrupted)
        assert main(["demo", "--out", str(few_drawings)]) == 130
    assert "goes on from there" in capsys.readouterr().err
    stamp = (few_drawings / "run" / "model.toml").stat().st_mtime_ns
    assert main(["demo", "--out", str(few_drawings)]) == 0
    assert (few_drawings / "run" / "model.toml").stat().st_mtime_ns == stamp
