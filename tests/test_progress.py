from __future__ import annotations

import io
from types import SimpleNamespace

import pytest

from facetwise import progress
from facetwise.progress import bar, track


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    stream = Terminal()
    # not sys.stderr itself: pytest's capture puts its own there between set-up and call
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=stream))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("FACETWISE_PROGRESS", raising=False)
    return stream


def test_track_yields_everything_in_order():
    assert list(track([3, 1, 2], "items")) == [3, 1, 2]


def test_a_terminal_sees_a_bar_with_the_time_left(terminal, capsys):
    assert list(track(range(4), "counting")) == [0, 1, 2, 3]
    shown = terminal.getvalue()
    assert "counting" in shown
    assert "4/4" in shown
    assert "left" in shown
    assert capsys.readouterr().out == ""


def test_a_note_is_shown_beside_the_bar(terminal):
    with bar("training", total=2) as shown:
        shown.advance()
        shown.note("loss 0.25")
        shown.advance()
    assert "loss 0.25" in terminal.getvalue()


def test_it_can_be_silenced(terminal, monkeypatch):
    monkeypatch.setenv("FACETWISE_PROGRESS", "0")
    list(track(range(4), "counting"))
    assert terminal.getvalue() == ""


def test_a_pipe_gets_one_plain_line_and_only_for_long_work(monkeypatch, capsys):
    monkeypatch.delenv("FACETWISE_PROGRESS", raising=False)
    list(track("ab", "letters"))
    assert capsys.readouterr().err == ""

    clock = iter([0.0, 2.5])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    list(track("ab", "letters"))
    captured = capsys.readouterr()
    assert captured.err == "letters: 2 in 2.5 s\n"
    assert captured.out == ""


def test_an_error_inside_passes_through(terminal):
    with pytest.raises(ValueError, match="inside"), bar("work", 3):
        raise ValueError("inside")
