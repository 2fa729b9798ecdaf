"""A run that knows nothing, on disk, and tiny benchmarks in their exact formats."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from facetwise.cli.main import main
from facetwise.data import Collection
from facetwise.data.synthetic import shapes_collection
from facetwise.encoders import EncoderConfig, Encoders, image_features
from facetwise.models import PAN, DivEConfig, Model, PANConfig, Taught, build_sets

_WORDS = ("a red square", "a blue field", "some green thing", "the dark one", "light", "grey")


def _untrained(collection: Collection, seen: int = 0) -> Model:
    """A run over both kinds of models that knows nothing, and was shown the first `seen`."""
    encoders = Encoders(EncoderConfig(pixels=32, components=16))
    features = image_features(collection, encoders.images, range(len(collection)))
    g = torch.Generator().manual_seed(0)
    sets = build_sets(DivEConfig(dim=32, hidden=32, heads=2, head_dim=8), encoders, g)
    sets.fit_statistics(features)
    pairs = PAN(PANConfig(free=1, width=8), Taught.groups(["shape", "colour"]), g)
    pairs.fit_statistics(features.pooled, generator=g)
    hashes = frozenset(collection.image_hashes[:seen])
    return Model(encoders, sets=sets, pairs=pairs, trained_on=hashes, name="tiny")


@pytest.fixture(scope="session")
def untrained() -> Callable[..., Model]:
    """Makes a run that knows nothing: collection, seen=0 -> Model."""
    return _untrained


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained set and pair models, saved."""
    folder = tmp_path_factory.mktemp("tiny")
    _untrained(shapes_collection(folder / "shapes.collection", n=40)).save(folder / "run")
    return folder / "run"


@pytest.fixture
def figures(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    """Run `facetwise evaluate ... --json` and give what it prints."""
    monkeypatch.setenv("FACETWISE_CACHE", str(tmp_path / "cache"))

    def run(*words: str | Path) -> dict[str, Any]:
        code = main(["evaluate", *map(str, words), "--json"])
        out, err = capsys.readouterr()
        assert code == 0, err
        found: dict[str, Any] = json.loads(out)
        return found

    return run


def write_photos(folder: Path, names: Sequence[str]) -> None:
    """A small picture of its own for each name."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        colour = ((37 * number) % 256, (91 * number) % 256, (53 * number + 40) % 256)
        picture = Image.new("RGB", (40, 40), colour)
        picture.paste((255 - colour[0], 0, colour[2]), (number % 20, 5, number % 20 + 12, 25))
        picture.save(folder / name)


@pytest.fixture
def flickr8k(tmp_path: Path) -> Path:
    """Flickr8k's original layout: 6 dev and 4 test photos, with judgements of the test photos."""
    root = tmp_path / "Flickr8k"
    names = [f"10{number}_ab{number}.jpg" for number in range(10)]
    write_photos(root / "Images", names)
    tokens = [
        f"{name}#{k}\t{_WORDS[(number + k) % 6]} number {number} ."
        for number, name in enumerate(names)
        for k in range(5)
    ]
    (root / "Flickr8k.token.txt").write_text("\n".join(tokens) + "\n")
    (root / "Flickr_8k.devImages.txt").write_text("\n".join(names[:6]) + "\n")
    (root / "Flickr_8k.testImages.txt").write_text("\n".join(names[6:]) + "\n")
    expert = [
        f"{names[6 + a]}\t{names[6 + b]}#{k}\t{1 + (a + b) % 4}\t{1 + (a * b) % 4}\t{1 + k % 4}"
        for a in range(4)
        for b in range(4)
        for k in range(5)
    ]
    (root / "ExpertAnnotations.txt").write_text("\n".join(expert) + "\n")
    crowd = [
        f"{names[6 + a]}\t{names[6 + b]}#2\t{(a + b) / 6:.4f}\t{a + b}\t{6 - a - b}"
        for a in range(4)
        for b in range(4)
    ]
    (root / "CrowdFlowerAnnotations.txt").write_text("\n".join(crowd) + "\n\x00\x00damaged\n")
    return root


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """Karpathy's COCO file and four test photos, with CxC's csv files of them."""
    root = tmp_path / "coco"
    ids = (42, 73, 74, 133)
    names = [f"COCO_val2014_{number:012d}.jpg" for number in ids]
    write_photos(root / "val2014", names)
    images = [
        {
            "filepath": "val2014",
            "filename": name,
            "cocoid": number,
            "imgid": place,
            "split": "test",
            "sentids": list(range(100 * place, 100 * place + 5)),
            "sentences": [
                {
                    "raw": f"{_WORDS[(place + k) % 6]} in photo {place}",
                    "tokens": [],
                    "imgid": place,
                    "sentid": 100 * place + k,
                }
                for k in range(6)
            ],
        }
        for place, (number, name) in enumerate(zip(ids, names, strict=True))
    ]
    (root / "dataset_coco.json").write_text(json.dumps({"images": images, "dataset": "coco"}))
    caption = "COCO_val2014:sentid:{}"
    pairs = [(a, b, k) for a in range(4) for b in range(4) for k in range(5)]
    (root / "sits_test.csv").write_text(
        "caption,image,agg_score,sampling_method\n"
        + "".join(
            f"{caption.format(100 * a + k)},{names[b]},{5.0 if a == b else k / 2},original\n"
            for a, b, k in pairs
        )
    )
    (root / "sts_test.csv").write_text(
        "caption1,caption2,agg_score,sampling_method\n"
        + "".join(
            f"{caption.format(100 * a)},{caption.format(100 * b + k)},{(a + b + k) % 6},isim\n"
            for a, b, k in pairs
            if a != b
        )
    )
    (root / "sis_test.csv").write_text(
        "image1,image2,agg_score,sampling_method\n"
        + "".join(
            f"{names[a]},{names[b]},{float(a + b)},csim\n"
            for a in range(4)
            for b in range(4)
            if a != b
        )
    )
    return root
