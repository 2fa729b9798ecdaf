import json
from pathlib import Path

import pytest
import torch

from facetwise.data import Collection, Item
from facetwise.data.synthetic import shapes_collection
from facetwise.evaluation import bench_demo
from facetwise.evaluation.bench_demo import comparison_tables, run_bench
from facetwise.evaluation.floors import RidgeFloor
from facetwise.training import Recipe

TINY = {
    "encoders.pixels": 32,
    "sets.training.steps": 3,
    "sets.training.batch": 8,
    "pairs.training.steps": 3,
    "sets.dim": 16,
    "sets.hidden": 16,
}


@pytest.fixture(scope="module")
def styled(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """Shapes as OpenMoji has them: two pictures of each thing, one called a line drawing."""
    folder = tmp_path_factory.mktemp("bench")
    shapes = shapes_collection(folder / "shapes.collection", n=48)
    pictures = shapes.image_bytes(range(len(shapes)))
    return Collection.create(
        folder / "styled.collection",
        (
            Item(
                f"{row}",
                picture,
                tuple(shapes.texts[row]),
                group=f"thing {row // 2}",
                attributes={
                    "style": ("line", "colour")[row % 2],
                    "size": "big" if row % 3 else "small",
                },
            )
            for row, picture in enumerate(pictures)
        ),
    )


def test_a_finished_seed_is_not_computed_again(
    styled: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe.read("demo", TINY)
    first = run_bench(styled, recipe, tmp_path, range(1))
    rows = first["runs"][0]["image_text"]
    assert list(rows) == ["untrained heads", "ridge regression", "single vector (VSE)", "DivE"]
    assert {"all", "line_to_colour"} <= set(first["runs"][0]["image_image"]["PAN"])
    json.dumps(first)  # all of it can be written

    def never(*_: object, **__: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(bench_demo, "compare", never)
    assert run_bench(styled, recipe, tmp_path, range(1))["runs"] == first["runs"]
    with pytest.raises(AssertionError):  # another recipe is another bench
        run_bench(styled, Recipe.read("demo", {**TINY, "sets.training.steps": 4}), tmp_path, [0])


def test_tables_of_several_seeds_show_mean_and_spread(styled: Collection, tmp_path: Path) -> None:
    import io

    from rich.console import Console

    run = run_bench(styled, Recipe.read("demo", TINY), tmp_path, range(1))["runs"][0]
    other = json.loads(json.dumps(run))
    run["image_text"]["DivE"]["rsum"], other["image_text"]["DivE"]["rsum"] = 100.0, 102.0
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(comparison_tables([run, other]))
    assert "101.0 ±1.4" in console.export_text()


def test_ridge_floor_finds_a_linear_map() -> None:
    g = torch.Generator().manual_seed(0)
    pooled = torch.rand(200, 12, generator=g)
    vectors = torch.nn.functional.normalize(pooled @ torch.randn(12, 24, generator=g), dim=-1)
    ridge = RidgeFloor((8, 4), pooled[:150], vectors[:150], [[row] for row in range(150)], seed=0)
    scores = ridge.images(pooled[150:])[:, 0] @ ridge.texts(vectors[150:])[:, 0].T
    assert (scores.argmax(1) == torch.arange(50)).float().mean() > 0.5  # chance is .02
