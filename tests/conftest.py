from __future__ import annotations

import io
import math
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import settings
from PIL import Image
from torch import Tensor

from facetwise import Explanation, Hit, InputError
from facetwise.explain.facets import Facet, Word
from facetwise.search import IndexedItem

# The same cases on every run, and no failures because the machine was busy.
settings.register_profile("house", derandomize=True, deadline=None, max_examples=25)
settings.load_profile("house")

# Small tensors gain nothing from more threads, and two workers would fight for the cores.
torch.set_num_threads(1)


class FakeIndex:
    """An index of three things that answers at once and remembers what it was asked."""

    ids = ("a/1", "b<2>", "c 3")

    def __init__(self):
        self.about = SimpleNamespace(collection="shop <&>", sets=[2, 4], pairs=3)
        self.attributes = SimpleNamespace(
            groups=("baseColour", "gender"),
            kinds=("one", "one"),
            values={"baseColour": ("<Red>", "Blue"), "gender": ("Men",)}.__getitem__,
        )
        self.columns = ("id", "baseColour", "gender", "year")
        self.uses = ("sets", "pairs")
        self.asked = []
        self.queries = []

    def __len__(self):
        return 1234

    def steerable(self, using):
        return self.attributes.groups if using == "sets" else ("baseColour", "free 1")

    def search(self, query, k=10, *, weigh=None, where=None, using=None):
        self._ask(query, weigh, where, using, k)
        if where == "nothing = 1":
            return []
        return [Hit(id, 0.5 / rank, rank, True) for rank, id in enumerate(self.ids[:k], 1)]

    def explain(self, query, id, *, weigh=None, using=None):
        self._ask(query, weigh, None, using, None)
        facets = (
            Facet("slot 1", "slot", 0.3, similarity=0.9, weight=0.6, words=(Word("red", 0.7),)),
            Facet("slot 2", "slot", 0.2, similarity=0.4, weight=0.4, query_value="<b>"),
        )
        return Explanation("red shoe", id, "sets", 0.5, 0.5, 1, 1, facets)

    def item(self, id):
        if id not in self.ids:
            raise InputError(f"no item {id!r}; the nearest ids are a/1")
        return IndexedItem(id, texts=(f"text of {id}",), thumbnail=picture("PNG"))

    def items(self, ids):
        return [self.item(id) for id in ids]

    def _ask(self, query, weigh, where, using, k):
        if weigh and not set(weigh) <= set(self.attributes.groups):
            raise InputError(f"weigh names {sorted(weigh)}; there are baseColour, gender")
        self.queries.append(query)
        self.asked.append({"weigh": weigh, "where": where, "using": using, "k": k})


def picture(kind="PNG", size=(8, 8)):
    file = io.BytesIO()
    Image.new("RGB", size, "red").save(file, kind)
    return file.getvalue()


@pytest.fixture
def fake_index():
    return FakeIndex()


@pytest.fixture
def png_bytes():
    return picture("PNG")


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """The folder of a real data set, or a skipped test: no test needs what cannot be passed on."""

    def folder(name: str) -> Path:
        beside = Path(__file__).parents[2] / "shared" / "data"
        root = Path(os.environ.get("FACETWISE_DATA", beside))
        if not (root / name).is_dir():
            pytest.skip(f"no {name}/ in {root}; set FACETWISE_DATA to the unpacked data sets")
        return root / name

    return folder


def plane_vectors(*degrees: float) -> Tensor:
    """One set (1, K, 2) of unit vectors at these angles."""
    angles = [math.radians(d) for d in degrees]
    return torch.tensor([[[math.cos(a), math.sin(a)] for a in angles]], dtype=torch.float64)


@pytest.fixture
def golden_v():
    """METHODS 2.5: V, at 0 and 60 degrees."""
    return plane_vectors(0, 60)


@pytest.fixture
def golden_t():
    """METHODS 2.5: T, at 30 and 120 degrees."""
    return plane_vectors(30, 120)
