import runpy
from pathlib import Path

MAKER = runpy.run_path(str(Path(__file__).with_name("recipe_tables.py")))


def test_the_tables_of_recipes_are_those_of_the_code():
    text = MAKER["DOCUMENT"].read_text(encoding="utf-8")
    assert MAKER["tables"](text) == text, "run: python tests/recipe_tables.py"
