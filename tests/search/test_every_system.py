"""Every image-text system of the package, untrained: indexed, searched and explained alike."""

from __future__ import annotations

import pytest
import torch

from facetwise.encoders import EncoderConfig, Encoders, image_features
from facetwise.evaluation.image_text import image_text, matches
from facetwise.evaluation.rerank import Reranked, pair_scorer
from facetwise.models import SET_SYSTEMS, Model, build_sets
from facetwise.search import Index
from facetwise.similarity import score_matrix, score_pairs


@pytest.fixture(scope="module", params=SET_SYSTEMS)
def system(request, collection):
    encoders = Encoders(EncoderConfig(pixels=32, components=16))
    features = image_features(collection, encoders.images, range(len(collection)))
    _, config = SET_SYSTEMS[request.param]
    sets = build_sets(config(dim=16), encoders, torch.Generator().manual_seed(0))
    sets.fit_statistics(features)
    return Model(encoders, sets=sets, pairs=None, name=request.param)


@pytest.fixture(scope="module")
def its_index(system, collection, tmp_path_factory):
    return Index.build(system, collection, tmp_path_factory.mktemp("system") / "shapes.index")


@pytest.mark.parametrize("query", ["a red circle beside something else", "item"])
@pytest.mark.parametrize("weigh", [{}, {"colour": 3.0}])
def test_hits_are_explained_exactly(its_index, query, weigh):
    asked = its_index.item(its_index.ids[3]) if query == "item" else query
    for hit in its_index.search(asked, k=3, weigh=weigh):
        why = its_index.explain(asked, hit.id, weigh=weigh)
        assert (why.score, why.rank) == (hit.score, hit.rank)
        scale = max(1.0, abs(hit.score))
        assert sum(f.contribution for f in why.facets) == pytest.approx(hit.score, abs=3e-6 * scale)
        why.to_dict()


def test_an_opened_index_has_the_same_answers(its_index):
    again = Index.open(its_index.path)
    assert again.search("a red circle", k=5) == its_index.search("a red circle", k=5)


def test_texts_of_any_length_rank_the_same_in_every_company(system, collection):
    """A caption's scores must not depend on how long the others of its batch are."""
    x = system.embed_collection(collection, range(20)).sets
    texts = ["red", "a large red circle beside a very small blue square", "green things"]
    together = system.similarity(x, system.encode_texts(texts))
    alone = torch.cat([system.similarity(x, system.encode_texts([text])) for text in texts], 1)
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_it_can_be_either_stage_of_a_re_ranking(system, collection):
    spec = system.similarity_spec
    x = system.embed_collection(collection, range(20)).sets
    distinct, edges = matches([collection.texts[row] for row in range(20)])
    y = system.encode_texts(distinct)
    scores = score_matrix(x, y, spec)
    r, c = torch.tensor([0, 3, 19]), torch.tensor([1, 0, len(y) - 1])
    torch.testing.assert_close(score_pairs(x, y, r, c, spec), scores[r, c], atol=1e-5, rtol=1e-5)
    answers = Reranked(scores, pair_scorer(x, y, spec), depth=5)
    found = answers.ranked("t2i", range(len(y)))
    assert torch.equal(found.argmax(1), scores.T.argmax(1))
    assert 0 <= image_text(x, y, edges, spec).rsum <= 600
