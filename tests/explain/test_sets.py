import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facetwise.explain.facets import Word
from facetwise.explain.sets import SHARES, slot_facets, slot_shares, words_read
from facetwise.similarity import (
    SIMILARITIES,
    ContextAttention,
    ContextSimilarity,
    NamedSimilarity,
    unit,
)

V = torch.tensor([[1.0, 0.0], [0.5, math.sqrt(0.75)]])
T = torch.tensor([[math.sqrt(0.75), 0.5], [-0.5, math.sqrt(0.75)]])
C = V @ T.T


def slow_smooth_chamfer(c, alpha):
    k, n = len(c), len(c[0])
    rows = sum(math.log(sum(math.exp(alpha * v) for v in row)) for row in c)
    columns = sum(math.log(sum(math.exp(alpha * c[a][b]) for a in range(k))) for b in range(n))
    return rows / (2 * alpha * k) + columns / (2 * alpha * n)


def shares_of(c, name, **options):
    """The shares that follow from what each pair of slots has alone."""
    return SHARES[name](c.double(), NamedSimilarity(name, options))


@pytest.mark.parametrize(
    ("name", "options", "score"),
    [
        ("smooth_chamfer", {"alpha": 16}, 0.785394),
        ("smooth_chamfer", {"alpha": 1}, 1.214626),
        ("chamfer", {}, 0.774519),
        ("max_pair", {}, 0.866025),
        ("average", {}, 0.433013),
        ("match_probability", {}, 0.601959),
    ],
)
def test_shares_sum_to_the_golden_scores(name, options, score):
    alike, shares = slot_shares(V, T, NamedSimilarity(name, options))
    assert float(shares.sum()) == pytest.approx(score, abs=1e-6)
    torch.testing.assert_close(alike, C.double())


@settings(deadline=None, max_examples=30)
@given(
    k=st.integers(1, 5),
    n=st.integers(1, 5),
    alpha=st.sampled_from([1.0, 4.0, 16.0, 64.0]),
    seed=st.integers(0, 10_000),
)
def test_smooth_chamfer_shares_sum_to_a_slow_score_and_follow_a_permutation(k, n, alpha, seed):
    generator = torch.Generator().manual_seed(seed)
    c = torch.rand(k, n, generator=generator, dtype=torch.float64) * 2 - 1
    shares = shares_of(c, "smooth_chamfer", alpha=alpha)
    assert float(shares.sum()) == pytest.approx(slow_smooth_chamfer(c.tolist(), alpha), abs=1e-9)
    order = torch.randperm(k, generator=generator)
    torch.testing.assert_close(shares_of(c[order], "smooth_chamfer", alpha=alpha), shares[order])
    torch.testing.assert_close(shares_of(c.T, "smooth_chamfer", alpha=alpha), shares.T)


def test_smooth_chamfer_shares_tend_to_chamfers_for_large_alpha():
    torch.testing.assert_close(
        shares_of(C, "smooth_chamfer", alpha=1e5), shares_of(C, "chamfer"), atol=1e-4, rtol=0
    )


def test_one_slot_each_gives_the_cosine_as_its_whole_share():
    for name in SHARES:
        assert shares_of(torch.tensor([[0.3]]), name).item() == pytest.approx(0.3)


def test_tied_slots_share_alike():
    c = torch.full((2, 2), 0.5)
    for name in SHARES:
        assert torch.allclose(shares_of(c, name), shares_of(c, name)[0, 0].expand(2, 2))


ALL = [
    *(NamedSimilarity(name) for name in SIMILARITIES),
    NamedSimilarity("match_probability", {"distance": "euclidean"}),
    NamedSimilarity("gaussian_match", {"how": "inner"}),
    *(
        NamedSimilarity("cross_attention", {"direction": direction, "pooling": pooling})
        for direction in ("t-i", "i-t")
        for pooling in ("lse", "avg")
    ),
    ContextSimilarity(module=ContextAttention(8, generator=torch.Generator().manual_seed(0))),
]


@pytest.mark.parametrize("similarity", ALL, ids=lambda it: it.name)
def test_every_set_similarity_of_the_package_is_shared_out_exactly(similarity):
    generator = torch.Generator().manual_seed(0)
    k, n = (2, 2) if similarity.gaussian else (3, 4)
    query = unit(torch.randn(k, 8, generator=generator, dtype=torch.float64))
    item = unit(torch.randn(n, 8, generator=generator, dtype=torch.float64))
    alike, shares = slot_shares(query, item, similarity)
    score = similarity(item[None], query[None])  # the item is the image
    assert float(shares.sum()) == pytest.approx(float(score.detach()), abs=1e-12)
    assert alike.shape == shares.shape == ((1, 1) if similarity.gaussian else (k, n))


def test_a_word_of_cross_attention_has_its_part_from_the_regions_it_looks_at():
    regions = torch.eye(4)
    words = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]])
    found = slot_shares(words, regions, NamedSimilarity("cross_attention", {"pooling": "avg"}))
    assert found.shares.argmax(1).tolist() == [0, 2]
    assert found.shares[0].sum() == pytest.approx(found.shares[1].sum())


def test_facets_are_the_query_slots_and_look_where_their_partners_look():
    attention = torch.zeros(2, 2, 2)
    attention[0, 0, 0] = 1  # the item's first slot looks at the top left corner
    attention[1, 1, 1] = 1
    c = torch.tensor([[0.9, -0.9], [-0.9, 0.9]])
    shares = shares_of(c, "smooth_chamfer")
    facets = slot_facets(c, shares, item_attention=attention)
    assert [f.name for f in facets] == ["slot 1", "slot 2"]
    assert sum(f.contribution for f in facets) == pytest.approx(float(shares.sum()))
    assert facets[0].region[0, 0] > 0.99
    assert facets[1].region[1, 1] > 0.99
    assert facets[0].region.sum() == pytest.approx(1)
    assert facets[0].matches[0] > facets[0].matches[1]
    assert facets[0].similarity == pytest.approx(0.9)


def test_words_are_whole_and_without_special_tokens():
    tokens = ["[CLS]", "two", "snow", "##man", ",", "hats", "[SEP]"]
    attention = torch.tensor(
        [[0.5, 0.0, 0.1, 0.1, 0.1, 0.1, 0.1], [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]]
    )
    first, second = words_read(attention, tokens)
    assert [w.text for w in first] == ["snowman", "hats"] or [w.text for w in first] == ["snowman"]
    assert first[0].attention == pytest.approx(2 / 3)
    assert [(w.text, w.attention) for w in second] == [("hats", 1.0)]


def test_a_text_without_words_reads_none():
    assert words_read(torch.ones(2, 3) / 3, ["[CLS]", "!", "[SEP]"]) == [[], []]


def test_of_a_query_of_one_vector_the_items_slots_are_the_facets():
    c, shares = torch.tensor([[0.9, 0.1]]), torch.tensor([[0.7, 0.2]], dtype=torch.float64)
    looks = torch.rand(2, 3, 3, generator=torch.Generator().manual_seed(0))
    facets = slot_facets(c, shares, item_attention=looks, words=[[Word("whale", 1.0)]])
    assert [facet.name for facet in facets] == ["slot 1", "slot 2"]
    assert [facet.contribution for facet in facets] == pytest.approx([0.7, 0.2])
    assert sum(facet.weight for facet in facets) == pytest.approx(1)
    assert all(facet.words[0].text == "whale" for facet in facets)
    for facet, look in zip(facets, looks, strict=True):
        torch.testing.assert_close(facet.region, look.double())
