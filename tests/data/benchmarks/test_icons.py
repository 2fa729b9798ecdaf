"""A tiny package of icon families in the format of the real one."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from facetwise.data import Collection
from facetwise.data.benchmarks import icons
from facetwise.data.benchmarks.icons import LEAST, PACKAGE, SIZE, TYPES
from facetwise.errors import InputError

FAMILIES: dict[str, dict[str, Any]] = {
    "fa": {},
    "fa6-solid": {},
    "feather": {},
    "one": {"author": {"name": "A", "url": "https://github.com/a/one"}},
    "two": {"author": {"name": "B", "url": "https://github.com/A/two-core"}},
    "cbi": {"license": {"spdx": "CC-BY-NC-SA-4.0"}},
    "colourful": {"palette": True},
    "few": {},
}


def write(folder: Path) -> None:
    about = {}
    for number, (prefix, more) in enumerate(FAMILIES.items()):
        about[prefix] = {
            "license": {"spdx": "MIT"},
            "author": {"name": prefix},
            "palette": False,
            **more,
        }
        count = LEAST - 2 if prefix == "few" else 20
        drawn = {
            name: {"body": f'<path d="M{n % 7} {number}h9v{n % 5 + 3}z"/>'}
            for n, name in enumerate(TYPES[:count])
        }
        aliases = {TYPES[30]: {"parent": TYPES[0]}, TYPES[31]: {"parent": "other"}}
        drawn["other"] = {"body": '<path d="M0 0h3v3z"/>'}
        data = {"prefix": prefix, "icons": drawn, "aliases": aliases, "width": 16, "height": 16}
        (folder / "json").mkdir(parents=True, exist_ok=True)
        (folder / "json" / f"{prefix}.json").write_text(json.dumps(data))
    (folder / "collections.json").write_text(json.dumps(about))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    write(tmp_path / PACKAGE.folder)
    return tmp_path


def test_families_that_are_free_monochrome_and_large_take_part(cache):
    source = icons.read(cache)
    assert [family.prefix for family in source.families] == [
        *("fa", "fa6-solid", "feather", "one", "two")
    ]
    assert [problem.id for problem in source.problems] == ["cbi"]
    # 20 drawn, one more by an alias; the other alias is a picture that is there already
    assert {len(family.icons) for family in source.families} == {21}
    assert len(source) == 105


def test_copies_are_left_out(cache):
    folder = cache / PACKAGE.folder
    data = json.loads((folder / "json" / "one.json").read_text())
    data["icons"].pop(TYPES[3])
    (folder / "json" / "two.json").write_text(json.dumps(data))
    source = icons.read(cache)
    assert "two" not in [family.prefix for family in source.families]
    assert "the family two repeats one; left out" in [str(problem) for problem in source.problems]


def test_sisters_stay_together(cache):
    origin = {family.prefix: family.sisters for family in icons.read(cache).families}
    assert origin["fa"] == origin["fa6-solid"]
    assert origin["one"] == origin["two"]
    assert len(set(origin.values())) == 3
    parts = [icons.read(cache, part) for part in ("train", "val", "test")]
    assert sum(map(len, parts)) == 105
    held = [{family.prefix for family in part.families} for part in parts]
    assert {"fa", "fa6-solid"} <= held[0]
    assert "feather" in held[2]


def test_items_are_outfits_of_one_family(cache, tmp_path):
    source = icons.read(cache)
    items = list(source.items())
    home = next(item for item in items if item.id == "feather/arrow-left")
    assert (home.group, home.texts, home.split) == ("arrow-left", ("arrow left",), "test")
    assert home.attributes == {"type": "arrow-left", "family": "feather"}
    assert len(home.outfits) == 4
    assert all(outfit.startswith("feather/") for outfit in home.outfits)
    assert Image.open(io.BytesIO(home.image)).size == (128, 128)
    collection = Collection.create(tmp_path / "i.collection", items)
    assert len(collection) == len(items)


def test_outfits_have_about_the_same_size():
    for count in (5, 6, 11, 12, 38):
        kinds = [f"icon {n}" for n in range(count)]
        found = icons.outfits_of("x", kinds)
        sizes = Counter(name for names in found.values() for name in names)
        assert all(len(set(names)) == 4 for names in found.values())
        assert min(sizes.values()) >= min(SIZE, count)
        assert max(sizes.values()) < 2 * SIZE


def test_damage_is_said(cache):
    with pytest.raises(InputError, match="no split 'dev'"):
        icons.read(cache, "dev")
    (cache / PACKAGE.folder / "collections.json").write_text("[1]")
    with pytest.raises(InputError, match="missing or damaged"):
        icons.read(cache)
    with pytest.raises(InputError, match="fetch it with"):
        icons.read(cache / "elsewhere")
