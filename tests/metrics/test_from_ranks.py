import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facetwise.metrics import (
    Positives,
    average_precisions,
    first_ranks,
    map_at_r,
    map_at_r_from_ranks,
    mean_known,
    median_from_ranks,
    median_rank,
    positive_ranks,
    r_precision,
    r_precision_from_ranks,
    r_precisions,
    recall_at_k,
    recall_from_ranks,
)

GOLDEN = Positives.of(torch.tensor([[0, 0], [0, 2], [0, 3]]), 1)  # a x b c y
GOLDEN_RANKS = torch.tensor([1.0, 3.0, 4.0])


def test_golden_values_of_methods_5():
    assert map_at_r_from_ranks(GOLDEN_RANKS, GOLDEN) == pytest.approx(0.555556, abs=5e-7)
    assert r_precision_from_ranks(GOLDEN_RANKS, GOLDEN) == pytest.approx(2 / 3)


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 6),
    st.integers(1, 10),
    st.integers(2, 9),
    st.integers(0, 2**31),
    st.sampled_from(["pessimistic", "optimistic"]),
)
def test_figures_are_those_of_the_dense_metrics_also_with_ties(q, n, levels, seed, ties):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randint(levels, (q, n), generator=generator).float()
    relevant = torch.rand(q, n, generator=generator) < 0.4
    relevant[0, 0] = True
    positives = Positives.of(relevant.nonzero(), q)
    ranks = positive_ranks(scores, positives, ties=ties)
    first = first_ranks(ranks, positives)
    figures = {
        map_at_r: map_at_r_from_ranks(ranks, positives),
        r_precision: r_precision_from_ranks(ranks, positives),
        median_rank: median_from_ranks(first),
    }
    for dense, figure in figures.items():
        assert figure == pytest.approx(dense(scores, relevant, ties=ties), abs=1e-12)
    assert recall_from_ranks(first, [1, 3]) == recall_at_k(scores, relevant, [1, 3], ties=ties)


def test_missing_positives_count_in_r_and_are_misses_at_every_k():
    positives = Positives.of(torch.tensor([[0, 0], [0, 1], [1, 0]]), 3)
    ranks = torch.tensor([1.0, torch.inf, torch.inf])
    first = first_ranks(ranks, positives)
    torch.testing.assert_close(first, torch.tensor([1, torch.inf, torch.nan]), equal_nan=True)
    assert recall_from_ranks(first, 10**9) == 0.5
    assert median_from_ranks(first) == torch.inf
    assert average_precisions(ranks, positives)[:2].tolist() == [0.5, 0]
    assert r_precisions(ranks, positives)[:2].tolist() == [0.5, 0]
    assert r_precisions(ranks, positives)[2].isnan()
    assert mean_known(r_precisions(ranks, positives)) == 0.25


def test_nothing_to_measure_is_an_error():
    nothing = torch.tensor([torch.nan])
    for figure in (mean_known, median_from_ranks, recall_from_ranks):
        with pytest.raises(ValueError, match="no query has a relevant item"):
            figure(nothing)
    with pytest.raises(ValueError, match="at least 1"):
        recall_from_ranks(torch.ones(1), 0)
    with pytest.raises(ValueError, match="expected 3 ranks"):
        first_ranks(torch.ones(2), GOLDEN)
