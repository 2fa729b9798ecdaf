"""`encoders.colour = true` the whole way: trained, kept, opened, indexed, searched, explained."""

from __future__ import annotations

import pytest
import torch

from facetwise.encoders.colour import BINS
from facetwise.encoders.lite import PARTS
from facetwise.models import load
from facetwise.search import Index
from facetwise.training import fit

from .conftest import QUICK, SMALL, tiny


@pytest.fixture(scope="module")
def run(shapes, tmp_path_factory):
    """Of both models, with colours."""
    out = tmp_path_factory.mktemp("colour") / "run"
    recipe = tiny(encoders={**SMALL["encoders"], "colour": True}, sets=QUICK)
    return fit(shapes, out=out, recipe=recipe), out


def test_the_histogram_is_a_part_of_what_the_pair_model_sees(run):
    model, _ = run
    assert model.image_encoder.parts == (*PARTS, BINS)
    assert model.pairs.head.weight.shape[1] == sum(PARTS) + BINS
    assert len(model.pairs.features.norm.weights) == len(PARTS) + 1
    assert model.pairs.features.norm.std[-BINS:].unique().numel() > 1  # of the training pictures


def test_what_is_loaded_sees_the_same_colours(run, shapes):
    model, out = run
    opened = load(out)
    assert opened.encoders.config.colour and opened.fingerprint == model.fingerprint
    rows = range(20)
    kept, again = (m.embed_collection(shapes, rows) for m in (model, opened))
    assert torch.equal(kept.pairs, again.pairs) and torch.equal(kept.sets, again.sets)
    # and of a picture itself, as in the collection
    fresh = opened.embed_images(shapes.images(rows))
    torch.testing.assert_close(fresh.pairs, kept.pairs, atol=1e-4, rtol=0)


def test_it_is_indexed_searched_and_explained(run, shapes, tmp_path):
    model, out = run
    Index.build(load(out), shapes, tmp_path / "shapes.index")
    index = Index.open(tmp_path / "shapes.index")
    query = shapes.image_bytes([5])[0]
    for weigh in (None, {"colour": 3.0}):
        hits = index.search(query, k=4, using="pairs", weigh=weigh)
        assert hits[0].id == shapes.ids[5]
        for hit in hits:
            why = index.explain(query, hit.id, using="pairs", weigh=weigh)
            assert (why.score, why.rank) == (hit.score, hit.rank)
            added = sum(facet.contribution for facet in why.facets)
            assert added == pytest.approx(hit.score, abs=1e-5)
    assert len(index.search("a red circle", k=3)) == 3
    h = model.embed_collection(shapes).pairs
    expected = model.pairs.against(h[5:6], h)[0]
    found = {hit.id: hit.score for hit in index.search(query, k=len(shapes), using="pairs")}
    scores = torch.tensor([found[id] for id in shapes.ids])
    torch.testing.assert_close(scores, expected, atol=1e-3, rtol=0)
