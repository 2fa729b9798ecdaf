import json

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau

from facetwise.data.benchmarks.eccv import is_installed
from facetwise.errors import InputError
from facetwise.evaluation.answers import Matrix
from facetwise.evaluation.coco import coco_5k
from facetwise.evaluation.image_text import Scored
from facetwise.evaluation.score_files import save_scores
from facetwise.evaluation.scores import evaluate_scores

FIGURES = ["images", "texts", "i2t", "t2i", "rsum", "rsum_se", "ties"]
OWNER = torch.arange(100) // 5


@pytest.fixture
def scores() -> torch.Tensor:
    scores = torch.randn(20, 100, generator=torch.Generator().manual_seed(0))
    scores[OWNER, torch.arange(100)] += 1
    return scores


def test_anybodys_matrix_has_the_figures_of_a_model(tmp_path, scores) -> None:
    save_scores(tmp_path / "theirs.npy", scores)
    found = evaluate_scores(tmp_path / "theirs.npy")
    assert list(found) == ["benchmark", "split", *FIGURES, "seconds"]
    expected = coco_5k(Scored(Matrix(scores)), OWNER).to_dict()
    assert {name: found[name] for name in FIGURES} == expected
    assert json.loads(json.dumps(found)) == found


def test_a_transposed_matrix_is_measured_and_said_so(tmp_path, scores) -> None:
    save_scores(tmp_path / "theirs.npy", scores.T)
    found = evaluate_scores(tmp_path / "theirs.npy", "flickr8k")
    assert "transposed" in found["problems"][0]
    assert found["rsum"] == coco_5k(Scored(Matrix(scores)), OWNER).to_dict()["rsum"]


def test_ties_and_seed_are_heeded(tmp_path) -> None:
    save_scores(tmp_path / "flat.npy", torch.zeros(20, 100))
    assert evaluate_scores(tmp_path / "flat.npy")["rsum"] == 0
    assert evaluate_scores(tmp_path / "flat.npy", ties="optimistic")["rsum"] == 600
    assert evaluate_scores(tmp_path / "flat.npy", ties="mean")["t2i"]["R@1"] == 5


def flickr8k(folder, images: list[str]) -> None:
    """A dev split in the original layout."""
    (folder / "Images").mkdir()
    for image in images:
        (folder / "Images" / image).write_bytes(b"")
    (folder / "Flickr_8k.devImages.txt").write_text("\n".join(images), encoding="utf-8")
    lines = [f"{image}#{n}\ta photo {n}" for image in images for n in range(5)]
    (folder / "Flickr8k.token.txt").write_text("\n".join(lines), encoding="utf-8")


def test_a_benchmarks_folder_gives_ids_and_owners(tmp_path, scores, monkeypatch) -> None:
    images = [f"{number}.jpg" for number in range(20)]
    flickr8k(tmp_path, images)
    monkeypatch.setattr("facetwise.data.benchmarks.flickr8k.SPLITS", {"dev": 20})
    captions = [f"{image}#{n}" for image in images for n in range(5)]
    turned = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    save_scores(
        tmp_path / "theirs.npz",
        scores[turned],
        image_ids=[images[row] for row in turned],
        caption_ids=captions,
    )
    found = evaluate_scores(tmp_path / "theirs.npz", "flickr8k", data=tmp_path, split="dev")
    assert found["split"] == "dev"
    assert found["rsum"] == coco_5k(Scored(Matrix(scores)), OWNER).to_dict()["rsum"]
    # Rankings of words: only the folder says whose caption each is.
    order = scores.argsort(dim=1, descending=True).tolist()
    back = scores.T.argsort(dim=1, descending=True).tolist()
    rankings = {
        "i2t": {images[i]: [captions[c] for c in row] for i, row in enumerate(order)},
        "t2i": {captions[c]: [images[i] for i in row] for c, row in enumerate(back)},
    }
    (tmp_path / "theirs.json").write_text(json.dumps(rankings), encoding="utf-8")
    again = evaluate_scores(tmp_path / "theirs.json", "flickr8k", data=tmp_path, split="dev")
    assert {name: again[name] for name in FIGURES} == {name: found[name] for name in FIGURES}


def test_anybodys_matrix_is_held_against_people(tmp_path, scores, monkeypatch) -> None:
    images = [f"{number}.jpg" for number in range(20)]
    flickr8k(tmp_path, images)
    monkeypatch.setattr("facetwise.data.benchmarks.flickr8k.SPLITS", {"dev": 20})
    save_scores(tmp_path / "theirs.npy", scores)
    rows = [
        f"{images[row]}\t{images[19 - row]}#0\t{1 + row % 4}\t{1 + row % 3}\t2" for row in range(20)
    ]
    (tmp_path / "ExpertAnnotations.txt").write_text("\n".join(rows), encoding="utf-8")
    asked = (tmp_path / "theirs.npy", "flickr8k-judgements")
    found = evaluate_scores(*asked, data=tmp_path, split="dev")
    people = [(1 + row % 4 + 1 + row % 3 + 2) / 3 for row in range(20)]
    model = [scores[row, 5 * (19 - row)].item() for row in range(20)]
    assert found["expert"]["tau_b"] == pytest.approx(
        100 * kendalltau(model, people).statistic, abs=0.006
    )
    with pytest.raises(InputError, match="--data DIR"):
        evaluate_scores(*asked)
    empty = {"i2t": {}, "t2i": {}}
    (tmp_path / "theirs.json").write_text(json.dumps(empty), encoding="utf-8")
    with pytest.raises(InputError, match="holds rankings"):
        evaluate_scores(tmp_path / "theirs.json", asked[1], data=tmp_path, split="dev")


@pytest.fixture
def coco(tmp_path):
    """Three images with two captions each, as the package's folder has its files."""
    captions = [70, 71, 80, 81, 90, 91]
    np.save(tmp_path / "coco_test_ids.npy", np.array(captions))
    for kind, right in (
        ("original", {7: [70, 71], 8: [80, 81], 9: [90, 91]}),
        ("eccv", {7: [70, 80], 9: [90]}),
        ("cxc", {7: [70, 71, 80], 8: [80, 81], 9: [90, 91]}),
    ):
        back: dict[int, list[int]] = {}
        for image, own in right.items():
            for caption in own:
                back.setdefault(caption, []).append(image)
        for name, table in (("image_to_caption", right), ("caption_to_image", back)):
            (tmp_path / f"{kind}_{name}.json").write_text(json.dumps(table), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("benchmark", ["coco-1k", "coco-5k", "eccv", "cxc"])
def test_coco_protocols_by_a_folder_of_ground_truth(coco, monkeypatch, benchmark) -> None:
    counts = {"original": (3, 6, 6, 6), "eccv": (2, 3, 3, 3), "cxc": (3, 7, 6, 7)}
    monkeypatch.setattr("facetwise.data.benchmarks.eccv.COUNTS", counts)
    scores = torch.zeros(3, 6)
    for image, caption in ((0, 0), (0, 1), (0, 2), (1, 3), (2, 4), (2, 5)):
        scores[image, caption] = 1
    save_scores(coco / "theirs.npy", scores)
    found = evaluate_scores(coco / "theirs.npy", benchmark, data=coco)
    assert found["benchmark"] == benchmark
    if benchmark == "eccv":  # image 7 finds 70, 71, 80 and has 70 and 80 to find
        assert found["i2t"]["r_precision"] == pytest.approx(100 * (0.5 + 0) / 2)
        assert found["i2t"]["queries"] == 2
        assert found["mean"]["map_at_r"] == pytest.approx(
            (found["i2t"]["map_at_r"] + found["t2i"]["map_at_r"]) / 2, abs=0.01
        )
    elif benchmark == "cxc":
        assert found["t2i"]["queries"] == 6
        assert found["t2i"]["R@1"] == 100.0
    else:
        assert found["t2i"]["R@1"] == pytest.approx(83.33)
        assert found["images"] == 3


@pytest.mark.skipif(not is_installed(), reason="needs the package eccv-caption: facetwise[eccv]")
def test_the_packages_order_is_known_without_a_folder(tmp_path) -> None:
    save_scores(tmp_path / "theirs.npy", torch.zeros(20, 100))
    with pytest.raises(InputError, match="expected 5,000 images x 25,000 captions"):
        evaluate_scores(tmp_path / "theirs.npy", "coco-5k")


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"benchmark": "outfits"}, "--scores goes with coco-1k, coco-5k, eccv, cxc, flickr8k"),
        ({"benchmark": "coco-5k", "split": "val"}, "only the order of the test split is known"),
        ({"benchmark": "flickr8k", "split": "dev"}, "give the data: --data DIR"),
        ({"data": "."}, "--data says nothing without --benchmark"),
    ],
)
def test_what_cannot_be_asked_is_said(tmp_path, wanted, said) -> None:
    save_scores(tmp_path / "theirs.npy", torch.eye(5))
    if "data" in wanted:
        wanted = {**wanted, "data": tmp_path}
    with pytest.raises(InputError, match=said):
        evaluate_scores(tmp_path / "theirs.npy", **wanted)
