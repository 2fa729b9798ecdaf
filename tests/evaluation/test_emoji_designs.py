from __future__ import annotations

import io
from collections.abc import Sequence

import pytest
import torch
from PIL import Image

from facetwise.data import Collection, Item
from facetwise.data.benchmarks.emoji_designs import ARTISTS, held_out
from facetwise.errors import InputError
from facetwise.evaluation import Request, emoji_designs
from facetwise.evaluation.scorers import Scorer, cosine_scorer

CODES = [f"{0x1F300 + n:X}" for n in range(60)]


class Known(Request):
    """Scores by the concept itself; the control is the same for all."""

    def scorers(
        self, collection: Collection, rows: Sequence[int] | None = None
    ) -> tuple[Scorer, ...]:
        assert rows is not None
        numbers = torch.tensor([CODES.index(collection.ids[row].split("/")[1]) for row in rows])
        h = torch.eye(len(CODES))[numbers]
        tags = torch.stack([numbers % 3 == n for n in range(3)], 1).float()
        return (
            cosine_scorer("concept", torch.cat([h, tags], 1)),
            cosine_scorer("constant", torch.ones(len(rows), 2)),
        )

    def rival_scorer(
        self, collection: Collection, rows: Sequence[int] | None = None
    ) -> Scorer | None:
        return None if self.rival is None else self.scorers(collection, rows)[1]


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    def items():
        for hand, artist in enumerate(ARTISTS):
            for number, code in enumerate(CODES):
                png = io.BytesIO()
                Image.new("RGB", (8, 8), (4 * number, 25 * hand, 99)).save(png, "PNG")
                unseen = held_out(code, artist)
                yield Item(
                    id=f"{artist}/{code}",
                    image=png.getvalue(),
                    texts=(f"thing {number}", f"tag {number % 3}"),
                    group=code,
                    split=unseen if unseen in ("train", "val") else "test",
                    attributes={"artist": artist, "tag": (f"tag {number % 3}",)},
                    extras={"held_out": unseen},
                )

    path = tmp_path_factory.mktemp("emoji") / "emoji.collection"
    return Collection.create(path, items())


def test_who_knows_the_concept_finds_it_by_every_hand(collection):
    figures = emoji_designs.run(Known(models=(), data=collection.path, rival=object()))
    unseen = sum(held_out(code, "noto") == "concept" for code in CODES)
    for part, queries, gallery in (
        ("concept", 7 * unseen, 7 * unseen),
        ("artist", 2 * (60 - unseen), 7 * (60 - unseen)),
        ("both", 2 * unseen, 7 * unseen),
    ):
        images = figures[part]["images"]
        assert (images["queries"], images["gallery"]) == (queries, gallery)
        assert (images["R@1"], images["map_at_r"]) == (100, 100)
        assert images["control"]["constant"] == {"R@1": 0.0, "map_at_r": 0.0}
        assert images["against"] == {"map_at_r": 100.0, "ci95": [100.0, 100.0]}
    assert figures["pictures"] == 7 * unseen + 2 * 60
    attributes = figures["attributes"]
    assert attributes["tags"] == 3
    assert attributes["map"] == 100
    assert attributes["chance"] == pytest.approx(100 / 3, abs=1)
    assert attributes["control"]["constant"]["map"] < 60


def test_a_run_is_measured_from_the_command_line(collection, tiny_run, figures):
    found = figures(tiny_run, "--benchmark", "emoji-designs", "--data", collection.path)
    for part in ("concept", "artist", "both"):
        words = found[part]["image_text"]
        assert words["i2t"]["queries"] == words["images"]
        assert words["t2i"]["queries"] == words["texts"]
        assert words["i2t"]["positives"] == words["t2i"]["positives"] == 2 * words["images"]
        assert set(words["control"]) == {*("mean_vector_i2t_map_at_r", "mean_vector_t2i_map_at_r")}
        assert set(found[part]["images"]["control"]) == {
            "head, cosine",
            "last layer",
            "frozen features",
        }
    assert found["seen"] == 0


def test_another_collection_is_refused(tmp_path, png_bytes):
    path = tmp_path / "other.collection"
    Collection.create(path, [Item(id="a", image=png_bytes)])
    with pytest.raises(InputError, match="is not the collection of `facetwise data get"):
        emoji_designs.run(Request(models=(), data=path))
