from __future__ import annotations

import errno
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import facetwise
from facetwise import FacetwiseError, InputError
from facetwise.cli import main as cli
from facetwise.cli.main import COMMANDS, main


@pytest.fixture
def searches(monkeypatch, fake_index):
    """The fake index behind `facetwise search` and `facetwise explain`."""

    class Index:
        @staticmethod
        def open(path):
            if not path.name.endswith(".index"):
                raise InputError(f"{path} is no index")
            return fake_index

    monkeypatch.setattr("facetwise.search.Index", Index)
    return fake_index


def fails_with(monkeypatch, error):
    def run(self):
        raise error

    monkeypatch.setattr("facetwise.cli.search.Search.run", run)


def test_without_arguments_it_shows_every_command(capsys):
    assert main([]) == 0
    shown = capsys.readouterr().out
    for name in COMMANDS:
        assert f"• {name} " in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name, capsys):
    assert main([*name.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"usage: facetwise {name} " in shown
    assert "Example:" in shown
    assert f"\n    facetwise {name} " in f"{shown.replace(chr(10), ' ' + chr(10))}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_an_interrupt_keeps(name):
    module, _, command = COMMANDS[name].rpartition(".")
    command = getattr(importlib.import_module(f"facetwise.cli.{module}"), command)
    assert command.interrupted
    assert command.__dataclass_params__.frozen


def test_a_group_of_commands_lists_its_own(capsys):
    assert main(["data"]) == 0
    shown = capsys.readouterr().out
    assert "import" in shown
    assert "inspect" in shown
    assert "demo" not in shown


@pytest.mark.parametrize(
    "words", [["serch"], ["search"], ["search", "a", "--nonsense"], ["data", "serch"]]
)
def test_wrong_options_exit_with_2_and_say_so_on_stderr(words, capsys):
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"facetwise {facetwise.__version__}\n"


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_an_expected_error_is_one_line_on_stderr_and_exit_2(monkeypatch, capsys, as_json):
    fails_with(monkeypatch, FacetwiseError("styles.csv row 17: no picture;\n  put it there"))
    assert main(["search", "x.index", "shoe", *as_json]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "error: styles.csv row 17: no picture; put it there\n"


def test_an_interrupt_says_what_is_kept(monkeypatch, capsys):
    fails_with(monkeypatch, KeyboardInterrupt())
    assert main(["search", "x.index", "shoe"]) == 130
    assert capsys.readouterr().err == "stopped: interrupted; nothing was changed\n"


def test_a_full_disk_is_one_line(monkeypatch, capsys):
    fails_with(monkeypatch, OSError(errno.ENOSPC, "No space left on device"))
    assert main(["search", "x.index", "shoe"]) == 2
    assert capsys.readouterr().err.startswith("error: the disk is full;")


def test_a_place_without_permission_is_one_line(monkeypatch, capsys):
    fails_with(monkeypatch, PermissionError(errno.EACCES, "Permission denied", "/locked/x"))
    assert main(["search", "x.index", "shoe"]) == 2
    assert capsys.readouterr().err.startswith("error: /locked/x: no permission;")


@pytest.mark.parametrize(
    ("code", "file", "said"),
    [
        (errno.EROFS, "/locked/x", "/locked/x: read-only; choose a place"),
        (errno.EROFS, "/locked/.x.0a1b.tmp", "/locked: read-only; choose a place"),
        (errno.ENOTDIR, "a.csv/x", "a.csv/x: Not a directory; choose another place"),
        (errno.EISDIR, "pictures", "pictures: Is a directory; choose another place"),
    ],
)
def test_a_place_that_does_not_do_is_one_line(monkeypatch, capsys, code, file, said):
    fails_with(monkeypatch, OSError(code, os.strerror(code), file))
    assert main(["search", "x.index", "shoe"]) == 2
    assert capsys.readouterr().err.startswith(f"error: {said}")


def test_a_bug_is_not_dressed_up_as_bad_input(monkeypatch):
    fails_with(monkeypatch, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        main(["search", "x.index", "shoe"])


def test_a_reader_that_leaves_early_is_no_error():
    code = (
        "import sys\n"
        "from facetwise.cli.main import main\n"
        "from facetwise.cli.search import Search\n"
        "Search.run = lambda self: print('x' * 1_000_000) or 0\n"
        "sys.exit(main(['search', 'x.index', 'shoe']))"
    )
    reader, writer = os.pipe()
    os.close(reader)
    run = subprocess.run([sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert run.returncode == 0
    assert run.stderr == b""


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_ctrl_c_ends_a_real_process_with_130_and_one_line():
    code = (
        "import sys, time\n"
        "from facetwise.cli.main import main\n"
        "from facetwise.cli.index import BuildIndex\n"
        "BuildIndex.run = lambda self: print('started', flush=True) or time.sleep(60)\n"
        "sys.exit(main(['index', 'runs/shop', 'shop.collection']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "started\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.count("\n") == 1
    assert said.startswith("stopped: interrupted; an older index is untouched")


def test_the_installed_command_is_this_main():
    from importlib.metadata import entry_points

    (entry,) = entry_points(group="console_scripts", name="facetwise")
    assert entry.load() is cli.main


def test_search_prints_json_only(searches, capsys):
    words = ["search", "shop.index", "red shoe", "-k", "2", "--weigh", "baseColour=3"]
    assert main([*words, "--weigh", "gender=0.5", "--where", "gender = 'Men'", "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == [
        {"id": "a/1", "score": 0.5, "rank": 1, "exact": True},
        {"id": "b<2>", "score": 0.25, "rank": 2, "exact": True},
    ]
    assert searches.queries == ["red shoe"]
    assert searches.asked == [
        {
            "weigh": {"baseColour": 3.0, "gender": 0.5},
            "where": "gender = 'Men'",
            "using": None,
            "k": 2,
        }
    ]


def test_search_by_picture(searches, capsys, tmp_path, png_bytes):
    file = tmp_path / "a.png"
    file.write_bytes(png_bytes)
    assert main(["search", "shop.index", "--image", str(file), "--using", "pairs"]) == 0
    assert searches.queries == [file]
    assert searches.asked[0]["using"] == "pairs"
    assert "text of a/1" in capsys.readouterr().out


def test_search_that_finds_nothing_exits_with_1(searches, capsys):
    assert main(["search", "shop.index", "x", "--where", "nothing = 1", "--json"]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out) == []
    assert "--where too narrow" in captured.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["shop.index"], "nothing to search for"),
        (["shop.index", "x", "--image", "a.jpg"], "ask with one of the two"),
        (["shop.index", "--image", "missing.jpg"], "missing.jpg does not exist"),
        (["shop.index", "x", "-k", "0"], "-k 0"),
        (["shop.index", "x", "--weigh", "baseColour"], "expected NAME=FACTOR"),
        (["shop.index", "x", "--weigh", "baseColour=-1"], "0 or more"),
        (["shop.index", "x", "--weigh", "baseColour=nan"], "0 or more"),
        (["shop.index", "x", "--weigh", "colour=1"], "there are baseColour, gender"),
        (["runs/shop", "x"], "is no index"),
    ],
)
def test_search_refuses_what_makes_no_sense(searches, capsys, words, says):
    assert main(["search", *words, "--json"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert says in captured.err


def test_explain_prints_the_facets_and_draws_them(searches, capsys, tmp_path):
    png = tmp_path / "why.png"
    assert main(["explain", "shop.index", "red shoe", "a/1", "--json", "--png", str(png)]) == 0
    why = json.loads(capsys.readouterr().out)
    assert sum(facet["contribution"] for facet in why["facets"]) == pytest.approx(why["score"])
    assert png.read_bytes().startswith(b"\x89PNG")
    assert main(["explain", "shop.index", "red shoe", "a/1"]) == 0
    assert "slot 1" in capsys.readouterr().out


def test_explain_by_picture_takes_the_id_alone(searches, tmp_path, png_bytes, capsys):
    file = tmp_path / "a.png"
    file.write_bytes(png_bytes)
    assert main(["explain", "shop.index", "a/1", "--image", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == "a/1"
    assert searches.queries == [file]


def test_explain_without_an_id_says_what_is_missing(searches, capsys):
    assert main(["explain", "shop.index", "red shoe"]) == 2
    assert "no item to explain" in capsys.readouterr().err


def test_serve_listens_on_this_machine_only(searches, monkeypatch, capsys):
    listened = []

    def run(self, sockets):
        listened.extend(sockets[0].getsockname())
        raise KeyboardInterrupt

    monkeypatch.setattr("uvicorn.Server.run", run)
    assert main(["serve", "shop.index", "--port", "0"]) == 0
    host, port = listened
    assert host == "127.0.0.1"
    assert f"http://127.0.0.1:{port} " in capsys.readouterr().err


def test_serve_says_that_a_port_is_taken(searches, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "shop.index", "--port", str(port)]) == 2
    assert f"cannot listen on 127.0.0.1 port {port}" in capsys.readouterr().err


@pytest.fixture
def trains(monkeypatch):
    """Stands in for the rooms behind fit, evaluate, index and export, and keeps what they get."""
    seen = {}
    collection = SimpleNamespace(name="shop")
    report = SimpleNamespace(to_dict=lambda: {"rsum": 250.5}, table=lambda: "rsum 250.5")

    class Index:
        @staticmethod
        def build(model, what, out, *, overwrite):
            seen["built"] = (model, what, out, overwrite)
            return range(7)

        @staticmethod
        def open(path):
            return path

    def fit(*given, **named):
        seen["fitted"] = (given, named)

    def evaluate(*given, **named):
        seen["evaluated"] = (given, named)
        return report

    def export_vectors(*given, **named):
        seen["exported"] = (given, named)
        return 7

    monkeypatch.setattr("facetwise.data.Collection.open", lambda path: collection)
    monkeypatch.setattr("facetwise.training.fit", fit, raising=False)
    monkeypatch.setattr("facetwise.evaluation.evaluate", evaluate, raising=False)
    monkeypatch.setattr("facetwise.models.load", lambda path: f"model of {path}", raising=False)
    monkeypatch.setattr("facetwise.search.Index", Index)
    monkeypatch.setattr("facetwise.search.export.export_vectors", export_vectors)
    return seen


def test_fit_passes_its_options_on(trains, capsys):
    words = ["fit", "shop.collection", "--recipe", "my.toml", "--seed", "3", "--json"]
    words += ["--overwrite", "--set", "sets.training.steps=3", "--set", "sets.model=vse"]
    assert main(words) == 0
    (_, named) = trains["fitted"]
    assert named == {
        "recipe": "my.toml",
        "out": Path("runs/shop"),
        "overrides": {"sets.training.steps": 3, "sets.model": "vse"},
        "seed": 3,
        "overwrite": True,
    }
    assert json.loads(capsys.readouterr().out)["run"] == str(Path("runs/shop"))


def test_fit_says_what_to_type_next(trains, capsys):
    assert main(["fit", "shop.collection", "--out", "runs/mine"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "facetwise index runs/mine shop.collection --out shop.index" in captured.err


def test_evaluate_prints_a_table_or_json(trains, capsys):
    words = ["evaluate", "runs/shop", "--collection", "shop.collection"]
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"rsum": 250.5}
    assert main([*words, "--split", "test"]) == 0
    assert "rsum 250.5" in capsys.readouterr().out
    assert trains["evaluated"][1] == {"split": "test", "rerank": None, "depth": 100}


def test_index_is_named_after_the_collection(trains, capsys):
    assert main(["index", "runs/shop", "shop.collection", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"index": "shop.index", "items": 7}
    assert trains["built"][2:] == (Path("shop.index"), False)
    assert main(["index", "runs/shop", "shop.collection", "--out", "x", "--overwrite"]) == 0
    assert trains["built"][2:] == (Path("x"), True)
    assert "facetwise search x" in capsys.readouterr().err


def test_export_says_how_many(trains, capsys):
    assert main(["export", "shop.index", "--out", "v.parquet", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"file": "v.parquet", "items": 7}
    assert trains["exported"] == ((Path("shop.index"), Path("v.parquet")), {"overwrite": False})
