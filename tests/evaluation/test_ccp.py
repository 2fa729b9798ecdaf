"""Outfits of garments from end to end: files in, figures out, scorers whose answer is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat

from facetwise.data import Collection
from facetwise.data.benchmarks import ccp as reader
from facetwise.errors import InputError
from facetwise.evaluation import Request, ccp
from facetwise.evaluation.scorers import Scorer, cosine_scorer

LABELS = ["null", "bag", "coat", "shoes", "hair"]


class Colours(Request):
    """Scores by mean colour, in which each photo's garments agree; the control knows nothing."""

    def scorers(
        self, collection: Collection, rows: Sequence[int] | None = None
    ) -> tuple[Scorer, ...]:
        pictures = collection.images(list(rows if rows is not None else range(len(collection))))
        pixels = [np.asarray(picture, dtype=np.float32).reshape(-1, 3) for picture in pictures]
        inside = [one[one.min(1) < 250].mean(0) for one in pixels]
        h = torch.tensor(np.stack(inside)) - 128
        return (cosine_scorer("colour", h), cosine_scorer("constant", torch.ones(len(h), 2)))

    def rival_scorer(
        self, collection: Collection, rows: Sequence[int] | None = None
    ) -> Scorer | None:
        return self.scorers(collection, rows)[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "ccp"
    (root / "photos").mkdir(parents=True)
    (root / "annotations" / "pixel-level").mkdir(parents=True)
    cells = np.empty((1, len(LABELS)), dtype=object)
    cells[0, :] = LABELS
    savemat(root / "label_list.mat", {"label_list": cells})
    random = np.random.default_rng(0)
    mask = np.zeros((30, 20), np.uint8)
    mask[2:8], mask[10:16], mask[18:26], mask[27:] = 1, 2, 3, 4
    for number in [*reader.SPLITS["val"]][:40]:
        colour = random.integers(0, 240, 3, dtype=np.uint8)
        Image.fromarray(np.broadcast_to(colour, (30, 20, 3)).copy()).save(
            root / "photos" / f"{number:04d}.jpg"
        )
        savemat(root / "annotations/pixel-level" / f"{number:04d}.mat", {"groundtruth": mask})
    return root


def request(folder: Path, **more) -> Colours:
    return Colours(
        models=(), data=folder, cache=folder.parent / "cache", **{"allow_partial": True, **more}
    )


def test_garments_of_one_photo_find_each_other(folder):
    figures = ccp.run(request(folder))
    assert figures["split"] == "val"  # no test photo is there
    assert (figures["photos"], figures["items"], figures["questions"]) == (40, 120, 40)
    assert figures["fitb"] > 90
    assert figures["auc"] > 0.95
    assert figures["chance"] == 25
    assert figures["seen"] == 0
    assert figures["problems"] == [
        f"{folder}: 40 of 200 photos with masks of the split val (published count); "
        "missing: photos/0641.jpg and 159 more"
    ]


def test_a_constant_gets_nothing_and_the_difference_is_paired(folder):
    figures = ccp.run(request(folder, rival=object()))
    assert figures["control"]["constant"] == {"fitb": 0.0, "auc": 0.5}
    assert figures["control"]["constant, type-centred"] == {"fitb": 0.0, "auc": 0.5}
    assert figures["against"]["fitb"]["difference"] == figures["fitb"]
    assert figures["against"]["auc"]["low"] > 0.4


def test_the_seed_makes_the_questions(folder):
    first, again, other = (ccp.run(request(folder, seed=seed)) for seed in (0, 0, 1))
    assert first == again
    assert first.keys() == other.keys()


def test_it_takes_a_collection_too(folder, tmp_path):
    source = reader.read(folder, "val", allow_partial=True)
    path = tmp_path / "c.collection"
    Collection.create(path, source.items())
    assert ccp.run(request(path))["fitb"] == ccp.run(request(folder))["fitb"]
    with pytest.raises(InputError, match="no items with outfits of the split test"):
        ccp.run(request(path, split="test"))


def test_what_cannot_be_asked_is_said(folder):
    with pytest.raises(InputError, match=r"40 of 200 photos .* --allow-partial"):
        ccp.run(request(folder, allow_partial=False))
    with pytest.raises(InputError, match="0 of 204 photos"):
        ccp.run(request(folder, split="test"))
    with pytest.raises(InputError, match="--context is for polyvore"):
        ccp.run(request(folder, context=1))
    with pytest.raises(InputError, match="needs its data"):
        ccp.run(replace(request(folder), data=None))


def test_a_run_is_measured_from_the_command_line(folder, tiny_run, figures):
    command = [tiny_run, "--benchmark", "ccp", "--data", folder, "--allow-partial"]
    found = figures(*command)
    assert found["benchmark"] == "ccp"
    assert found["split"] == "val"
    assert 0 <= found["fitb"] <= 100
    assert set(found["control"]) == {
        *("head, cosine", "last layer", "frozen features", "frozen features, type-centred")
    }
    assert figures(*command) == {**found, "seconds": pytest.approx(0, abs=60)}
