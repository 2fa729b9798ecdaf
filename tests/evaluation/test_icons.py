from __future__ import annotations

import io

import pytest
from PIL import Image

from facetwise.data import Collection, Item
from facetwise.data.benchmarks.icons import TYPES, outfits_of
from facetwise.errors import InputError
from facetwise.evaluation import Request, icons


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    def items():
        for number, family in enumerate(("a", "b", "c", "d", "e", "f")):
            kinds = TYPES[:12]
            outfits = outfits_of(family, kinds)
            for kind in kinds:
                png = io.BytesIO()
                colour = (40 * number, len(kind) * 9, TYPES.index(kind) * 6)
                Image.new("RGB", (8, 8), colour).save(png, "PNG")
                yield Item(
                    id=f"{family}/{kind}",
                    image=png.getvalue(),
                    group=kind,
                    outfits=outfits[kind],
                    split="train" if family == "f" else "test",
                    attributes={"type": kind, "family": family},
                )

    path = tmp_path_factory.mktemp("icons") / "icons.collection"
    return Collection.create(path, items())


def test_families_of_a_split_are_asked_about(collection, tiny_run, figures):
    found = figures(tiny_run, "--benchmark", "icons", "--data", collection.path)
    assert (found["families"], found["items"], found["chance"]) == (5, 60, 25.0)
    assert found["questions"] == 5 * 4 * 2  # four rounds of two outfits
    assert found["seen"] == 0
    assert "frozen features, type-centred" in found["control"]


def test_a_split_that_is_not_there(collection, tmp_path):
    with pytest.raises(InputError, match="no items with outfits of the split val"):
        icons.run(Request(models=(), data=collection.path, split="val"))
    with pytest.raises(InputError, match="fetch it with facetwise data get"):
        icons.run(Request(models=(), data=tmp_path))
