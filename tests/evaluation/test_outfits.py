from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from facetwise.data import Collection, Item
from facetwise.data.benchmarks import icons
from facetwise.data.outfit_types import outfit_types
from facetwise.errors import InputError
from facetwise.evaluation.outfits import run
from facetwise.evaluation.own_outfits import questions_of
from facetwise.evaluation.request import Request

KINDS = ("hat", "shirt", "shoe")


def own(path: Path, *, group=None, attributes=None, outfits: int = 12) -> Collection:
    """Outfits of a hat, a shirt and a shoe of about one colour each."""

    def items():
        for n in range(3 * outfits):
            outfit, kind = divmod(n, 3)
            png = io.BytesIO()
            colour = (20 * outfit, 255 - 20 * outfit, 60 * kind + n)
            Image.new("RGB", (32, 32), colour).save(png, "PNG")
            yield Item(
                id=f"{n:03d}",
                image=png.getvalue(),
                outfits=(f"look {outfit}",),
                split="test" if outfit >= 6 else "train",
                group=None if group is None else group(n),
                attributes={} if attributes is None else attributes(n),
            )

    return Collection.create(path, items())


def kind(n: int) -> str:
    return KINDS[n % 3]


def test_own_outfits_from_the_command_line(tmp_path, tiny_run, figures):
    own(tmp_path / "looks.collection", attributes=lambda n: {"type": kind(n)})
    ask = (tiny_run, "--benchmark", "outfits", "--data", tmp_path / "looks.collection")
    found = figures(*ask)
    assert found["benchmark"] == "outfits" and found["type"] == "type"
    assert (found["questions"], found["outfits"], found["chance"]) == (12, 24, 25)
    assert 0 <= found["fitb"] <= 100 and 0 <= found["auc"] <= 1 and found["seen"] == 0
    assert set(found["control"]) == {
        *("head, cosine", "last layer", "frozen features", "frozen features, type-centred"),
    }
    again = figures(*ask)
    assert {**again, "seconds": 0} == {**found, "seconds": 0}
    half = figures(*ask, "--split", "test")
    assert half["questions"] == 6 and half["items"] == 18


@pytest.mark.parametrize(
    ("group", "attributes", "name"),
    [
        (kind, None, "group"),
        (None, lambda n: {"colour": f"{n // 18}", "articleType": kind(n)}, "articleType"),
        (lambda n: f"product {n}", lambda n: {"sort": kind(n)}, "sort"),
        (lambda n: f"product {n}", lambda n: {"type": "thing", "for": ("men", "all")}, None),
        (None, None, None),
    ],
)
def test_what_tells_the_items_of_an_outfit_apart_is_their_type(tmp_path, group, attributes, name):
    collection = own(tmp_path / "looks.collection", group=group, attributes=attributes)
    types, found = outfit_types(collection, range(len(collection)))
    assert found == name
    assert types == (None if name is None else [kind(n) for n in range(36)])


def test_types_are_given_for_the_rows_that_were_asked_for(tmp_path):
    collection = own(tmp_path / "looks.collection", group=kind)
    types, _ = outfit_types(collection, range(1, 36, 1))
    assert types == [kind(n) for n in range(1, 36)]


def test_items_with_one_picture_are_one_item(tmp_path):
    collection = own(tmp_path / "looks.collection", group=kind)
    shoe = Item(id="again", image=collection.image_bytes([2])[0], outfits=("look 5",), group="shoe")
    collection.append([shoe])
    rows = range(len(collection))
    for seed in range(5):
        asked = questions_of(collection, rows, collection.groups, seed=seed)
        assert len(collection) - 1 not in asked.blanks.candidates
        look = collection.rows("array_has(outfits, 'look 5')")
        for given, choices, answer in zip(
            asked.blanks.given.tolist(),
            asked.blanks.candidates.tolist(),
            asked.blanks.answers.tolist(),
            strict=True,
        ):
            if set(given) & set(look):  # the first such shoe is as right here as it is in look 0
                assert choices[answer] == 2 or 2 not in choices


def test_the_data_say_whose_outfits_they_are(tmp_path):
    for folder, said in (
        (Path("ccp", "annotations", "pixel-level"), "label_list"),
        (Path("poly", "nondisjoint", "fill_in_blank_test.json"), "no JSON"),
        (Path("icons", icons.PACKAGE.folder), "missing or damaged"),
    ):
        (tmp_path / folder).parent.mkdir(parents=True)
        if folder.suffix == ".json":
            (tmp_path / folder).write_text("")
        else:
            (tmp_path / folder).mkdir()
        with pytest.raises(InputError, match=said):
            run(Request(models=(), data=tmp_path / folder.parts[0]))


def test_data_without_outfits_are_refused(tmp_path):
    with pytest.raises(InputError, match="holds no outfits that facetwise knows"):
        run(Request(models=(), data=tmp_path))
    with pytest.raises(InputError, match="needs its data: --data DIR"):
        run(Request(models=()))
