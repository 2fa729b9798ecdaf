"""The command line: finds the command, runs it, and turns what goes wrong into one line."""

from __future__ import annotations

import errno
import inspect
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any, ClassVar, Protocol, Union, cast

import tyro

from .. import __version__
from ..errors import FacetwiseError
from ..files import disk_is_full

__all__ = ["COMMANDS", "Command", "main", "parse"]

# The words that are typed, and the dataclass behind them; only the module of the command that is
# asked for is imported.
COMMANDS = {
    "demo": "demo.Demo",
    "data get": "getting.Get",
    "data import": "data.Import",
    "data inspect": "data.Inspect",
    "fit": "fit.Fit",
    "evaluate": "evaluate.Evaluate",
    "index": "index.BuildIndex",
    "search": "search.Search",
    "explain": "explain.Explain",
    "serve": "serve.Serve",
    "bench demo": "bench.BenchDemo",
    "bench image-text": "bench_image_text.BenchImageText",
    "bench attributes": "bench_attributes.BenchAttributes",
    "export": "export.Export",
}
GROUPS = frozenset(name.partition(" ")[0] for name in COMMANDS if " " in name)

ABOUT = """Similarity, facet by facet: learn it, measure it, search by it, explain it.

Example:
    facetwise demo                                           # everything once, on real data
    facetwise data import shop/ --out shop.collection        # your own pictures and table
    facetwise fit shop.collection --out runs/shop
    facetwise index runs/shop shop.collection --out shop.index
    facetwise search shop.index "red sports shoe"

`facetwise COMMAND --help` shows a command's options and an example,
`facetwise --version` the version."""

CONFIG = (tyro.conf.FlagCreatePairsOff, tyro.conf.OmitArgPrefixes)


class Command(Protocol):
    """What a command is: options as fields, and what it does with them."""

    interrupted: ClassVar[str]  # what Ctrl-C keeps, as the end of a sentence

    def run(self) -> int:
        """Do it; 0 is well, 1 nothing found or a check that failed."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`.

    Returns:
        The exit code: 0 well, 1 nothing found or a check failed, 2 bad input, 130 interrupted.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    # Threads that wait by spinning double a step's time as soon as another process wants a core.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if arguments and arguments[0] in ("--version", "-V"):
        print(f"facetwise {__version__}")
        return 0
    try:
        command = parse(arguments)
    except SystemExit as stop:  # tyro has printed help or what is wrong with the options
        return int(stop.code or 0)
    try:
        code = command.run()
        sys.stdout.flush()
        return code
    except FacetwiseError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        _fail(f"interrupted; {command.interrupted}", word="stopped")
        return 130
    except BrokenPipeError:
        # The reader (`| head`) has what it wanted. Python would complain once more at exit.
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        return 0
    except OSError as error:
        if disk_is_full(error):
            return _fail("the disk is full; what was stored before is untouched, free some space")
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            why = "no permission" if isinstance(error, PermissionError) else "read-only"
            return _fail(f"{_shown(error.filename)}: {why}; choose a place that you may use")
        if isinstance(error, NotADirectoryError | IsADirectoryError | FileExistsError):
            return _fail(f"{_shown(error.filename)}: {error.strerror}; choose another place")
        raise


def parse(arguments: Sequence[str]) -> Command:
    """The command that `arguments` ask for, with its options filled in.

    Raises:
        SystemExit: help was asked for (0), or no command or a wrong option was given (2).
    """
    for words in (2, 1):
        name = " ".join(arguments[:words])
        if name in COMMANDS:
            return cast(Command, _parse_one(name, list(arguments[words:])))
    group = next((word for word in arguments[:1] if word in GROUPS), "")
    return cast(Command, _parse_level(group, list(arguments[1:] if group else arguments)))


def _parse_one(name: str, arguments: list[str]) -> Any:
    command = _load(name)
    return tyro.cli(
        command,
        prog=f"facetwise {name}",
        description=inspect.getdoc(command),
        args=arguments,
        config=CONFIG,
    )


def _parse_level(group: str, arguments: list[str]) -> Any:
    """List the commands (of `group`), each with the first line of what it says of itself."""
    prefix = f"{group} " if group else ""
    choices = []
    for name in COMMANDS:
        if name.startswith(prefix):
            command = _load(name)
            summary = (inspect.getdoc(command) or "").partition("\n")[0]
            word = tyro.conf.subcommand(name.removeprefix(prefix), description=summary)
            choices.append(Annotated[command, word])
    about = f"`facetwise {group}` has these commands; each shows an example with --help."
    return tyro.cli(
        cast(Any, Union[tuple(choices)]),  # noqa: UP007 (built at run time)
        prog=f"facetwise {group}".strip(),
        description=about if group else ABOUT,
        args=arguments or ["--help"],
        config=CONFIG,
    )


def _load(name: str) -> type[Any]:
    module, _, command = COMMANDS[name].rpartition(".")
    return cast("type[Any]", getattr(import_module(f"facetwise.cli.{module}"), command))


def _shown(name: object) -> str:
    """The file that an error names; of our own temporary ones (beside the real ones) the folder."""
    path = os.path.abspath(str(name))
    hidden = os.path.basename(path).startswith(".")
    return os.path.dirname(path) if hidden else str(name)


def _fail(message: str, word: str = "error") -> int:
    print(f"{word}: {' '.join(message.split())}", file=sys.stderr, flush=True)
    return 2


if __name__ == "__main__":
    sys.exit(main())
