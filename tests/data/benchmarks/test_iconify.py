from __future__ import annotations

import io
import json

import pytest
from PIL import Image

from facetwise.data.benchmarks.iconify import IconSet, png_of
from facetwise.errors import InputError

LEFT = '<rect x="0" y="0" width="5" height="5" fill="currentColor"/>'


@pytest.fixture
def icons(tmp_path):
    data = {
        "prefix": "x",
        "info": {"license": {"spdx": "MIT"}},
        "width": 10,
        "height": 10,
        "icons": {"left": {"body": LEFT}, "wide": {"body": LEFT, "width": 20}},
        "aliases": {
            "same": {"parent": "left"},
            "again": {"parent": "same"},
            "right": {"parent": "left", "hFlip": True},
            "below": {"parent": "left", "vFlip": True},
            "turned": {"parent": "left", "rotate": 1},
            "back": {"parent": "right", "hFlip": True},
            "lost": {"parent": "nothing"},
            "round": {"parent": "round"},
        },
    }
    (tmp_path / "x.json").write_text(json.dumps(data))
    return IconSet.read(tmp_path / "x.json")


def dark(icons, name):
    """Which quarters of the picture are black: top left, top right, bottom left, bottom right."""
    picture = Image.open(io.BytesIO(png_of(icons.svg(name), 40, source=name)))
    places = ((10, 10), (30, 10), (10, 30), (30, 30))
    return [picture.getpixel(place) == (0, 0, 0) for place in places]


def test_drawings_are_flipped_and_turned(icons):
    assert dark(icons, "left") == dark(icons, "again") == [True, False, False, False]
    assert dark(icons, "right") == dark(icons, "turned") == [False, True, False, False]
    assert dark(icons, "below") == [False, False, True, False]
    assert dark(icons, "back") == [True, False, False, False]


def test_names_lead_to_drawings(icons):
    names = icons.names()
    assert names["again"] == "left"
    assert names["right"] == "right"
    assert "lost" not in names
    assert "round" not in names


def test_pictures_are_square(icons):
    picture = Image.open(io.BytesIO(png_of(icons.svg("wide"), 40, source="wide")))
    assert picture.size == (40, 40)
    assert picture.getpixel((2, 2)) == (255, 255, 255)
    tall = Image.open(io.BytesIO(png_of(Image.new("RGB", (5, 10), "red"), 20, source="tall")))
    assert tall.getpixel((10, 10)) == (255, 0, 0)
    assert tall.getpixel((1, 10)) == (255, 255, 255)


def test_damage_is_said(tmp_path, icons):
    with pytest.raises(InputError, match="has no icon 'lost'"):
        icons.svg("lost")
    with pytest.raises(InputError, match="is not there"):
        IconSet.read(tmp_path / "y.json")
    for text in ("[]", "{}", "no json"):
        (tmp_path / "y.json").write_text(text)
        with pytest.raises(InputError, match="is no Iconify set"):
            IconSet.read(tmp_path / "y.json")
