"""The attribute bench on tiny worlds: a few systems, a few steps, in seconds."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from facetwise.cli.main import main
from facetwise.data import Collection
from facetwise.data.synthetic import shapes
from facetwise.errors import InputError
from facetwise.evaluation import bench_attribute_run
from facetwise.evaluation.bench_attribute_intervals import HEAD
from facetwise.evaluation.bench_attribute_plots import write_plots
from facetwise.evaluation.bench_attribute_rows import Table, merged, recipe_of
from facetwise.evaluation.bench_attribute_tables import attribute_tables, main_table, world_tables
from facetwise.evaluation.bench_attribute_worlds import kind_of
from facetwise.evaluation.bench_attributes import AttributeBench, run_attribute_bench
from facetwise.evaluation.bench_questions import Measure, Outfits, Tabled
from facetwise.evaluation.outfit_scores import outfit_figures, score_questions
from facetwise.evaluation.own_outfits import questions_of
from facetwise.evaluation.scorers import cosine_scorer
from facetwise.models import load
from facetwise.training import Recipe
from facetwise.training.pair_task import PairTask

TINY = {
    "encoders.pixels": 32,
    "encoders.components": 16,
    "pairs.training.steps": 3,
    "pairs.training.classes": 4,
    "pairs.width": 4,
    "pairs.dim": 8,
}

TABLE = """
[systems.plain]
label = "cosine"
model = "siamese"
frozen = "frozen features"

[systems.centred]
label = "cosine without types"
model = "siamese"
frozen = "type-centred"

[systems.siamese]
label = "siamese"
model = "siamese"
training.margin = 0.1

[systems.pan]
label = "PAN"
model = "pan"
pan = true

[worlds.birds]
systems = ["plain", "siamese", "pan"]
shots = [1, 2]
query = 2
episodes = 12
all_way_episodes = 4

[worlds.fashion]
systems = ["plain", "siamese", "pan"]

[worlds.outfits]
systems = ["plain", "centred", "siamese", "pan"]
candidates = [3]
draws = 2
tuned.siamese.training.margin = 0.3

[ablations.lambda]
of = "pan"
[ablations.lambda.values]
"0" = { training.attribute_weight = 0.0 }
"as it is" = {}
"""


def _things(kind: str, n: int) -> Iterator[Any]:
    """Shapes; as birds their classes are the shapes, as outfits six neighbours wear each other."""
    for number, item in enumerate(shapes(n)):
        shape = (item.group or "").split()[1]
        colour = (item.group or "").split()[0]
        if kind == "birds":
            part = "train" if shape in ("circle", "square") else "val"
            group = f"{'warm' if colour in ('red', 'yellow', 'purple') else 'cold'} {shape}"
            yield replace(item, group=group, split=part)
        elif kind == "outfits":
            part = "val" if number % 36 >= 24 else "train"
            outfit = (f"outfit {number // 6}",)
            yield replace(item, group=None, outfits=outfit, split=part, attributes={"type": colour})
        else:
            yield item


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("attribute-bench")
    for kind in ("birds", "fashion", "outfits"):
        Collection.create(
            folder / f"{kind}.collection", _things(kind, 144), name=kind, source="", total=144
        )
    (folder / "table.toml").write_text(TABLE)
    return {name: folder / f"{name}.collection" for name in ("birds", "fashion", "outfits")} | {
        "table": folder / "table.toml"
    }


@pytest.fixture(scope="module")
def bench(data: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> AttributeBench:
    return AttributeBench(
        data=(str(data["birds"]), f"fashion={data['fashion']}", str(data["outfits"])),
        out=tmp_path_factory.mktemp("bench-out"),
        cache=tmp_path_factory.mktemp("bench-cache"),
        overrides=TINY,
        table=data["table"],
        seeds=2,
        ablations=("all",),
    )


@pytest.fixture(scope="module")
def results(bench: AttributeBench) -> dict[str, Any]:
    return run_attribute_bench(bench)


def test_every_world_asks_what_its_data_can_answer(results: dict[str, Any]) -> None:
    assert list(results["worlds"]) == ["birds", "fashion", "outfits"]
    measures = {kind: world["measures"] for kind, world in results["worlds"].items()}
    few_shot = ["1-shot", "2-shot", "2-shot, prototypes"]
    ways = [f"{way}-way {shot}" for way in (5, 6) for shot in few_shot]
    assert measures["birds"] == [*ways, "R@1", "mAP@R"]
    assert measures["fashion"] == ["R@1", "mAP@R"]
    assert measures["outfits"] == ["FITB of 3", "AUC"]
    json.dumps(results, allow_nan=False)
    for world in results["worlds"].values():
        assert world["data"]["train"]["images"] > 0
        assert world["data"]["reported"]["images"] > 0


def test_ours_have_their_control_and_their_insides(results: dict[str, Any]) -> None:
    for kind, world in results["worlds"].items():
        for run in world["runs"]:
            pan = run["system"].startswith("pan")
            assert any(name.startswith("control.") for name in run["measures"]) == pan
            assert ("relevance" in run) == pan
            assert ("steering" in run) == (pan and kind == "fashion")
        seeds = {name: 0 for name in world["systems"]}
        for run in world["runs"]:
            seeds[run["system"]] += 1
        assert all(
            count == (1 if world["systems"][name]["frozen"] else 2) for name, count in seeds.items()
        )
    curve = results["worlds"]["fashion"]["runs"][-1]["steering"]["shape"]
    assert curve["weights"] == [0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0]


def test_ours_are_compared_with_every_rival_on_the_same_units(results: dict[str, Any]) -> None:
    world = results["worlds"]["outfits"]
    found = {(one["system"], one["rival"]): one for one in world["differences"]}
    assert set(found) == {("pan", rival) for rival in ("plain", "centred", "siamese", HEAD)}
    one = found["pan", "siamese"]
    level = {name: world["intervals"][name]["AUC"]["value"] for name in ("pan", "siamese")}
    assert one["AUC"]["value"] == pytest.approx(level["pan"] - level["siamese"], abs=2e-4)
    assert one["AUC"]["ci95"][0] <= one["AUC"]["value"] <= one["AUC"]["ci95"][1]
    mean = sum(run["measures"]["AUC"] for run in world["runs"] if run["system"] == "pan") / 2
    assert level["pan"] == pytest.approx(mean, abs=2e-4)


def test_what_is_kept_is_a_run_that_gives_the_same_figures(
    bench: AttributeBench, results: dict[str, Any]
) -> None:
    folder = bench.out / "fashion" / "pan--1"
    model = load(folder)
    world = bench.opened(Table.read(bench.table))["fashion"]
    h = model.embed_collection(world.collection, world.rows).pairs
    assert h is not None and model.pairs is not None
    again = bench_attribute_run.inside_figures(world, model.pairs, h)
    kept = next(
        run
        for run in results["worlds"]["fashion"]["runs"]
        if (run["system"], run["seed"]) == ("pan", 1)
    )
    assert again["relevance"] == kept["relevance"]
    assert not list(folder.glob("*.checkpoint.*"))
    reported = {world.collection.image_hashes[row] for row in world.rows}
    assert not reported & model.trained_on


def test_a_finished_training_is_not_done_again_and_a_changed_one_is(
    bench: AttributeBench, results: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(bench_attribute_run, "train_pairs", never)
    again = run_attribute_bench(bench)
    assert again["worlds"] == results["worlds"]
    with pytest.raises(AssertionError, match="again"):
        run_attribute_bench(replace(bench, overrides={**TINY, "pairs.training.lr": 5e-3}))


def test_an_interrupted_training_goes_on(
    bench: AttributeBench,
    results: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    again = replace(
        bench, out=tmp_path, worlds=("outfits",), systems=("pan",), ablations=(), seeds=1
    )
    loss = PairTask.loss

    def stop(self: PairTask, step: int) -> Any:
        if step == 2:
            raise KeyboardInterrupt
        return loss(self, step)

    with monkeypatch.context() as patch:
        patch.setattr(PairTask, "loss", stop)
        with pytest.raises(KeyboardInterrupt):
            run_attribute_bench(again)
    assert list((tmp_path / "outfits" / "pan--0").glob("pairs.checkpoint.*"))
    done = run_attribute_bench(again)["worlds"]["outfits"]["runs"][0]
    whole = next(
        run
        for run in results["worlds"]["outfits"]["runs"]
        if (run["system"], run["seed"]) == ("pan", 0)
    )
    assert done["measures"] == whole["measures"]
    assert done["relevance"] == whole["relevance"]


def test_two_at_a_time_find_what_one_finds(
    bench: AttributeBench, results: dict[str, Any], tmp_path: Path
) -> None:
    two = run_attribute_bench(
        replace(bench, out=tmp_path, systems=("siamese",), ablations=(), seeds=1, jobs=2)
    )
    for kind, world in two["worlds"].items():
        one = next(
            run
            for run in results["worlds"][kind]["runs"]
            if (run["system"], run["seed"]) == ("siamese", 0)
        )
        assert world["runs"][0]["measures"] == one["measures"]


def test_choosing_measures_on_what_was_else_trained_on(
    bench: AttributeBench, data: dict[str, Path]
) -> None:
    table = Table.read(bench.table)
    usual, chosen = bench.opened(table), replace(bench, choose=True).opened(table)
    for kind, world in chosen.items():
        before = set(usual[kind].material.rows)
        assert set(world.rows) <= before
        assert set(world.material.rows) <= before
        assert not set(world.rows) & set(world.material.rows)
        assert not set(usual[kind].rows) & before
        groups = [
            {world.collection.groups[row] for row in rows} - {None}
            for rows in (world.rows, world.material.rows)
        ]
        outfits = [
            {outfit for row in rows for outfit in world.collection.outfits[row]}
            for rows in (world.rows, world.material.rows)
        ]
        assert not set.intersection(*groups) and not set.intersection(*outfits)
    assert kind_of(Collection.open(data["fashion"])) == "fashion"
    assert kind_of(Collection.open(data["outfits"])) == "outfits"
    assert kind_of(Collection.open(data["birds"])) == "birds"


def test_tables_and_plots_show_every_world(results: dict[str, Any], tmp_path: Path) -> None:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(attribute_tables(results))
    text = console.export_text()
    assert "birds" in text and "siamese" in text and HEAD in text and "ablation: lambda" in text
    head, body = main_table(results["worlds"]["fashion"])
    assert head == ["", "R@1", "mAP@R"]
    assert [line[0] for line in body] == ["cosine", "siamese", "PAN", f"– {HEAD}"]
    for world in results["worlds"].values():
        for _, (columns, lines) in world_tables(world):
            assert all(len(line) == len(columns) for line in lines)
    files = write_plots(results, tmp_path)
    assert {file.name for file in files} >= {
        "bench-attributes-fashion-steering.png",
        "bench-attributes-birds-ablations.png",
        "bench-attributes-outfits.png",
    }
    assert all(file.stat().st_size > 1000 for file in files)


def test_the_command_prints_json(
    bench: AttributeBench, results: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--json", "--seeds", "2", "--worlds", "fashion", "--table", str(bench.table)]
    words += [f"--set={key}={value}" for key, value in TINY.items()]
    words += ["--out", str(bench.out), "--data", bench.data[1]]
    assert main(["bench", "attributes", *words]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (
        printed["worlds"]["fashion"]["intervals"]["pan"]
        == (results["worlds"]["fashion"]["intervals"]["pan"])
    )
    assert (bench.out / "bench-attributes.json").exists()


def test_what_cannot_be_asked_for_is_said(bench: AttributeBench, tmp_path: Path) -> None:
    for change, word in (
        ({"systems": ("pam",)}, "pam"),
        ({"ablations": ("mu",)}, "mu"),
        ({"data": ()}, "--data"),
        ({"data": (str(tmp_path),)}, "expected a collection"),
        ({"data": (bench.data[1], bench.data[1])}, "already"),
    ):
        with pytest.raises(InputError, match=word):
            run_attribute_bench(replace(bench, **change))  # type: ignore[arg-type]
    for change, word in (
        ({"worlds": ("fish",)}, "fish"),
        ({"overrides": {"pairs.widht": 3}}, "widht"),
        ({"seeds": 0}, "seeds"),
    ):
        with pytest.raises(InputError, match=word):
            replace(bench, **change)  # type: ignore[arg-type]
    bad = tmp_path / "bad.toml"
    bad.write_text('[worlds.birds]\nsystems = ["who"]\n')
    with pytest.raises(InputError, match="who"):
        Table.read(bad)


def test_a_row_takes_from_the_recipe_what_it_knows() -> None:
    table, recipe = Table.read(), Recipe.read("small", {"pairs.types": "kind"})
    siamese = recipe_of(table.row("fashion", "siamese"), recipe, {"pairs.width": 3})
    assert siamese.pairs is not None and siamese.pairs.types == "kind"
    assert siamese.pair_training.steps == recipe.pair_training.steps
    assert siamese.pair_training.margin == 0.1
    assert siamese.sets is None
    pan = recipe_of(table.row("birds", "pan"), recipe, {"pairs.width": 3})
    assert pan.pairs is not None and pan.pairs.width == 3  # type: ignore[attr-defined]
    assert merged({"a": {"b": 1}}, {"a": 2}) == {"a": 2}


def test_every_system_of_the_package_has_a_recipe_in_its_worlds() -> None:
    table = Table.read()
    for kind in table.worlds:
        recipe = Recipe.read(table.worlds[kind].recipe, table.sets[kind])
        swaps = [
            row
            for name in table.groups(kind, tuple(table.ablations))
            for row in table.swapped(kind, name)
        ]
        for row in (*table.rows(kind), *swaps):
            own = recipe_of(row, recipe, {})
            assert Recipe.from_dict(own.to_dict(), "again") == own
    aware = recipe_of(table.row("outfits", "type-aware"), Recipe.read("small"), {})
    assert aware.pairs is not None and aware.pairs.types == "auto"  # its own, not small's


def test_the_swaps_of_an_ablation_are_its_system_but_for_one_thing() -> None:
    table = Table.read()
    for group, (of, values) in table.ablations.items():
        rows = table.swapped("birds", group)
        assert [row.label for row in rows] == list(values)
        names = [row.name for row in rows]
        assert len(set(names)) == len(names)
        assert all(name == of or name.startswith(f"{of}.{group}") for name in names)


def test_a_table_of_all_pairs_gives_the_scorers_own_scores() -> None:
    g = torch.Generator().manual_seed(0)
    scorer = cosine_scorer("c", torch.randn(7, 3, generator=g))
    tabled = Tabled.of(scorer)
    q, items = torch.tensor([5, 2]), torch.tensor([0, 5, 6])
    torch.testing.assert_close(tabled.matrix(q, items), scorer.matrix(q, items))
    torch.testing.assert_close(tabled.pairs(q, q.flip(0)), scorer.pairs(q, q.flip(0)))
    members = torch.tensor([[0, 1]])
    prototype = torch.tensor([7])
    torch.testing.assert_close(
        tabled.extended(members).matrix(q, prototype), scorer.extended(members).matrix(q, prototype)
    )


def test_measures_of_outfits_are_those_of_the_questions(data: dict[str, Path]) -> None:
    collection = Collection.open(data["outfits"])
    rows = [row for row, part in enumerate(collection.splits) if part == "val"]
    types = collection.table(["type"])["type"].to_pylist()
    own = [types[row] for row in rows]
    g = torch.Generator().manual_seed(0)
    scorer = cosine_scorer("c", torch.randn(len(rows), 3, generator=g))
    one = Outfits.of(collection, rows, own, candidates=3)
    questions = questions_of(collection, rows, own, seed=0, candidates=3)
    figures = outfit_figures(score_questions(scorer, questions), questions)
    found = one.ask(scorer)
    assert found["FITB of 3"].value == pytest.approx(figures["fitb"])
    assert found["AUC"].value == pytest.approx(figures["auc"])
    several = Outfits.of(collection, rows, own, candidates=3, draws=3)
    assert several.about["questions"] == 3 * one.about["questions"]
    measure = several.ask(scorer)["FITB of 3"]
    assert len(measure.sums) == several.about["outfits"] == one.about["outfits"]
    assert measure.weights.tolist() == [3.0] * len(measure.weights)
    assert isinstance(measure, Measure)
