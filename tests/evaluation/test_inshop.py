"""Garments from the files to the printed JSON."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image


@pytest.fixture
def garments(tmp_path: Path) -> Path:
    """Five garments, each with a query and two photos in the gallery, and one photo of training."""
    root = tmp_path / "In-shop"
    rows = []
    for number in range(5):
        garment = f"id_{number:08d}"
        statuses = ("query", "gallery", "gallery", "train" if number == 0 else "gallery")
        for k, status in enumerate(statuses):
            path = f"img/WOMEN/Tops/{garment}/0{k}_1_front.jpg"
            file = root / "Img" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            picture = Image.new("RGB", (32, 32), (50 * number, 255 - 40 * number, 9))
            picture.paste((0, 20 * k, 90), (k, 3, k + 6, 9))
            picture.save(file)
            rows.append(f"{path}   {garment} {status}")
    (root / "Eval").mkdir()
    (root / "Eval/list_eval_partition.txt").write_text(
        "\n".join([str(len(rows)), "image_name item_id evaluation_status", *rows]) + "\n"
    )
    return root


def test_full_ranking_and_reranking_are_both_printed(garments, tiny_run, figures):
    found = figures(
        *(tiny_run, "--benchmark", "inshop", "--data", garments, "--allow-partial"),
        *("--against", tiny_run),
    )
    recalls = {f"R@{k}" for k in (1, 10, 20, 30, 40, 50)}
    assert recalls | {"map_at_r", "seconds"} <= set(found)
    assert (found["queries"], found["gallery"], found["garments"]) == (5, 14, 5)
    assert found["R@50"] == 100  # more than there are
    assert recalls <= set(found["reranked"])
    assert (found["reranked"]["first"], found["reranked"]["by"]) == (100, "head, cosine")
    # 14 are fewer than 100: all of them are ranked again
    assert {k: found["reranked"][k] for k in recalls} == {k: found[k] for k in recalls}
    assert found["against"]["R@1_difference"] == 0
    assert any("5 of 14,218 query photos" in problem for problem in found["problems"])
