"""A run on disk: what is loaded is what was saved, or one line says what is wrong."""

from __future__ import annotations

import re

import pytest
import torch

import facetwise as fw
from facetwise.encoders import EncoderConfig, Encoders
from facetwise.errors import InputError, VersionError
from facetwise.models import PAN, DivEConfig, Model, PANConfig, Taught, build_sets
from facetwise.models.run import unfinished

from .conftest import make


@pytest.fixture
def run(model, tmp_path):
    model.save(tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize(
    "options", [{}, {"kind": "vse"}, {"sets": None}, {"pairs": None}, {"groups": ()}]
)
def test_what_is_loaded_is_what_was_saved(few, tmp_path, options):
    model = make(few, **options)
    model.save(tmp_path / "run")
    opened = fw.load(tmp_path / "run")
    assert opened.fingerprint == model.fingerprint
    assert (opened.name, opened.trained_on) == ("few", {"ab", "cd"})
    assert opened.conditions == model.conditions
    for a, b in zip(opened.embed_collection(few), model.embed_collection(few), strict=True):
        assert a is b is None or torch.equal(a, b)
    if model.has_sets:
        texts = ["a red circle", "a star"]
        assert torch.equal(opened.encode_texts(texts), model.encode_texts(texts))
    # and saved again, it is the same to the last byte
    opened.save(tmp_path / "again")
    for file in (tmp_path / "run").iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()


def test_whole_numbers_may_stand_for_others(few, tmp_path):
    g = torch.Generator().manual_seed(0)
    encoders = Encoders(EncoderConfig(pixels=64, components=32))
    sets = build_sets(DivEConfig(dim=16, hidden=8, global_weight=1, alpha=16), encoders, g)
    model = make(sets=sets, pairs=PAN(PANConfig(steepness=5), Taught.groups(["colour"]), g))
    model.save(tmp_path / "run")
    assert fw.load(tmp_path / "run").fingerprint == model.fingerprint


def test_nothing_there(tmp_path):
    for name in ("gone", "empty", "file"):
        path = tmp_path / name
        if name == "empty":
            path.mkdir()
        if name == "file":
            path.write_text("")
        with pytest.raises(InputError, match=rf"{name} holds no model\.toml, .* run fit first"):
            fw.load(path)


def test_an_unfinished_training_is_said_to_be_one(tmp_path, monkeypatch):
    unfinished(tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path)
    for path in ("run", tmp_path / "run", "../" + tmp_path.name + "/run"):
        with pytest.raises(InputError, match="its training did not finish: run fit again"):
            fw.load(path)


def edit(file, pattern, new):
    text = file.read_text()
    changed = re.sub(pattern, new, text, count=1)
    assert changed != text
    file.write_text(changed)


def test_a_newer_run_is_not_guessed_at(run):
    edit(run / "model.toml", "format = 1", "format = 2")
    with pytest.raises(VersionError, match=r"newer facetwise \(format 2, this one reads up to 1\)"):
        fw.load(run)


@pytest.mark.parametrize(
    ("pattern", "new", "said"),
    [
        ("format = 1\n", "", r"model\.toml has no format number"),
        ("format = 1", "format = ", r"model\.toml cannot be read"),
        ('model = "dive"', 'model = "cnn"', "is damaged .KeyError: 'cnn'"),
        ("fingerprint = .*", "", "is damaged .KeyError: 'fingerprint'"),
        (
            r"pixels = 64",
            'pixels = "a"',
            r"model\.toml \[encoders\] pixels: expected a whole number",
        ),
        (
            r"K = 3",
            "K = 0",
            r"model\.toml \[sets\] K: expected a whole number of at least 1, not 0",
        ),
        (r"K = 3", "KK = 3", r"model\.toml \[sets\]: no option 'KK'"),
        (r"K = 3", "K = 4", r"sets\.safetensors is missing or damaged .*size mismatch"),
        ('"shape"', '"form"', r"weights are not those that model\.toml was written for"),
        (r"pixels = 64", "pixels = 96", r"weights are not those that model\.toml was written for"),
        (r"alpha = 16\.0", "alpha = 8.0", r"weights are not those that model\.toml was written"),
    ],
)
def test_a_damaged_model_file_is_named(run, pattern, new, said):
    edit(run / "model.toml", pattern, new)
    with pytest.raises(InputError, match=said):
        fw.load(run)


@pytest.mark.parametrize(
    ("file", "how"),
    [
        *(("sets.safetensors", how) for how in ("gone", "cut", "empty")),
        *(("pairs.safetensors", how) for how in ("gone", "cut", "empty")),
        ("seen.txt", "gone"),
    ],
)
def test_a_damaged_file_is_named(run, file, how):
    name, file = file, run / file
    data = file.read_bytes()
    if how == "gone":
        file.unlink()
    else:
        file.write_bytes(data[: len(data) // 2] if how == "cut" else b"")
    with pytest.raises(InputError, match=f"{re.escape(name)}.*fit"):
        fw.load(run)


def test_one_changed_weight_is_noticed(run):
    file = run / "sets.safetensors"
    data = bytearray(file.read_bytes())
    data[-3] ^= 1
    file.write_bytes(data)
    with pytest.raises(InputError, match="the weights are not those"):
        fw.load(run)


def test_text_that_is_no_text_is_no_traceback(run):
    (run / "model.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"model\.toml cannot be read"):
        fw.load(run)


def test_a_run_cut_short_is_no_run(model, tmp_path, monkeypatch):
    def full(path, text):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("facetwise.models.run.write_text", full)
    with pytest.raises(OSError):
        model.save(tmp_path / "run")
    assert isinstance(model, Model)
    with pytest.raises(InputError, match=r"holds no model\.toml"):
        fw.load(tmp_path / "run")
