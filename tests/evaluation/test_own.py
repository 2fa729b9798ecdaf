import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from facetwise.data import Collection, Item
from facetwise.data.synthetic import shapes_collection
from facetwise.errors import InputError
from facetwise.evaluation import evaluate
from facetwise.models import Model


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return shapes_collection(tmp_path_factory.mktemp("own") / "shapes.collection", n=60)


def test_report_has_texts_groups_and_controls(
    collection: Collection, untrained: Callable[..., Model]
) -> None:
    report = evaluate(untrained(collection, seen=20), collection)
    figures = report.to_dict()
    assert figures["split"] == "held-out"
    assert figures["items"] == len(collection) - 20
    assert set(figures["image_text"]) >= {"i2t", "t2i", "rsum", "control", "variance"}
    pairs = figures["image_image"]["pairs"]
    assert set(pairs["agreement@10"]) == {"shape", "colour"}
    assert pairs["relevance"]["pair_entropy"] <= pairs["relevance"]["mean_entropy"] + 1e-6
    assert 0 <= pairs["relevance"]["free_mass"] <= 1
    assert pairs["control"]["untrained_map_at_r"] is not None


def test_table_can_be_shown(collection: Collection, untrained: Callable[..., Model]) -> None:
    from rich.console import Console

    console = Console(width=120, record=True, file=io.StringIO())
    console.print(evaluate(untrained(collection), collection).table())
    assert "RSUM" in console.export_text()


def test_pictures_seen_in_training_are_left_out_by_content(
    collection: Collection, untrained: Callable[..., Model], tmp_path: Path
) -> None:
    model = untrained(collection, seen=20)
    other = Collection.create(tmp_path / "copy.collection", _renamed(collection))
    assert evaluate(model, other).items == len(collection) - 20
    assert evaluate(model, other, split="train").items == 20
    assert evaluate(model, other, split="all").items == len(collection)


def test_nothing_held_out_says_the_way_out(
    collection: Collection, untrained: Callable[..., Model]
) -> None:
    with pytest.raises(InputError, match=r"--split all"):
        evaluate(untrained(collection, seen=len(collection)), collection)


def test_unknown_split_names_those_there_are(
    collection: Collection, untrained: Callable[..., Model]
) -> None:
    with pytest.raises(InputError, match="held-out"):
        evaluate(untrained(collection), collection, split="tset")


def _renamed(collection: Collection) -> Iterator[Item]:
    pictures = collection.image_bytes(range(len(collection)))
    for row, picture in enumerate(pictures):
        yield Item(f"other {row}", picture, tuple(collection.texts[row]))
