"""The whole way with untrained models over the real encoders: what the fake model cannot show."""

import pytest
import torch

from facetwise.data.synthetic import shapes_collection
from facetwise.encoders import EncoderConfig, Encoders
from facetwise.errors import InputError, ModelMismatchError
from facetwise.models import PAN, DivEConfig, Model, PANConfig, Taught, VSEConfig, build_sets
from facetwise.search import Index


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    return shapes_collection(tmp_path_factory.mktemp("real") / "shapes.collection", n=12)


def make(collection, seed=0, kind="dive"):
    generator = torch.Generator().manual_seed(seed)
    encoders = Encoders(EncoderConfig(pixels=64))
    config = DivEConfig(dim=32, K=3, hidden=32) if kind == "dive" else VSEConfig(dim=32, hidden=32)
    sets = build_sets(config, encoders, generator)
    pairs = PAN(PANConfig(width=8), Taught.groups(collection.attribute_groups), generator)
    return Model(encoders, sets=sets, pairs=pairs, name="shapes")


@pytest.fixture(scope="module")
def index(collection, tmp_path_factory):
    path = tmp_path_factory.mktemp("real") / "shapes.index"
    Index.build(make(collection), collection, path)
    return Index.open(path)  # with the model inside


@pytest.mark.parametrize("weigh", [None, {"colour": 3, "outlined": 0}])
@pytest.mark.parametrize("kind", ["text", "picture", "item", "picture by sets"])
def test_search_and_explanation_agree(index, collection, kind, weigh):
    using = "sets" if kind.endswith("sets") else None
    query = {"text": "a red circle", "item": index.item("shape-0003")}.get(
        kind, collection.image_bytes([5])[0]
    )
    hits = index.search(query, k=12, weigh=weigh, using=using)
    for hit in (hits[0], hits[-1]):
        why = index.explain(query, hit.id, weigh=weigh, using=using)
        assert (why.score, why.rank) == (hit.score, hit.rank)
        assert sum(f.contribution for f in why.facets) == pytest.approx(hit.score, abs=1e-5)
        assert why.to_image().width > 100


def test_scores_are_the_models_own(index, collection):
    model = index.model
    x, y = model.encode_texts(["a red circle"]), model.encode_images(collection.images(range(12)))
    scores = dict(zip(collection.ids, model.similarity(x, y)[0].tolist(), strict=True))
    for hit in index.search("a red circle", k=12):
        assert hit.score == pytest.approx(scores[hit.id], abs=1e-5)


def test_a_picture_of_the_collection_finds_itself(index, collection):
    for using in ("sets", "pairs"):
        hits = index.search(collection.image_bytes([5])[0], using=using)
        assert hits[0].id == "shape-0005"


def test_a_single_vector_model_is_a_set_of_one(collection, tmp_path):
    index = Index.build(make(collection, kind="vse"), collection, tmp_path / "vse.index")
    why = index.explain("a red circle", index.search("a red circle", k=1)[0].id)
    (facet,) = why.facets
    assert facet.contribution == pytest.approx(facet.similarity, abs=1e-5)


def test_another_model_is_refused_wherever_it_comes_from(index, collection, tmp_path):
    other = make(collection, seed=1)
    with pytest.raises(ModelMismatchError):
        Index.open(index.path, other)
    Index.build(make(collection), collection, tmp_path / "a.index")
    for file in (tmp_path / "a.index" / "model").iterdir():
        file.unlink()
    with pytest.raises(InputError):
        Index.open(tmp_path / "a.index").search("a red circle")
    other.save(tmp_path / "a.index" / "model")
    with pytest.raises(ModelMismatchError, match="build the index again"):
        Index.open(tmp_path / "a.index").search("a red circle")
