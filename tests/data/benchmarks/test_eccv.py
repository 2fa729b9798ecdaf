from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from facetwise.data.benchmarks import eccv
from facetwise.errors import InputError

KINDS = {
    "original": (5_000, 25_000, 25_000, 25_000),
    "cxc": (5_000, 35_585, 24_972, 35_585),
    "eccv": (1_261, 22_550, 1_332, 11_279),
}


@pytest.fixture(scope="module")
def order():
    pytest.importorskip("eccv_caption", exc_type=ImportError)
    return eccv.official_order()


def write(folder, kind="eccv", captions_of=None, images_of=None):
    for name, content in (
        ("image_to_caption", captions_of or {"101": [7001, 7004, 9120]}),
        ("caption_to_image", images_of or {"7001": [101], "9120": [101, 102]}),
    ):
        (folder / f"{kind}_{name}.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_the_packages_counts_are_the_published_ones(kind, order):
    truth = eccv.ground_truth(kind)
    i2t, t2i = truth.edges(order.images, order.captions)
    found = (len(truth.captions_of), len(i2t), len(truth.images_of), len(t2i))
    assert found == KINDS[kind] == eccv.COUNTS[kind]
    assert truth.problems == ()
    assert len(i2t[:, 0].unique()) == found[0]
    assert len(t2i[:, 0].unique()) == found[2]


def test_the_official_order_is_five_captions_an_image(order):
    assert order.images[:4] == ("391895", "60623", "483108", "384213")
    assert order.captions[:2] == ("770337", "771687")
    assert order.owner == tuple(number // 5 for number in range(25_000))


def test_every_original_pair_is_an_owner(order):
    i2t, t2i = eccv.ground_truth("original").edges(order.images, order.captions)
    expected = torch.stack([torch.tensor(order.owner), torch.arange(25_000)], 1)
    assert torch.equal(i2t, expected)
    assert torch.equal(t2i, expected.flip(1))


def test_two_right_captions_are_not_among_those_scored_but_count(order):
    i2t, t2i = eccv.ground_truth("eccv").edges(order.images, order.captions)
    beyond = i2t[i2t[:, 1] >= 25_000]
    assert [order.images[row] for row in beyond[:, 0].tolist()] == ["421999", "575916"]
    assert sorted(beyond[:, 1].tolist()) == [25_000, 25_001]
    assert t2i.max() < 25_000


def test_a_folder_of_ones_own(tmp_path):
    write(tmp_path)
    with pytest.raises(InputError, match=r"1 of 1,261 eccv image queries"):
        eccv.ground_truth("eccv", tmp_path)
    truth = eccv.ground_truth("eccv", tmp_path, allow_partial=True)
    assert truth.captions_of["101"] == ("7001", "7004", "9120")
    assert len(truth.problems) == 4
    i2t, t2i = truth.edges(["102", "101"], ["9120", "7001", "7004"])
    assert i2t.tolist() == [[1, 0], [1, 1], [1, 2]]
    assert t2i.tolist() == [[0, 0], [0, 1], [1, 1]]


def test_pairs_of_what_is_not_there(tmp_path):
    truth = eccv.ground_truth("eccv", write(tmp_path), allow_partial=True)
    with pytest.raises(InputError, match=r"1 of 3 eccv pairs"):
        truth.edges(["101", "102"], ["9120", "7001"])
    i2t, t2i = truth.edges(["101"], ["9120"], allow_partial=True)
    assert (i2t.tolist(), t2i.tolist()) == ([[0, 0]], [[0, 0]])
    assert truth.edges([], [], allow_partial=True)[0].shape == (0, 2)


def test_a_pair_that_stands_twice_counts_once(tmp_path):
    write(tmp_path, captions_of={"101": [7001, 7001]})
    truth = eccv.ground_truth("eccv", tmp_path, allow_partial=True)
    assert truth.captions_of["101"] == ("7001",)


@pytest.mark.parametrize("bad", [{"101": []}, {"101": 7}, {"101": None}])
def test_a_query_without_a_list_is_named(tmp_path, bad):
    write(tmp_path, captions_of=bad)
    with pytest.raises(InputError, match=r"eccv_image_to_caption\.json query 101"):
        eccv.ground_truth("eccv", tmp_path, allow_partial=True)


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(eccv, "find_spec", lambda name: None)
    assert not eccv.is_installed()
    with pytest.raises(InputError, match=r"pip install 'facetwise\[eccv\]'"):
        eccv.ground_truth("eccv")
    with pytest.raises(InputError, match="eccv-caption"):
        eccv.official_order()


def test_an_unknown_kind():
    with pytest.raises(InputError, match="original, cxc, eccv"):
        eccv.ground_truth("coco")


def test_an_order_from_a_folder(tmp_path):
    with pytest.raises(InputError, match=r"no coco_test_ids\.npy"):
        eccv.official_order(tmp_path)
    np.save(tmp_path / "coco_test_ids.npy", np.array([12, 11, 13]))
    write(tmp_path, "original", images_of={"11": [5], "12": [6], "13": [6]})
    found = eccv.official_order(tmp_path)
    assert (found.images, found.captions, found.owner) == (
        ("6", "5"),
        ("12", "11", "13"),
        (0, 1, 0),
    )
    np.save(tmp_path / "coco_test_ids.npy", np.array([99]))
    with pytest.raises(InputError, match="does not fit"):
        eccv.official_order(tmp_path)
    (tmp_path / "coco_test_ids.npy").write_bytes(b"")
    with pytest.raises(InputError, match="does not fit"):
        eccv.official_order(tmp_path)
