"""A tiny deterministic model over the shapes: colours of the left and right half of a picture."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from facetwise.data.images import decode
from facetwise.data.synthetic import shapes_collection
from facetwise.search import Index
from facetwise.similarity import ConditionalSimilarity, NamedSimilarity, unit

PALETTE = {
    "red": (214, 40, 40),
    "blue": (38, 84, 200),
    "green": (44, 150, 62),
    "yellow": (245, 205, 30),
    "purple": (128, 60, 160),
    "black": (25, 25, 25),
    "white": (255, 255, 255),
    "grey": (190, 190, 190),
    "pink": (250, 205, 215),
}
NAMES = list(PALETTE)


@dataclass(frozen=True)
class Condition:
    name: str
    group: str | None


class FakeModel:
    """K = 2 slots (halves of a picture, colour words of a text), D = 9 colours, d = 9."""

    similarity_spec = NamedSimilarity("smooth_chamfer")

    def __init__(self, seed=0, sets=True, pairs=True):
        self.fingerprint = hashlib.blake2b(f"fake {seed} {sets} {pairs}".encode()).hexdigest()
        self._sets = sets
        self.conditions = ()
        self.pair_similarity = None
        if pairs:
            self.conditions = (
                Condition("colour", "colour"),
                Condition("shape", "shape"),
                Condition("free 1", None),
            )
            generator = torch.Generator().manual_seed(seed)
            self.pair_similarity = ConditionalSimilarity(9, 3, generator=generator).requires_grad_(
                False
            )
            self.pair_similarity.W1 *= torch.rand(3, 9, generator=generator) + 0.5
            self.pair_similarity.W2 += 0.5 * torch.randn(3, 9, generator=generator)
        self.encoded = 0

    def embed_images(self, images):
        self.encoded += len(images)
        halves = torch.stack([self._halves(self._rgb(image)) for image in images])
        attention = torch.zeros(len(images), 2, 4, 4)
        attention[:, 0, :, :2] = attention[:, 1, :, 2:] = 1 / 8
        sets = unit(halves) if self._sets else None
        return SimpleNamespace(
            sets=sets,
            attention=attention if self._sets else None,
            pairs=unit(halves.sum(1)) if self.pair_similarity else None,
        )

    def embed_collection(self, collection, rows):
        return self.embed_images(collection.images(rows))

    def embed_texts(self, texts):
        tokens = [["[CLS]", *text.lower().split(), "[SEP]"] for text in texts]
        attention = [torch.zeros(2, len(t)) for t in tokens]
        sets = torch.full((len(texts), 2, 9), 0.1)
        for n, words in enumerate(tokens):
            places = [i for i, word in enumerate(words) if word in NAMES] or [1]
            for slot, place in enumerate((places[0], places[-1])):
                attention[n][slot, place] = 1
                if words[place] in NAMES:
                    sets[n, slot, NAMES.index(words[place])] += 1
        return SimpleNamespace(sets=unit(sets), attention=attention, tokens=tokens)

    def encode_texts(self, texts):
        return self.embed_texts(texts).sets

    def pair_scores(self, h1, h2):
        return self.pair_similarity(h1, h2)

    def agreeing(self, pair):
        return pair.conditions > 0.5

    def save(self, path):
        Path(path).mkdir()
        (Path(path) / "model.txt").write_text(self.fingerprint)

    def _rgb(self, image):
        return image if hasattr(image, "convert") else decode(Path(image).read_bytes(), source="")

    def _halves(self, image):
        pixels = torch.tensor(list(image.convert("RGB").resize((16, 16)).tobytes())).view(16, 16, 3)
        palette = torch.tensor(list(PALETTE.values())).float()
        nearest = torch.cdist(pixels.float().view(-1, 3), palette).argmin(1).view(16, 16)
        halves = torch.stack([nearest[:, :8].flatten(), nearest[:, 8:].flatten()])
        return torch.nn.functional.one_hot(halves, 9).float().sum(1).sqrt()


@pytest.fixture(scope="session")
def make_model():
    return FakeModel


@pytest.fixture(scope="session")
def model():
    return FakeModel()


@pytest.fixture(scope="session")
def collection(tmp_path_factory):
    return shapes_collection(tmp_path_factory.mktemp("data") / "shapes.collection", n=90)


@pytest.fixture(scope="session")
def index(tmp_path_factory, model, collection):
    return Index.build(model, collection, tmp_path_factory.mktemp("index") / "shapes.index")
