"""An index under models whose sets are words and regions with padding, or Gaussians."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from facetwise.search import Index
from facetwise.similarity import ContextAttention, ContextSimilarity, NamedSimilarity


def words_and_regions(base, similarity):
    """The fake model with another similarity, texts of as many rows as they name colours."""

    class Model(base):
        similarity_spec = similarity

        def embed_images(self, images):
            found = super().embed_images(images)
            n = len(images)
            # A third row is padding, and so is its map.
            found.sets = torch.cat([found.sets, torch.zeros(n, 1, 9)], 1)
            found.attention = torch.cat([found.attention, torch.zeros(n, 1, 4, 4)], 1)
            return found

        def embed_texts(self, texts):
            found = super().embed_texts(texts)
            for row, tokens in enumerate(found.tokens):
                if len(tokens) == 3:  # one word: one row
                    found.sets[row, 1] = 0
                    found.attention[row] = found.attention[row][:1]
            return found

    return Model(pairs=False)


def gaussians(base, similarity):
    """The fake model's mean vectors, with a spread."""

    class Model(base):
        similarity_spec = similarity

        def embed_images(self, images):
            found = super().embed_images(images)
            mu = NamedSimilarity("average").mean_vectors(found.sets)
            sets = torch.stack([mu, torch.full_like(mu, -3)], 1)
            return SimpleNamespace(sets=sets, attention=found.attention.sum(1, True), pairs=None)

        def embed_texts(self, texts):
            found = super().embed_texts(texts)
            mu = NamedSimilarity("average").mean_vectors(found.sets)
            sets = torch.stack([mu, torch.full_like(mu, -3)], 1)
            one = [attention.mean(0, keepdim=True) for attention in found.attention]
            return SimpleNamespace(sets=sets, attention=one, tokens=found.tokens)

    return Model(pairs=False)


@pytest.fixture(
    scope="module",
    params=[
        "smooth_chamfer",
        "cross_attention t-i",
        "cross_attention i-t",
        "context_attention",
        "sampled_distance",
        "gaussian_match",
    ],
)
def other(request, make_model, collection, tmp_path_factory):
    name, *direction = request.param.split()
    if name == "context_attention":
        generator = torch.Generator().manual_seed(0)
        module = ContextAttention(9, hidden=4, generator=generator).requires_grad_(False)
        similarity = ContextSimilarity(module=module)
    else:
        options = {"direction": direction[0]} if direction else {}
        if name == "gaussian_match":  # near 1 or 0 for the start of training, 15
            options = {"scale": 2.0, "shift": 2.0}
        similarity = NamedSimilarity(name, options)
    kind = gaussians if similarity.gaussian else words_and_regions
    model = kind(make_model, similarity)
    path = tmp_path_factory.mktemp("other") / "shapes.index"
    return Index.build(model, collection, path)


@pytest.mark.parametrize("query", ["red", "a red and blue thing", "item"])
@pytest.mark.parametrize("weigh", [{}, {"colour": 3.0}])
def test_contributions_sum_to_the_score_that_search_gives(other, query, weigh):
    asked = other.item(other.ids[3]) if query == "item" else query
    hits = other.search(asked, k=5, weigh=weigh)
    assert len(hits) == 5
    for hit in hits:
        why = other.explain(asked, hit.id, weigh=weigh)
        assert why.score == hit.score
        assert why.rank == hit.rank
        assert sum(facet.contribution for facet in why.facets) == pytest.approx(hit.score, abs=2e-6)


def test_a_colour_finds_things_of_this_colour(other):
    best = other.item(other.search("red", k=1)[0].id)
    assert best.attributes["colour"] == "red"


def test_weighing_what_the_query_says_moves_those_that_have_it_to_the_front(other):
    shares = []
    for factor in (1.0, 10.0):
        hits = other.search("red", k=10, weigh={"colour": factor})
        colours = [other.item(hit.id).attributes["colour"] for hit in hits]
        shares.append(colours.count("red"))
    assert shares[1] >= shares[0]
    assert shares[1] == min(10, sum(other.item(i).attributes["colour"] == "red" for i in other.ids))


def test_an_unnamed_value_is_guessed_from_the_texts_of_values(other):
    """An item as the query: its colour must be the likeliest of the values' texts."""
    red = next(i for i in other.ids if other.item(i).attributes["colour"] == "red")
    scored = other._scorer.score(
        SimpleNamespace(kind="item", name=red, image=None),
        other.ids.index(red),
        {"colour": 3},
        None,
    )
    assert scored.terms[0].value == "red"


def test_padding_has_no_facet_and_a_gaussian_one(other):
    slots = [facet for facet in other.explain("red", other.ids[0]).facets if facet.kind == "slot"]
    # One real row in the query, so the item's two are the facets.
    assert len(slots) == (1 if other.model.similarity_spec.gaussian else 2)
    for slot in slots:
        assert [word.text for word in slot.words] == ["red"]
        assert slot.region.sum() == pytest.approx(1, abs=1e-3)
    assert "red" in str(other.explain("red", other.ids[0]))
