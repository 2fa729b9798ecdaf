"""The image-text bench on a tiny world: two systems, a few steps, in seconds."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from facetwise.cli.main import main
from facetwise.data import Collection
from facetwise.data.synthetic import shapes_collection
from facetwise.encoders import Encoders, image_features
from facetwise.errors import InputError
from facetwise.evaluation import bench_run
from facetwise.evaluation.bench_exam import Exam, ask
from facetwise.evaluation.bench_image_text import Bench, run_bench
from facetwise.evaluation.bench_intervals import main_figure
from facetwise.evaluation.bench_plots import write_plots
from facetwise.evaluation.bench_systems import SYSTEMS, ablations, recipe_of, rows
from facetwise.evaluation.bench_tables import bench_tables, cell, label_in, system_table
from facetwise.evaluation.bench_worlds import Part, World, world_of
from facetwise.evaluation.image_text import image_text, matches
from facetwise.models import SET_SYSTEMS, load
from facetwise.similarity import NamedSimilarity
from facetwise.training import Recipe
from facetwise.training.recipe import DataConfig
from facetwise.training.set_task import SetTask

TINY = {
    "data.by": "item",
    "encoders.pixels": 32,
    "encoders.components": 16,
    "sets.dim": 16,
    "sets.hidden": 16,
    "sets.training.steps": 4,
    "sets.training.batch": 8,
}


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return shapes_collection(tmp_path_factory.mktemp("bench") / "shapes.collection", n=90)


@pytest.fixture(scope="module")
def bench(shapes: Collection, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(
        data=str(shapes.path),
        out=tmp_path_factory.mktemp("bench-out"),
        cache=tmp_path_factory.mktemp("bench-cache"),
        overrides=TINY,
        rows=rows("ridge,vse,dive"),
        seeds=2,
    )


@pytest.fixture(scope="module")
def results(bench: Bench) -> dict[str, Any]:
    return run_bench(bench)


def test_every_system_and_seed_is_measured_with_its_control(results: dict[str, Any]) -> None:
    names = [(run["system"], run["seed"]) for run in results["runs"]]
    assert names == [(name, seed) for seed in range(2) for name in ("ridge", "vse", "dive")]
    json.dumps(results, allow_nan=False)
    for run in results["runs"]:
        report = run["report"]["test"]
        assert {"map_at_r", "r_precision", "R@1", "R@5", "R@10"} <= set(report["i2t"])
        assert ("control" in report) == (run["system"] == "dive")
        assert (report["log_variance"]["image"] is None) == (run["system"] != "dive")
        if run["system"] != "ridge":
            assert run["watched"]["best"] == max(score for _, score in run["curve"])
            assert run["curve"][-1][0] == 4  # the last step is watched, too
            assert run["training_seconds"] >= 0
            assert run["parameters"] > 0
    assert results["machine"]["threads"] == torch.get_num_threads()


def test_what_is_kept_is_a_run_that_gives_the_same_figures(
    bench: Bench, results: dict[str, Any]
) -> None:
    run = next(run for run in results["runs"] if run["system"] == "dive")
    folder = bench.out / "dive--minilm--0"
    model = load(folder)
    part = bench.world().main
    x = model.embed_collection(part.collection, part.rows).sets
    assert x is not None
    y = model.encode_texts(part.texts)
    found = image_text(x, y, part.edges, model.similarity)
    assert found.rsum == pytest.approx(run["report"]["test"]["rsum"], abs=0.01)
    assert found.control == pytest.approx(
        run["report"]["test"]["control"]["mean_vector_rsum"], abs=0.01
    )
    assert not list(folder.glob("*.checkpoint.*"))
    seen = {bench.world().material.collection.image_hashes[row] for row in part.rows}
    assert not seen & model.trained_on


def test_a_finished_run_is_not_computed_again_and_a_changed_one_is(
    bench: Bench, results: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(bench_run, "train_sets", never)
    assert run_bench(bench)["runs"] == results["runs"]
    with pytest.raises(AssertionError, match="again"):
        run_bench(replace(bench, overrides={**TINY, "sets.training.lr": 1e-3}))


def test_an_interrupted_run_goes_on(
    bench: Bench, results: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = replace(bench, out=tmp_path, rows=rows("vse"), seeds=1)
    loss = SetTask.loss

    def stop(self: SetTask, step: int) -> Any:
        if step == 2:
            raise KeyboardInterrupt
        return loss(self, step)

    with monkeypatch.context() as patch:
        patch.setattr(SetTask, "loss", stop)
        with pytest.raises(KeyboardInterrupt):
            run_bench(again)
    folder = tmp_path / "vse--minilm--0"
    assert not (folder / "figures.json").exists()
    assert (folder / "spent.json").exists()
    done = run_bench(again)["runs"][0]
    whole = next(run for run in results["runs"] if run["system"] == "vse")
    assert done["report"] == whole["report"]
    assert done["curve"] == whole["curve"]


def test_two_at_a_time_find_what_one_finds(
    bench: Bench, results: dict[str, Any], tmp_path: Path
) -> None:
    two = run_bench(replace(bench, out=tmp_path, rows=rows("ridge,vse"), seeds=1, jobs=2))
    one = [run for run in results["runs"] if run["seed"] == 0 and run["system"] != "dive"]
    assert [run["report"] for run in two["runs"]] == [run["report"] for run in one]


def test_set_systems_are_compared_with_the_best_vector_and_with_their_own_mean(
    results: dict[str, Any],
) -> None:
    level = {
        name: sum(
            main_figure(run, "test", "map_at_r") for run in results["runs"] if run["system"] == name
        )
        for name in ("ridge", "vse")
    }
    best = max(level, key=level.__getitem__)
    found = [(one["system"], one["rival"]) for one in results["differences"]]
    assert found == [("dive", best), ("dive", "mean vectors")]
    for one in results["differences"]:
        low, high = one["i2t"]["ci95"]
        assert low <= one["i2t"]["value"] <= high
    runs = [run["report"]["test"] for run in results["runs"] if run["system"] == "dive"]
    own = sum(report["t2i"]["map_at_r"] for report in runs) / 2
    means = sum(report["control"]["mean_vector_t2i_map_at_r"] for report in runs) / 2
    assert results["differences"][1]["t2i"]["value"] == pytest.approx(own - means, abs=0.02)


def test_tables_and_plots_show_every_system(results: dict[str, Any], tmp_path: Path) -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(bench_tables(results))
    text = console.export_text()
    for label in ("ridge regression", "VSE++", "DivE", "by means", "its mean vectors"):
        assert label in text
    head, body = system_table(results, "minilm", ["vse", "dive"])
    assert all(len(row) == len(head) for row in body)
    assert cell([{"a": 1.0}, {"a": None}], "a") == "1.0"
    files = write_plots(results, tmp_path)
    assert [file.name for file in files] == ["bench-image-text.png"]
    assert files[0].read_bytes().startswith(b"\x89PNG")


def test_ablations_name_dive_by_its_own_value(results: dict[str, Any], tmp_path: Path) -> None:
    groups = ablations(Recipe.read("image-text", TINY))
    assert [row.label for row in groups["K"]] == ["K = 1", "K = 2", "K = 4 (DivE)", "K = 8"]
    swapped = {
        **results,
        "ablations": {"K": {row.name: row.label for row in groups["K"]}},
        "systems": {**{r.name: {"label": r.label} for r in groups["K"]}, **results["systems"]},
    }
    assert label_in(swapped, "dive", "K") == "K = 4 (DivE)"
    assert label_in(swapped, "dive") == "DivE"
    assert len(write_plots(swapped, tmp_path)) == 2


@pytest.mark.parametrize("name", ["image-text", "tags"])
def test_every_row_is_a_recipe(name: str) -> None:
    recipe = Recipe.read(name, TINY)
    swaps = [row for own in ablations(recipe).values() for row in own]
    assert len({row.name for row in swaps if row.name != "dive"}) == len(
        {json.dumps(recipe_of(row, recipe).to_dict()) for row in swaps if row.name != "dive"}
    )
    for row in [*SYSTEMS.values(), *swaps]:
        if row.name == "ridge":
            continue
        found = recipe_of(row, recipe)
        assert found.sets is not None
        assert found.sets.dim == (16 * recipe.to_dict()["sets"]["K"] if row.wide else 16)
        assert found.sets.hidden == 16
        assert found.encoders == recipe.encoders
        assert found.set_training.steps == 4
        assert type(found.sets) is SET_SYSTEMS[row.model][1]
        # Equal care: nothing but the weights of losses is a row's own; of those that score every
        # pair by cross attention the batch.
        own = {"batch", "texts_per_item"} if row.name in ("scan", "caan") else set[str]()
        assert set(row.training) <= {"margin", "mmd", "diversity", "vib", "uniformity"} | own


def test_a_system_that_cannot_have_the_recipes_loss_has_its_own() -> None:
    recipe = Recipe.read("image-text", {**TINY, "sets.training.loss": "many"})
    assert recipe_of(SYSTEMS["dive"], recipe).set_training.loss == "many"
    assert recipe_of(SYSTEMS["pcme"], recipe).set_training.loss == "auto"


def test_flickr8k_is_chosen_on_a_part_of_train(flickr8k: Path, tmp_path: Path) -> None:
    tokens = (flickr8k / "Flickr8k.token.txt").read_text().splitlines()
    images = list(dict.fromkeys(line.partition("#")[0] for line in tokens))
    (flickr8k / "Flickr_8k.trainImages.txt").write_text("\n".join(images[6:]) + "\n")
    world = world_of(str(flickr8k), DataConfig(), cache=tmp_path, allow_partial=True)
    assert world.figure == "rsum"
    train = set(world.material.rows)
    assert len(train) == 3
    assert len(world.watched.rows) == 1
    assert not train & set(world.watched.rows)
    dev = world.reported["dev"]
    assert (len(dev.rows), len(dev.texts)) == (6, 30)  # a caption that stands twice is two
    assert dev.edges[:, 0].tolist() == [row for row in range(6) for _ in range(5)]
    about = world.to_dict()
    assert about["pictures_shared"] == 0
    assert any("train" in problem for problem in about["problems"])
    same = world_of(str(flickr8k), DataConfig(), cache=tmp_path, allow_partial=True)
    assert same.to_dict() == about
    with pytest.raises(InputError, match="allow-partial"):
        world_of(str(flickr8k), DataConfig(), cache=tmp_path)


def test_parts_of_a_collection_share_no_picture(shapes: Collection, tmp_path: Path) -> None:
    world = world_of(str(shapes.path), DataConfig(), cache=tmp_path)
    parts = [world.material.rows, world.watched.rows, world.main.rows]
    assert sum(map(len, parts)) == len({row for part in parts for row in part}) == len(shapes)
    with pytest.raises(InputError, match="openmoji, emoji"):
        world_of("nowhere", DataConfig(), cache=tmp_path)


def test_figures_are_those_of_a_slow_count(shapes: Collection) -> None:
    """mAP@R and its control, query by query, for sets with padding."""
    g = torch.Generator().manual_seed(0)
    texts = [shapes.texts[row] for row in range(20)]
    distinct, edges = matches(texts)
    part = Part(shapes, tuple(range(20)), tuple(distinct), edges)
    encoders = Encoders.of(Recipe.read("image-text", TINY).encoders, distinct)
    exam = Exam.of(part, encoders)
    x = torch.nn.functional.normalize(torch.randn(20, 3, 8, generator=g), dim=-1)
    y = torch.nn.functional.normalize(torch.randn(len(distinct), 2, 8, generator=g), dim=-1)
    y[::2, 1] = 0
    found = ask(exam, x, y, NamedSimilarity("max_pair")).figures
    right = torch.zeros(20, len(distinct), dtype=torch.bool)
    right[edges[:, 0], edges[:, 1]] = True

    def slow(scores: torch.Tensor) -> float:
        each = []
        for row, own in zip(scores, right, strict=True):
            R = int(own.sum())
            top = own[row.argsort(descending=True)][:R].double()
            each.append(float((top.cumsum(0) / torch.arange(1, R + 1) * top).sum() / R))
        return 100 * sum(each) / len(each)

    def best(a: torch.Tensor, b: torch.Tensor) -> float:
        return max(float(u @ v) for u in a for v in b if v.any())

    scores = torch.tensor([[best(a, b) for b in y] for a in x])
    assert found["i2t"]["map_at_r"] == pytest.approx(slow(scores), abs=0.01)
    mean_x, mean_y = (torch.nn.functional.normalize(s.sum(1), dim=-1) for s in (x, y))
    by_means = found["control"]["mean_vector_i2t_map_at_r"]
    assert by_means == pytest.approx(slow(mean_x @ mean_y.T), abs=0.01)
    assert found["log_variance"]["text"] is None  # of unequal sizes
    assert image_features(shapes, encoders.images, [0]).grid.shape[0] == 1


def test_the_command_prints_json_and_says_what_it_does_not_know(
    shapes: Collection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["bench", "image-text", "--data", str(shapes.path), "--cache", str(tmp_path / "cache")]
    tiny = [word for key, value in TINY.items() for word in ("--set", f"{key}={value}")]
    out = ["--out", str(tmp_path / "out"), "--systems", "ridge,vse", "--seeds", "1"]
    assert main([*words, *tiny, *out, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "out" / "bench-image-text.json").read_text())
    for wrong, said in (
        (["--systems", "vsee"], "vsee"),
        (["--seeds", "0"], "--seeds"),
        (["--text", ","], "text encoders"),
    ):
        assert main([*words, *out, *wrong]) == 2
        assert said in capsys.readouterr().err


def test_a_world_says_when_its_pictures_change(shapes: Collection, tmp_path: Path) -> None:
    world = world_of(str(shapes.path), DataConfig(), cache=tmp_path)
    fewer = World(
        world.name,
        world.figure,
        world.material,
        replace(world.watched, rows=world.watched.rows[1:]),
        world.reported,
    )
    assert fewer.to_dict()["fingerprint"] != world.to_dict()["fingerprint"]
