"""Benchmarks of photos with captions, from the files to the printed JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from facetwise.cli.main import main
from facetwise.evaluation.benchmarks import BENCHMARKS

KEYS = {
    *("benchmark", "split", "images", "texts", "i2t", "t2i", "rsum", "rsum_se"),
    *("ties", "variance", "control", "seconds"),
}


def test_flickr8k_prints_what_was_promised(tiny_run, flickr8k, figures):
    found = figures(
        tiny_run, "--benchmark", "flickr8k", "--data", flickr8k, "--split", "dev", "--allow-partial"
    )
    assert set(found) == {*KEYS, "problems"}
    assert (found["benchmark"], found["split"]) == ("flickr8k", "dev")
    assert (found["images"], found["texts"]) == (6, 30)
    assert set(found["i2t"]) == set(found["t2i"]) == {"R@1", "R@5", "R@10", "medr"}
    total = sum(found[way][f"R@{k}"] for way in ("i2t", "t2i") for k in (1, 5, 10))
    assert found["rsum"] == pytest.approx(total, abs=0.05)
    assert set(found["variance"]) == {"image", "text"}
    assert 0 < found["control"]["mean_vector_rsum"] <= 600
    assert found["rsum_se"] > 0


def test_flickr8ks_judges_are_answered_beside_its_test_photos(tiny_run, flickr8k, figures):
    words = ("--benchmark", "flickr8k", "--data", flickr8k, "--split", "test", "--allow-partial")
    found = figures(tiny_run, *words)
    assert set(found) == {*KEYS, "problems", "judgements"}
    assert found["judgements"]["expert"]["pairs"] == 60
    assert "crowd" in found["judgements"]["control"]["mean_vectors"]
    assert any("line 17" in problem for problem in found["problems"])
    for file in ("ExpertAnnotations.txt", "CrowdFlowerAnnotations.txt"):
        (flickr8k / file).unlink()
    assert "judgements" not in figures(tiny_run, *words)


def test_of_a_damaged_block_the_first_lines_are_named_and_all_are_counted(
    tiny_run, flickr8k, figures
):
    file = flickr8k / "CrowdFlowerAnnotations.txt"
    file.write_text(file.read_text() + "damaged\n" * 60)
    words = ("--benchmark", "flickr8k", "--data", flickr8k, "--split", "test", "--allow-partial")
    problems = figures(tiny_run, *words)["problems"]
    assert len(problems) == 21 and problems[-1].startswith("and 4")
    file.write_text("damaged\n" * 10_000)  # far too much of it: the recalls are not lost with it
    found = figures(tiny_run, *words)
    assert "judgements" not in found and found["rsum"] > 0
    assert any("judgements are left out" in problem for problem in found["problems"])


def test_missing_photos_stop_unless_they_are_allowed(tiny_run, flickr8k, capsys, monkeypatch):
    monkeypatch.setenv("FACETWISE_CACHE", str(flickr8k / "cache"))
    words = ["evaluate", str(tiny_run), "--benchmark", "flickr8k", "--data", str(flickr8k)]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert "4 of 1,000 test photos" in error and "--allow-partial" in error


def test_saved_scores_give_the_same_figures(tiny_run, flickr8k, figures, tmp_path):
    common = ("--benchmark", "flickr8k", "--data", flickr8k, "--split", "dev", "--allow-partial")
    own = figures(tiny_run, *common, "--save-scores", tmp_path / "s.npz")
    theirs = figures("--scores", tmp_path / "s.npz", *common)
    for key in ("images", "texts", "i2t", "t2i", "rsum", "rsum_se", "ties"):
        assert own[key] == theirs[key]


def test_an_ensemble_of_a_run_with_itself_is_the_run(tiny_run, flickr8k, figures):
    common = ("--benchmark", "flickr8k", "--data", flickr8k, "--split", "dev", "--allow-partial")
    one, two = figures(tiny_run, *common), figures(tiny_run, tiny_run, *common)
    assert one["rsum"] == pytest.approx(two["rsum"])
    paired = figures(tiny_run, "--against", tiny_run, *common)["difference"]
    assert paired["rsum"] == 0 and paired["ci95"] == [0, 0]


def test_judgements_are_correlated_and_damage_is_counted(tiny_run, flickr8k, figures):
    found = figures(
        tiny_run, "--benchmark", "flickr8k-judgements", "--data", flickr8k, "--allow-partial"
    )
    assert {"tau_c", "tau_b", "spearman", "tau_c_each"} <= set(found["expert"])
    assert found["expert"]["pairs"] == 60 and found["expert"]["with_own_captions"]["pairs"] == 80
    assert found["crowd"]["pairs"] == 12
    assert any("line 17" in problem for problem in found["problems"])
    assert set(found["control"]["mean_vectors"]) == {"expert", "crowd"}


@pytest.mark.parametrize("name", ["coco-1k", "coco-5k"])
def test_coco_takes_five_captions_a_photo(tiny_run, coco, figures, name):
    found = figures(tiny_run, "--benchmark", name, "--data", coco, "--allow-partial")
    assert (found["images"], found["texts"]) == (4, 20)
    assert set(found) >= KEYS


def test_cxc_asks_in_four_directions(tiny_run, coco, figures):
    found = figures(tiny_run, "--benchmark", "cxc", "--data", coco, "--allow-partial")
    assert all("R@1" in found[way] for way in ("i2t", "t2i", "t2t", "i2i"))
    assert set(found["correlation"]) == {"sits", "sts", "sis"}
    assert "t2t" in found["control"]["mean_vectors"]


def test_a_run_over_pictures_alone_is_refused(tiny_run, flickr8k, capsys, monkeypatch):
    from facetwise.models import load, model

    monkeypatch.setattr(model.Model, "has_sets", property(lambda self: False))
    loaded = load(tiny_run)
    loaded.sets = None
    monkeypatch.setattr("facetwise.models.load", lambda path: loaded)
    words = ["evaluate", str(tiny_run), "--benchmark", "flickr8k", "--data", str(flickr8k)]
    assert main([*words, "--allow-partial"]) == 2
    assert "knows nothing of texts" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["eccv", "cxc", "flickr8k-judgements"])
def test_a_rival_is_not_passed_over_in_silence(tiny_run, coco, capsys, name):
    words = ["evaluate", str(tiny_run), "--against", str(tiny_run), "--benchmark", name]
    assert main([*words, "--data", str(coco)]) == 2
    assert f"--against: {name} has no paired interval" in capsys.readouterr().err


def test_every_benchmark_has_its_function():
    from importlib import import_module

    for entry in BENCHMARKS.values():
        module, _, function = entry.function.partition(".")
        assert callable(getattr(import_module(f"facetwise.evaluation.{module}"), function))


def test_benchmarks_are_listed(capsys):
    assert main(["evaluate", "--list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["flickr8k"]["splits"] == ["test", "dev", "train"]


def test_unknown_names_are_answered_with_the_known_ones(tiny_run, capsys):
    assert main(["evaluate", str(tiny_run), "--benchmark", "flicker"]) == 2
    assert "there are flickr8k" in capsys.readouterr().err
    words = ["evaluate", str(tiny_run), "--benchmark", "flickr8k", "--split", "nowhere"]
    assert main(words) == 2
    assert "no split 'nowhere'; there are test, dev, train" in capsys.readouterr().err


def test_photos_that_training_saw_are_counted(tiny_run, flickr8k, figures, monkeypatch):
    from facetwise.data import Collection
    from facetwise.evaluation import request
    from facetwise.models import load

    words = ("--benchmark", "flickr8k", "--data", flickr8k, "--split", "dev", "--allow-partial")
    plain = figures(tiny_run, *words)["problems"]
    hashes = Collection.open(next(request.default_cache().glob("*.collection"))).image_hashes
    model = load(tiny_run)
    model.trained_on = frozenset(hashes[:2])
    monkeypatch.setattr("facetwise.models.load", lambda path: model)
    assert figures(tiny_run, *words)["problems"] == [
        *plain,
        "2 of these 6 pictures were seen in training",
    ]


def test_val_is_another_word_for_dev(tiny_run, flickr8k, figures):
    words = ("--benchmark", "flickr8k", "--data", flickr8k, "--split", "val", "--allow-partial")
    assert figures(tiny_run, *words)["images"] == 6


def test_a_benchmark_without_data_says_so(tiny_run, capsys):
    assert main(["evaluate", str(tiny_run), "--benchmark", "flickr8k"]) == 2
    assert "--data DIR" in capsys.readouterr().err


def test_figures_become_tables(tiny_run, flickr8k, capsys, monkeypatch):
    monkeypatch.setenv("FACETWISE_CACHE", str(Path(flickr8k) / "cache"))
    words = ["evaluate", str(tiny_run), "--benchmark", "flickr8k", "--data", str(flickr8k)]
    assert main([*words, "--split", "dev", "--allow-partial"]) == 0
    shown = capsys.readouterr().out
    assert "flickr8k (dev)" in shown and "i2t" in shown and "R@10" in shown
