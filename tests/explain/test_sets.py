import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facetwise.explain.sets import SHARES, slot_facets, slot_shares, words_read
from facetwise.similarity import SIMILARITIES, unit

V = torch.tensor([[1.0, 0.0], [0.5, math.sqrt(0.75)]])
T = torch.tensor([[math.sqrt(0.75), 0.5], [-0.5, math.sqrt(0.75)]])
C = V @ T.T


def slow_smooth_chamfer(c, alpha):
    k, n = len(c), len(c[0])
    rows = sum(math.log(sum(math.exp(alpha * v) for v in row)) for row in c)
    columns = sum(math.log(sum(math.exp(alpha * c[a][b]) for a in range(k))) for b in range(n))
    return rows / (2 * alpha * k) + columns / (2 * alpha * n)


@pytest.mark.parametrize(
    ("name", "alpha", "score"),
    [
        ("smooth_chamfer", 16, 0.785394),
        ("smooth_chamfer", 1, 1.214626),
        ("chamfer", 16, 0.774519),
        ("max_pair", 16, 0.866025),
        ("average", 16, 0.433013),
    ],
)
def test_shares_sum_to_the_golden_scores(name, alpha, score):
    assert float(slot_shares(C, name, alpha=alpha).sum()) == pytest.approx(score, abs=1e-6)


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
    shares = slot_shares(c, "smooth_chamfer", alpha=alpha)
    assert float(shares.sum()) == pytest.approx(slow_smooth_chamfer(c.tolist(), alpha), abs=1e-9)
    order = torch.randperm(k, generator=generator)
    torch.testing.assert_close(slot_shares(c[order], "smooth_chamfer", alpha=alpha), shares[order])
    torch.testing.assert_close(slot_shares(c.T, "smooth_chamfer", alpha=alpha), shares.T)


def test_smooth_chamfer_shares_tend_to_chamfers_for_large_alpha():
    torch.testing.assert_close(
        slot_shares(C, "smooth_chamfer", alpha=1e5),
        slot_shares(C, "chamfer"),
        atol=1e-4,
        rtol=0,
    )


def test_one_slot_each_gives_the_cosine_as_its_whole_share():
    for name in SHARES:
        assert slot_shares(torch.tensor([[0.3]]), name).item() == pytest.approx(0.3)


def test_tied_slots_share_alike():
    c = torch.full((2, 2), 0.5)
    for name in SHARES:
        assert torch.allclose(slot_shares(c, name), slot_shares(c, name)[0, 0].expand(2, 2))


@pytest.mark.parametrize("name", SIMILARITIES)
def test_every_set_similarity_of_the_package_is_shared_out_exactly(name):
    generator = torch.Generator().manual_seed(0)
    x, y = unit(torch.randn(2, 3, 1, 8, generator=generator, dtype=torch.float64))
    single = SIMILARITIES[name](x, y)  # each slot as a set of its own
    together = SIMILARITIES[name](x.transpose(0, 1), y.transpose(0, 1))
    assert float(slot_shares(single, name).sum()) == pytest.approx(float(together), abs=1e-12)


def test_facets_are_the_query_slots_and_look_where_their_partners_look():
    attention = torch.zeros(2, 2, 2)
    attention[0, 0, 0] = 1  # the item's first slot looks at the top left corner
    attention[1, 1, 1] = 1
    c = torch.tensor([[0.9, -0.9], [-0.9, 0.9]])
    shares = slot_shares(c, "smooth_chamfer")
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
