import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facetwise.search.scan import best, pair_conditions, scan_pairs, scan_sets, tidy
from facetwise.similarity import ConditionalSimilarity, smooth_chamfer, unit


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


def test_scanning_sets_in_tiles_gives_the_scores_of_one_product():
    generator = torch.Generator().manual_seed(0)
    x = unit(torch.randn(3, 8, generator=generator))
    y = unit(torch.randn(10, 4, 8, generator=generator))
    whole = smooth_chamfer(x[None], y)[0]
    torch.testing.assert_close(scan_sets(x, y.split(3), smooth_chamfer), whole)


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
