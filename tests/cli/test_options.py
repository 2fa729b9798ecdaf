from __future__ import annotations

import io
import json

import pytest

from facetwise import InputError
from facetwise.cli.options import parse_settings, print_json


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=1", 1),
        ("a=1e-3", 1e-3),
        ("a=true", True),
        ("a=[1, 2]", [1, 2]),
        ('a="1"', "1"),
        ("a=smooth_chamfer", "smooth_chamfer"),
        ("a=x=y", "x=y"),
        ("a=", ""),
    ],
)
def test_settings_are_read_as_toml_or_as_plain_text(text, value):
    assert parse_settings([text]) == {"a": value}


@pytest.mark.parametrize("text", ["epochs", "=3", " =3"])
def test_settings_without_a_key_are_refused(text):
    with pytest.raises(InputError, match="KEY=VALUE"):
        parse_settings([text])


def test_a_setting_cannot_smuggle_in_a_second_key():
    assert parse_settings(["a=1\nb=2"]) == {"a": "1\nb=2"}


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252"])
def test_json_survives_every_terminal(monkeypatch, encoding):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    monkeypatch.setattr("sys.stdout", stream)
    print_json({"name": "Größe 赤い 👟"})
    stream.flush()
    assert json.loads(raw.getvalue().decode(encoding)) == {"name": "Größe 赤い 👟"}


def test_json_never_holds_nan():
    with pytest.raises(ValueError, match="JSON"):
        print_json({"score": float("nan")})
