import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facetwise.search import scan
from facetwise.search.scan import best, pair_conditions, scan_pairs, scan_sets, tidy
from facetwise.similarity import SIMILARITIES, ConditionalSimilarity, NamedSimilarity, unit


@settings(deadline=None, max_examples=50)
@given(
    scores=st.lists(st.sampled_from([0.0, 0.25, 0.5, -1.0]), min_size=1, max_size=12),
    k=st.integers(1, 15),
    seed=st.integers(0, 99),
)
def test_best_is_a_sort_by_score_and_then_by_order(scores, k, seed):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(scores), generator=generator)
    among = torch.nonzero(torch.rand(len(scores), generator=generator) < 0.7).flatten()
    slow = sorted(among.tolist(), key=lambda row: (-scores[row], int(order[row])))[:k]
    assert best(torch.tensor(scores), order, k, among) == slow
    slow = sorted(range(len(scores)), key=lambda row: (-scores[row], int(order[row])))[:k]
    assert best(torch.tensor(scores), order, k) == slow


@pytest.mark.parametrize("name", SIMILARITIES)
def test_scanning_sets_in_tiles_gives_the_scores_of_one_product(name, monkeypatch):
    similarity = NamedSimilarity(name)
    generator = torch.Generator().manual_seed(0)
    k, n = (2, 2) if similarity.gaussian else (3, 4)
    x = unit(torch.randn(k, 8, generator=generator))
    y = unit(torch.randn(10, n, 8, generator=generator))
    whole = similarity(y, x[None])[:, 0]  # the items are the images
    torch.testing.assert_close(scan_sets(x, y.split(3), similarity), whole)
    monkeypatch.setattr(scan, "_FLOATS", 25)
    torch.testing.assert_close(scan_sets(x, y.split(7), similarity), whole)


@pytest.mark.parametrize("name", ["smooth_chamfer", "max_pair", "cross_attention"])
def test_padding_of_query_and_items_is_not_compared(name):
    similarity = NamedSimilarity(name)
    generator = torch.Generator().manual_seed(0)
    x = unit(torch.randn(3, 8, generator=generator))
    y = unit(torch.randn(5, 4, 8, generator=generator))
    whole = scan_sets(x, [y], similarity)
    short = scan_sets(x, [y[:1, :2]], similarity)
    x, y = torch.cat([x, torch.zeros(1, 8)]), torch.cat([y, torch.zeros(5, 2, 8)], 1)
    torch.testing.assert_close(scan_sets(x, [y], similarity), whole)
    y[0, 2:] = 0
    torch.testing.assert_close(scan_sets(x, [y], similarity)[:1], short)
    masks = [similarity.real(y)]
    torch.testing.assert_close(scan_sets(x, [y], similarity, masks)[1:], whole[1:])


def test_scanning_pairs_gives_the_scores_and_conditions_of_each_pair():
    generator = torch.Generator().manual_seed(0)
    pan = ConditionalSimilarity(6, 3, init="xavier", generator=generator)
    h, gallery = torch.randn(6, generator=generator), torch.randn(9, 6, generator=generator)
    with torch.no_grad():
        slow = pan(h.expand_as(gallery), gallery)
    torch.testing.assert_close(scan_pairs(h, gallery, pan), slow.score)
    torch.testing.assert_close(pair_conditions(h, gallery, pan), slow.conditions)


def test_scores_that_differ_in_the_last_digit_of_float32_tie():
    close = torch.tensor([0.8412345, 0.8412345 + 6e-8])
    assert close[0] != close[1]
    assert tidy(close)[0] == tidy(close)[1]
