from __future__ import annotations

import pytest

from facetwise.data.benchmarks.flickr8k_judgements import judgements
from facetwise.errors import InputError

EXPERT = "1056338697_4f7d7ce270.jpg\t2549968784_39bfbe44f9.jpg#2\t1\t1\t2"
CROWD = "1056338697_4f7d7ce270.jpg\t1056338697_4f7d7ce270.jpg#2\t0.666666666667\t2\t1"


def write(folder, expert=(EXPERT,), crowd=(CROWD,), end="\n"):
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in (("ExpertAnnotations.txt", expert), ("CrowdFlowerAnnotations.txt", crowd)):
        (folder / name).write_bytes(end.join(lines).encode() + end.encode())


def damage(found):
    return [problem for problem in found.problems if problem.kind == "row"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("place", ["", "Flickr8k_text"])
def test_both_files(tmp_path, end, place):
    write(tmp_path / place, end=end)
    found = judgements(tmp_path)
    assert found.expert == (
        ("1056338697_4f7d7ce270.jpg", "2549968784_39bfbe44f9.jpg#2", (1, 1, 2)),
    )
    assert found.expert[0].mean == pytest.approx(4 / 3)
    assert found.crowd[0].share == pytest.approx(2 / 3)
    assert (found.crowd[0].yes, found.crowd[0].no) == (2, 1)
    assert (found.expert[0].own, found.crowd[0].own) == (False, True)
    assert damage(found) == []
    assert "1 of 5,822 judgements" in str(found.problems[0])


@pytest.mark.parametrize(
    "bad",
    [
        "a.jpg\tb.jpg#1\t1\t2",
        "a.jpg\tb.jpg#1\t1\t2\t5",
        "a.jpg\tb.jpg#1\t1\t2\t0",
        "a.jpg\tb.jpg\t1\t2\t3",
        "a\tb.jpg#1\t1\t2\t3",
        "\x00\x01\x02",
        "a.jpg b.jpg#1 1 2 3",
    ],
)
def test_a_damaged_line_of_the_experts(tmp_path, bad):
    write(tmp_path, expert=(EXPERT, bad, EXPERT))
    found = judgements(tmp_path)
    assert len(found.expert) == 2
    assert [problem.row for problem in damage(found)] == [2]


@pytest.mark.parametrize(
    "bad", ["1.5\t2\t1", "nan\t2\t1", "0.5\t2", "0\t0\t0", "0.5\t-1\t1", "x\t1\t1"]
)
def test_a_damaged_line_of_the_crowd(tmp_path, bad):
    write(tmp_path, crowd=(CROWD, f"a.jpg\tb.jpg#1\t{bad}", CROWD))
    found = judgements(tmp_path)
    assert len(found.crowd) == 2
    assert [problem.row for problem in damage(found)] == [2]


def test_a_damaged_block_is_counted_line_by_line(tmp_path):
    block = bytes(range(256)) * 200  # holds 200 line ends
    write(tmp_path)
    file = tmp_path / "CrowdFlowerAnnotations.txt"
    file.write_bytes(f"{CROWD}\n".encode() * 3 + block + f"\n{CROWD}\n".encode() * 2)
    found = judgements(tmp_path)
    assert len(found.crowd) == 5
    assert len(damage(found)) == 201


def test_too_much_damage_is_refused(tmp_path):
    write(tmp_path, expert=[EXPERT] + ["broken"] * 583)
    with pytest.raises(InputError, match="more than 582 bad lines"):
        judgements(tmp_path)


def test_one_kind_is_enough_and_the_other_is_said_to_be_missing(tmp_path):
    write(tmp_path)
    (tmp_path / "ExpertAnnotations.txt").unlink()
    found = judgements(tmp_path)
    assert (found.expert, len(found.crowd)) == ((), 1)
    assert "has no ExpertAnnotations.txt" in str(found.problems[0])


def test_neither_kind_is_an_error_that_names_both(tmp_path):
    with pytest.raises(InputError, match=r"ExpertAnnotations\.txt.*CrowdFlowerAnnotations\.txt"):
        judgements(tmp_path)
