from __future__ import annotations

import pytest
import torch

from facetwise.data.benchmarks import polyvore as reader
from facetwise.data.benchmarks.outfit_sets import Compatibility, ItemSets
from facetwise.encoders import EncoderConfig, Encoders
from facetwise.errors import InputError
from facetwise.evaluation.polyvore import order_free_oracle, polyvore_tasks, run
from facetwise.evaluation.request import Request
from facetwise.metrics import compatibility_auc
from facetwise.models import CGAEConfig, Model, build_pairs

from ..polyvore_tree import UNCHANGED, write_polyvore


def oracle_auc(asked: Compatibility) -> float:
    return compatibility_auc(order_free_oracle(asked), asked.labels)


def test_who_ignores_order_cannot_beat_the_ceiling(tmp_path):
    write_polyvore(tmp_path)
    source = reader.read(tmp_path, allow_partial=True)
    tasks = polyvore_tasks(source)
    assert list(tasks)[:2] == ["resampled", "resampled, cleaned"]
    assert oracle_auc(tasks["resampled"].compatibility) == 1 - UNCHANGED / 12 / 2
    assert oracle_auc(tasks["resampled, cleaned"].compatibility) == 1
    assert oracle_auc(tasks["ours, single"].compatibility) == 1


def test_the_ceiling_of_the_released_files(real_data):
    tasks = polyvore_tasks(reader.read(real_data("polyvore_outfits"), "valid"))
    assert round(oracle_auc(tasks["resampled"].compatibility), 4) == 0.8376
    assert oracle_auc(tasks["resampled, cleaned"].compatibility) == 1


def test_the_oracle_of_nothing_new_knows_nothing():
    same = Compatibility(
        ItemSets.of([[0, 1], [1, 0]]), torch.tensor([True, False]), torch.tensor([0, 0])
    )
    assert oracle_auc(same) == 0.5


def test_from_the_command_line(tmp_path, tiny_run, figures):
    data = write_polyvore(tmp_path / "polyvore_outfits")
    found = figures(
        *(tiny_run, "--benchmark", "polyvore", "--data", data, "--split", "test"),
        *("--allow-partial", "--context", "2", "--against", tiny_run),
    )
    assert found["benchmark"] == "polyvore" and found["split"] == "test"
    assert found["questions"] == 12 and found["chance"] == 10
    assert 0 <= found["fitb"] <= 100 and 0 <= found["auc"] <= 1
    assert found["ceiling"] == 0.875 and found["task"] == "resampled" and found["context"] == 0
    assert found["degree_only"]["K=0"] == {"fitb": 10, "auc": 0.5}
    assert found["degree_only"]["K=2"]["fitb"] > 90
    assert list(found["tasks"]) == [
        *("resampled", "resampled, cleaned", "original", "original, cleaned"),
        *("ours, single", "ours, released-like"),
    ]
    for task in found["tasks"].values():
        assert task["questions"] <= 12 and task["left_out"] == 0
        assert "frozen features, type-centred" in task["control"]
        assert task["against"]["auc"] == {"difference": 0, "low": 0, "high": 0}
    assert any("4 of 206 names" in words for words in found["problems"])


def test_a_graph_encoder_sees_the_given_items_and_context_where_asked(tmp_path, figures):
    encoders = Encoders(EncoderConfig(pixels=32, components=16))
    model = build_pairs(CGAEConfig(widths=(8, 8)), generator=torch.Generator().manual_seed(0))
    model.fit_statistics(torch.rand(30, 1560, generator=torch.Generator().manual_seed(1)))
    Model(encoders, sets=None, pairs=model, name="graph").save(tmp_path / "run")
    data = write_polyvore(tmp_path / "polyvore_outfits")
    asked = ("--benchmark", "polyvore", "--data", data, "--split", "test", "--allow-partial")
    plain = figures(tmp_path / "run", *asked)
    within = figures(tmp_path / "run", *asked, "--context", "1")
    for name, task in within["tasks"].items():
        assert "in_context" not in plain["tasks"][name]
        assert (task["fitb"], task["auc"]) == (
            plain["tasks"][name]["fitb"],
            plain["tasks"][name]["auc"],
        )  # K = 0 is what stands at the top
        assert set(task["in_context"]) == {"K=1"}
        assert set(task["in_context"]["K=1"]) == {"fitb", "auc"}
        assert task["in_context"]["K=1"]["fitb"] is not None
    assert any("in context is" in words for words in within["problems"])
    assert not any("in context is" in words for words in plain["problems"])


def test_questions_about_items_without_picture_are_left_out(tmp_path, tiny_run, figures):
    data = write_polyvore(tmp_path / "polyvore_outfits", metadata=False, original=False)
    (data / "images" / "6033.jpg").unlink()  # of one outfit, and of the one made with its item
    found = figures(
        *(tiny_run, "--benchmark", "outfits", "--data", data, "--split", "test"), "--allow-partial"
    )
    assert found["left_out"] > 0 and found["questions"] < 12 and found["outfits"] < 24
    assert any("46 of 47 pictures" in words for words in found["problems"])


def test_questions_alone_are_reported_when_nothing_else_is_there(tmp_path):
    data = write_polyvore(tmp_path, "valid", resolved=False, pictures=False, original=False)
    with pytest.raises(InputError, match="allow-partial"):
        run(Request(models=(), data=data, split="valid"))
    found = run(Request(models=(), data=data, split="valid", allow_partial=True))
    assert found["fitb"] is None and found["auc"] is None and found["questions"] == 12
    assert found["tasks"]["resampled"]["ceiling"] == 0.875
    assert found["tasks"]["resampled, cleaned"]["ceiling"] == 1
    assert found["tasks"]["resampled, cleaned"]["degree_only"]["K=1"]["auc"] == 1


def test_outfits_without_questions_can_be_read_but_not_measured_on(tmp_path):
    data = write_polyvore(tmp_path, original=False, resampled=False)
    assert len(reader.read(data, allow_partial=True)) == 47
    with pytest.raises(InputError, match=r"no fill_in_blank_test.json \(questions"):
        run(Request(models=(), data=data, allow_partial=True))
