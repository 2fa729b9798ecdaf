"""The rules of the house, checked over all of src: what CONTRIBUTING.md promises."""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import facetwise

SRC = Path(facetwise.__file__).parent
FILES = sorted(SRC.rglob("*.py"))

# A folder imports only from lower numbers. explain comes before search: Index.explain needs it.
ROOMS = {
    "errors": -1,  # what the other root modules raise
    "config": 0,
    "files": 0,
    "progress": 0,
    "data": 1,
    "encoders": 2,
    "heads": 3,
    "similarity": 4,
    "losses": 5,
    "models": 6,
    "training": 7,
    "metrics": 8,
    "evaluation": 9,
    "explain": 10,
    "search": 11,
    "web": 12,
    "cli": 13,
}
HEAVY = ("torch", "lancedb", "transformers", "lightning", "matplotlib", "pyarrow", "numpy", "PIL")


def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), filename=str(file))


def module_name(file: Path) -> str:
    parts = ("facetwise", *file.relative_to(SRC).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """The folder or root module that a dotted name belongs to; "" for the package itself."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def imports(file: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted name inside facetwise) of each import, also the lazy ones in functions."""
    package = module_name(file).split(".")
    if file.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "facetwise":
                    yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            if module.split(".")[0] == "facetwise":
                for alias in node.names:
                    # `from .. import data` names a room only with its alias.
                    yield node.lineno, f"{module}.{alias.name}" if module == "facetwise" else module


def dotted(node: ast.expr) -> str:
    """`torch.manual_seed` of a call's function; "" where it is no plain chain of names."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


def test_every_folder_and_root_module_has_a_number():
    there = {
        path.stem for path in SRC.iterdir() if path.suffix == ".py" and path.name != "__init__.py"
    }
    there |= {path.name for path in SRC.iterdir() if any(path.glob("*.py"))}
    assert there == set(ROOMS)


def test_folders_import_only_from_lower_numbers():
    wrong = []
    for file in FILES:
        here = room_of(module_name(file))
        if here in ("", "cli"):  # the package itself and the command line may name everything
            continue
        for line, name in imports(file):
            there = room_of(name)
            if there not in ROOMS or (here != there and ROOMS[there] >= ROOMS[here]):
                wrong.append(f"{file.relative_to(SRC)}:{line} imports {name}")
    # __version__ lives in the package itself
    assert [entry for entry in wrong if not entry.endswith("facetwise.__version__")] == []


def test_the_rule_sees_lazy_and_relative_imports(tmp_path, monkeypatch):
    file = SRC / "data" / "made_up.py"
    text = (
        "def f():\n    from ..search import Index\n    from .. import web\n    import facetwise.cli"
    )
    monkeypatch.setattr(Path, "read_text", lambda self, **_: text)
    assert [name for _, name in imports(file)] == [
        "facetwise.search",
        "facetwise.web",
        "facetwise.cli",
    ]


def test_no_module_is_longer_than_400_lines():
    lengths = {str(f.relative_to(SRC)): len(f.read_text("utf-8").splitlines()) for f in FILES}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_every_module_says_what_it_is_and_lists_what_is_public():
    wrong = []
    for file in FILES:
        body = tree(file)
        name = str(file.relative_to(SRC))
        if not ast.get_docstring(body):
            wrong.append(f"{name}: no docstring")
        listed = listed_names(body)
        if listed is None:
            defines = [n for n in body.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))]
            if defines or file.name != "__init__.py":
                wrong.append(f"{name}: no __all__")
            continue
        defined = {
            node.name
            for node in body.body
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")
        }
        for missing in sorted(defined - set(listed)):
            wrong.append(f"{name}: {missing} is public but not in __all__")
        if len(listed) != len(set(listed)):
            wrong.append(f"{name}: __all__ names something twice")
    assert wrong == []


def listed_names(body: ast.Module) -> list[str] | None:
    for node in body.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == "__all__":
            return list(ast.literal_eval(node.value))
    return None


@pytest.mark.parametrize("file", FILES, ids=[str(f.relative_to(SRC)) for f in FILES])
def test_every_name_in_all_exists(file):
    if file.name == "__main__.py":
        return
    module = importlib.import_module(module_name(file))
    assert [name for name in getattr(module, "__all__", []) if not hasattr(module, name)] == []


def test_the_public_names_are_the_contract():
    for name in ("Collection", "Index", "Model", "Hit", "fit", "load", "FacetwiseError"):
        assert name in facetwise.__all__
    assert set(facetwise.__all__) <= set(dir(facetwise))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        facetwise.nonsense  # noqa: B018


def test_no_forbidden_calls_or_imports():
    wrong = []
    for file in FILES:
        for node in ast.walk(tree(file)):
            if isinstance(node, ast.Call):
                said = forbidden(node)
            elif isinstance(node, ast.Import):
                said = unwanted([alias.name for alias in node.names])
            elif isinstance(node, ast.ImportFrom) and not node.level:
                said = unwanted([node.module or ""])
            else:
                continue
            if said:
                wrong.append(f"{file.relative_to(SRC)}:{node.lineno} {said}")
    assert wrong == []


def unwanted(modules: list[str]) -> str:
    found = {name.partition(".")[0] for name in modules} & {"pickle", "yaml", "torchvision"}
    return f"import of {', '.join(found)}" if found else ""


def forbidden(call: ast.Call) -> str:
    name = dotted(call.func)
    last = name.rpartition(".")[2]
    if name in ("torch.manual_seed", "np.random.seed", "numpy.random.seed", "random.seed"):
        return f"{name}: take an explicit generator"
    if last == "cuda" and isinstance(call.func, ast.Attribute) and name != "torch.cuda":
        return ".cuda(): devices come from tensors"
    if name == "torch.save":
        return "torch.save pickles: use safetensors"
    if name == "torch.load":
        keys = {word.arg: word.value for word in call.keywords}
        only = keys.get("weights_only")
        if not (isinstance(only, ast.Constant) and only.value is True):
            return "torch.load without weights_only=True"
    return ""


@pytest.mark.parametrize(
    "code",
    [
        "torch.manual_seed(0)",
        "np.random.seed(1)",
        "model.cuda()",
        "torch.load(p)",
        "torch.load(p, weights_only=False)",
        "torch.save(x, p)",
    ],
)
def test_the_rule_sees_forbidden_calls(code):
    assert forbidden(ast.parse(code, mode="eval").body)


def test_no_test_or_source_names_a_place_on_one_machine():
    # Written in two halves so that this file does not name them itself.
    places = ["/" + "work/", "/" + "tmp/", "/" + "root/"]
    here = Path(__file__).parent
    wrong = [
        f"{file.name}: {place}"
        for file in [*FILES, *here.rglob("*.py")]
        for place in places
        if place in file.read_text(encoding="utf-8")
    ]
    assert wrong == []


def modules_after(code: str) -> set[str]:
    """The top-level modules that are loaded once `code` has run in a fresh Python."""
    code += "\nimport sys, json; print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in json.loads(run.stderr.splitlines()[-1])}


def test_importing_facetwise_loads_nothing_heavy():
    assert modules_after("import facetwise").isdisjoint(HEAVY)


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["search", "--help"]])
def test_help_loads_nothing_heavy(words):
    code = f"from facetwise.cli.main import main; assert main({words}) == 0"
    assert modules_after(code).isdisjoint(HEAVY)
