from pathlib import Path

import pytest
from PIL import Image

from facetwise.cli.main import main
from facetwise.errors import InputError
from facetwise.evaluation.steering import STEERING_WEIGHTS, SteeringCurve
from facetwise.evaluation.steering_plot import draw_steering, write_steering


def a_run(groups: int, seed: int = 0, found: bool = True) -> list[SteeringCurve]:
    shares = tuple(50.0 + seed + place for place in range(len(STEERING_WEIGHTS)))
    return [
        SteeringCurve(f"g{n}", STEERING_WEIGHTS, shares, shares if found else ())
        for n in range(groups)
    ]


def test_a_panel_for_each_group_with_both_lines() -> None:
    figure = draw_steering([a_run(5), a_run(5, seed=2)], "birds")
    shown = [panel for panel in figure.axes if panel.axison]
    assert [panel.get_title(loc="left").split()[0] for panel in shown] == [
        f"g{n}" for n in range(5)
    ]
    labels = {line.get_label() for line in shown[0].lines}
    assert {"agreement of the first 10", "mAP@R"} <= labels
    bought = next(line for line in shown[0].lines if line.get_label().startswith("agreement"))
    assert list(bought.get_ydata()) == [-2, -1, 0, 1, 2, 3, 4]


def test_without_groups_of_items_there_is_no_cost_to_draw() -> None:
    (panel,) = draw_steering([a_run(1, found=False)]).axes
    assert "mAP@R" not in {line.get_label() for line in panel.lines}


def test_it_is_written_as_a_picture(tmp_path: Path) -> None:
    write_steering(tmp_path / "a.png", [a_run(2)])
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width > 300


def test_nothing_to_draw_says_why(tmp_path: Path) -> None:
    for runs in ([], [[]]):
        with pytest.raises(InputError, match="no condition"):
            write_steering(tmp_path / "a.png", runs)


def test_evaluate_prints_the_curves_and_draws_them(
    tiny_run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    collection = str(tiny_run.parent / "shapes.collection")
    drawn = tmp_path / "steering.png"
    asked = ["evaluate", str(tiny_run), "--collection", collection, "--plot", str(drawn)]
    assert main(asked) == 0
    out, err = capsys.readouterr()
    assert "x 10" in out
    assert "is written" in err
    assert drawn.stat().st_size > 5000
    assert main([*asked[:2], "--benchmark", "retrieval", *asked[-2:]]) == 2
    assert "--collection alone" in capsys.readouterr().err
