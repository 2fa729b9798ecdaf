"""Nine tiny packages in the formats of the real ones."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from facetwise.data import Collection
from facetwise.data.benchmarks import emoji_designs
from facetwise.data.benchmarks.emoji_designs import ARTISTS, HELD_OUT_ARTISTS, PACKAGES, WORDS
from facetwise.errors import InputError

TONES = [
    {"label": f"waving hand: {name} skin tone", "hexcode": f"1F44B-1F3F{code}", "tone": tone}
    for tone, (code, name) in enumerate((("B", "light"), ("C", "medium-light")), 1)
]
EMOJI: list[dict[str, Any]] = [
    {"hexcode": "1F34E", "label": "red apple", "tags": ["fruit", "food"], "group": 0},
    {"hexcode": "1F34F", "label": "green apple", "tags": ["fruit"], "group": 0},
    {"hexcode": "2708-FE0F", "label": "airplane", "tags": ["travel"], "group": 1},
    {"hexcode": "1F44B", "label": "waving hand", "tags": [], "group": 1, "skins": TONES},
    {"hexcode": "1F469-200D-1F3EB", "label": "woman teacher", "tags": ["school"], "group": 1},
    {"hexcode": "1F9D1-200D-1F3EB", "label": "teacher", "tags": ["school"], "group": 1},
    {"hexcode": "1F1E9-1F1EA", "label": "flag: Germany", "tags": ["flag"], "group": 9},
    {"hexcode": "1F1E9", "label": "regional indicator D"},
]


def save(file: Path, data: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(data), encoding="utf-8")


def body(colour: str) -> dict[str, Any]:
    return {"body": f'<circle cx="8" cy="8" r="7" fill="{colour}"/>'}


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    words = tmp_path / WORDS.folder
    for entry in EMOJI:
        entry.setdefault("subgroup", 1)
    save(words / "en" / "data.json", EMOJI)
    german = [{"hexcode": "1F34E", "label": "roter Apfel", "tags": ["Obst"]}]
    save(words / "de" / "data.json", german)
    # as in the package: an entry more than there are numbers, which only the keys put right
    keys = {str(n): f"key-{n}" for n in range(3)}
    save(words / "meta" / "groups.json", {"groups": keys, "subgroups": keys})
    messages = [{"key": f"key-{n}", "message": f"group {n}"} for n in range(3)]
    messages.insert(1, {"key": "key-old", "message": "no number has me"})
    save(words / "en" / "messages.json", {"groups": messages, "subgroups": messages})
    save(words / "en" / "shortcodes" / "cldr.json", {"1F34F": ["apple_green", "granny"]})
    save(words / "meta" / "unicode-names.json", {"1F44B": "WAVING HAND SIGN"})
    for artist, package in ARTISTS.items():
        folder = tmp_path / package.folder
        if artist == "fluent-3d":
            (folder / "assets").mkdir(parents=True)
            for name in ("1f34e", "2708-fe0f", "1f1e9-1f1ea"):
                picture = Image.new("RGBA", (256, 256), (0, 0, 0, 0))
                picture.save(folder / "assets" / f"{name}.webp")
        elif artist in ("noto-v1", "emojione", "emojione-v1", "fxemoji"):
            names = {
                "redapple": body("red"),
                "granny": body("green"),
                "waving-hand-sign": body("gold"),
                "waving-hand-light-skin-tone": body("tan"),
                "own-idea": body("blue"),
                "flag-for-germany": body("black"),
            }
            aliases = {"airplane": {"parent": "granny"}, "tail": {"parent": "own-idea"}}
            save(folder / "icons.json", {"prefix": artist, "icons": names, "aliases": aliases})
            save(folder / "metadata.json", {"categories": {"Flags": ["flag-for-germany"]}})
        else:
            codes = {"1f34e": "apple", "2708": "plane", "1f469-200d-1f3eb": "teaching"}
            codes |= {"1f44b": "hand", "1f44b-1f3fb": "pale-hand", "1f9d1-200d-1f3eb": "teacher"}
            icons = {name: body("red") for name in codes.values()}
            save(folder / "icons.json", {"prefix": artist, "icons": icons, "aliases": {}})
            save(folder / "chars.json", codes)
    return tmp_path


def test_drawings_find_their_concepts(cache):
    source = emoji_designs.read(cache)
    shown: dict[str, set[str]] = {}
    for design in source.designs:
        shown.setdefault(design.artist, set()).add(design.concept.label)
    assert len(source) == sum(map(len, shown.values()))
    # by code point, with and without FE0F; no flags
    assert shown["fluent-3d"] == {"red apple", "airplane"}
    assert shown["noto"] == {"red apple", "airplane", "waving hand", "teacher", "woman teacher"}
    # by label without blanks, shortcode, Unicode's name; an alias does not make it another thing
    assert shown["fxemoji"] == {"red apple", "green apple", "waving hand"}
    assert [problem.id for problem in source.problems] == ["own-idea"] * 4
    assert "noto-v1: 1 drawings have no name" in str(source.problems[0])


def test_items_say_what_is_known(cache):
    source = emoji_designs.read(cache, languages=("en", "de"))
    items = {item.id: item for item in source.items()}
    apple = items["noto/1F34E"]
    assert apple.texts == ("red apple", "fruit", "food", "roter Apfel", "Obst")
    assert apple.languages == ("en", "en", "en", "de", "de")
    assert apple.group == "red apple (1F34E)"
    assert apple.attributes == {
        "artist": "noto",
        "category": "group 0",
        "subgroup": "group 1",
        "gender": None,
        "skin": None,
        "tag": ("fruit", "food"),
    }
    assert items["noto/1F469-200D-1F3EB"].attributes["gender"] == "woman"
    assert items["noto/1F9D1-200D-1F3EB"].attributes["gender"] == "person"
    assert items["noto/1F44B"].attributes["skin"] == ("yellow",)
    assert items["noto/1F44B"].attributes["tag"] is None
    for item in (apple, items["fluent-3d/1F34E"]):
        assert Image.open(io.BytesIO(item.image)).size == (128, 128)


def test_skin_tones_are_variants_of_their_concept(cache):
    plain, toned = emoji_designs.read(cache), emoji_designs.read(cache, tones=True)
    more = {f"{d.artist}/{d.code}" for d in toned.designs} - {
        f"{d.artist}/{d.code}" for d in plain.designs
    }
    assert more == {f"{artist}/1F44B-1F3FB" for artist in ARTISTS if artist != "fluent-3d"}
    item = next(item for item in toned.items() if item.id == "noto/1F44B-1F3FB")
    assert item.attributes["skin"] == ("light",)
    assert item.group == "waving hand (1F44B)"
    assert plain.fingerprint() != toned.fingerprint()


def test_held_out_are_whole_families_and_artists(cache):
    source = emoji_designs.read(cache)
    for item in source.items():
        artist = item.attributes["artist"]
        unseen = item.extras["held_out"]
        assert (artist in HELD_OUT_ARTISTS) == (unseen in ("artist", "both"))
        assert item.split == {"train": "train", "val": "val"}.get(unseen, "test")
    families = {design.concept.label: design.concept.family for design in source.designs}
    assert families["teacher"] == families["woman teacher"]
    assert families["red apple"] != families["green apple"]
    codes = [f"{n:04X}" for n in range(2000)]
    parts = [emoji_designs.held_out(code, "noto") for code in codes]
    assert parts.count("concept") == pytest.approx(600, abs=60)
    assert parts.count("val") == pytest.approx(200, abs=40)


def test_it_becomes_a_collection(cache, tmp_path):
    source = emoji_designs.read(cache)
    collection = Collection.create(tmp_path / "e.collection", source.items(), total=len(source))
    assert len(collection) == len(source)
    assert "held_out" in collection.extras


def test_what_is_missing_is_named(cache):
    with pytest.raises(InputError, match="no language 'xx'"):
        emoji_designs.read(cache, languages=("en", "xx"))
    (cache / WORDS.folder / "en" / "messages.json").write_text("{")
    with pytest.raises(InputError, match=r"messages\.json is missing or damaged"):
        emoji_designs.read(cache)
    with pytest.raises(InputError, match="fetch it with facetwise data get"):
        emoji_designs.read(cache / "other")


def test_every_package_has_a_version_and_a_licence():
    assert len({package.name for package in PACKAGES}) == len(PACKAGES) == 10
    assert all(package.version and package.licence and package.about for package in PACKAGES)
