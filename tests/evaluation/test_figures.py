from __future__ import annotations

import io

from rich.console import Console

from facetwise.evaluation.figures import figures_table


def shown(figures: dict) -> str:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(figures_table(figures))
    return console.export_text()


def test_parts_with_the_same_columns_share_a_table():
    text = shown(
        {
            "benchmark": "flickr8k",
            "split": "dev",
            "rsum": 237.7,
            "i2t": {"R@1": 19.5, "R@5": 44.9},
            "t2i": {"R@1": 17.2, "R@5": 42.5},
        }
    )
    assert "flickr8k (dev)" in text
    assert text.count("R@5") == 1
    assert "19.50" in text and "42.50" in text


def test_deeper_figures_are_called_by_their_path():
    text = shown({"control": {"last layer": {"accuracy": 95.0, "ci95": 0.3}, "auc": {"x": 0.5}}})
    assert "control last layer" in text
    assert "control auc x" in text and "0.5000" in text


def test_notes_and_gaps_are_shown():
    text = shown({"fitb": None, "ties": 1234, "seen": False, "problems": ["28 of 50 [classes]"]})
    assert "note: 28 of 50 [classes]" in text
    assert "1,234" in text and "-" in text and "no" in text
