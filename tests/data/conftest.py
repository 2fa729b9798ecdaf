from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from facetwise.data.synthetic import shapes_collection


def encoded(colour="red", size=(8, 6), kind="PNG", mode="RGB", **options):
    """A picture file's bytes."""
    file = io.BytesIO()
    Image.new(mode, size, colour).save(file, kind, **options)
    return file.getvalue()


def colour(number):
    return (number * 37 % 256, number * 59 % 256, number * 83 % 256)


class Shop:
    """A folder to fill with pictures and tables."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.out = root.parent / "out.collection"
        root.mkdir()

    def picture(self, name, data=None):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(colour(len(list(self.root.rglob("*"))))) if data is None else data)
        return path

    def pictures(self, *names):
        for name in names:
            self.picture(name)

    def csv(self, text, name="styles.csv", encoding="utf-8"):
        (self.root / name).write_bytes(text.encode(encoding))

    def jsonl(self, *rows, name="styles.jsonl"):
        (self.root / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path / "shop")


@pytest.fixture(scope="session")
def shapes_120(tmp_path_factory):
    """120 shapes; tests read it only."""
    return shapes_collection(tmp_path_factory.mktemp("shapes") / "shapes.collection")


@pytest.fixture
def picture_bytes():
    return encoded
