"""Birds from the files to the printed JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from facetwise.cli.main import main


@pytest.fixture
def birds(tmp_path: Path) -> Path:
    """Three classes of val, one of novel, in the layout of a copy without labels of photos."""
    root = tmp_path / "CUB_200_2011"
    rows, labels = [], []
    for label, count in ((2, 5), (6, 6), (10, 5), (4, 5)):
        folder = f"{label:03d}.Bird_{label}"
        (root / "images" / folder).mkdir(parents=True)
        for k in range(count):
            picture = Image.new("RGB", (32, 32), (20 * label, 255 - 20 * label, 40 * k))
            picture.paste((9 * label, 0, 30 * k), (k, label, k + 12, label + 9))
            picture.save(root / "images" / folder / f"{k}.jpg")
            rows.append(f"{len(rows) + 1} {folder}/{k}.jpg")
            labels.append(f"{len(rows)} {label}")
    (root / "images.txt").write_text("\n".join(rows) + "\n")
    (root / "image_class_labels.txt").write_text("\n".join(labels) + "\n")
    (root / "classes.txt").write_text("".join(f"{n} {n:03d}.Bird_{n}\n" for n in range(1, 201)))
    return root


WORDS = ("--shot", "2", "--query", "3", "--episodes", "12", "--allow-partial")


def test_few_shot_prints_what_was_promised(birds, tiny_run, figures):
    common = ("--benchmark", "cub-fewshot", "--data", birds, "--split", "val", *WORDS)
    found = figures(tiny_run, *common, "--way", "2")
    assert list(found)[:5] == ["benchmark", "split", "accuracy", "ci95", "episodes"]
    assert found["benchmark"] == "cub-fewshot"
    assert (found["split"], found["episodes"], found["way"]) == ("val", 12, 2)
    assert (found["classes"], found["images"]) == (3, 16)
    assert set(found["prototypes"]) == {"accuracy", "ci95"}
    assert "3 of 50 val classes" in found["problems"][0]
    assert found["seconds"] >= 0
    assert figures(tiny_run, *common, "--way", "0")["way"] == 3
    sets = figures(tiny_run, *common, "--way", "2", "--using", "sets", "--against", tiny_run)
    assert sets["against"]["difference"] == 0
    assert "mean vectors" in sets["control"]


def test_another_seed_draws_other_episodes(birds, tiny_run, figures):
    common = ("--benchmark", "cub-fewshot", "--data", birds, *WORDS, "--way", "3")
    runs = [figures(tiny_run, *common, "--seed", seed) for seed in ("0", "0", "1", "2")]
    assert runs[0]["control"] == runs[1]["control"]
    assert len({str(run["control"]) for run in runs}) > 1


def test_retrieval_prints_what_was_promised(birds, tiny_run, figures):
    common = ("--benchmark", "cub-retrieval", "--data", birds, "--allow-partial")
    found = figures(tiny_run, *common, "--split", "val")
    assert {"R@1", "R@2", "R@4", "R@8", "map_at_r", "nmi"} <= set(found)
    assert (found["queries"], found["gallery"], found["classes"]) == (16, 16, 3)
    assert "R@1_difference" in found["control"]["head, cosine"]
    train = figures(tiny_run, *common, "--split", "train")
    assert (train["split"], train["classes"]) == ("train", 4)


def test_missing_data_stop(birds, tiny_run, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("FACETWISE_CACHE", str(tmp_path / "cache"))
    words = ["evaluate", str(tiny_run), "--benchmark", "cub-fewshot", "--data", str(birds)]
    assert main([*words, "--split", "novel"]) == 2
    error = capsys.readouterr().err
    assert "1 of 50 novel classes" in error and "--allow-partial" in error
    assert main([*words, "--split", "dev"]) == 2
    assert "no split 'dev'" in capsys.readouterr().err


def test_pictures_seen_in_training_are_said(birds, tiny_run, figures, tmp_path):
    from facetwise.data import Collection
    from facetwise.data.benchmarks import cub
    from facetwise.models import load

    source = cub.read(birds, "val", allow_partial=True)
    collection = Collection.create(tmp_path / "val.collection", source.items())
    model = load(tiny_run)
    model.trained_on = frozenset(collection.image_hashes[:4])
    model.save(tmp_path / "run")
    common = ("--benchmark", "cub-retrieval", "--data", birds, "--split", "val", "--allow-partial")
    found = figures(tmp_path / "run", *common)
    assert "4 of these 16 pictures were seen in training" in found["problems"]


def test_lists_of_few_shot_code_measure_the_same(birds, tiny_run, figures):
    classes = sorted(path.name for path in (birds / "images").iterdir())
    photos = [
        (label, path)
        for label, name in enumerate(classes)
        for path in sorted((birds / "images" / name).iterdir())
        if name != "004.Bird_4"
    ]
    lists = {
        "label_names": classes,
        "image_names": [f"/elsewhere/images/{path.parent.name}/{path.name}" for _, path in photos],
        "image_labels": [label for label, _ in photos],
    }
    (birds / "val.json").write_text(json.dumps(lists))
    words = ("--split", "val", "--way", "2", *WORDS)
    ours = figures(tiny_run, "--benchmark", "few-shot-json", "--data", birds, *words)
    theirs = figures(tiny_run, "--benchmark", "cub-fewshot", "--data", birds, *words)
    assert ours["images"] == 16 and "problems" not in ours
    assert ours["accuracy"] == theirs["accuracy"]
