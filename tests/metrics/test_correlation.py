import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from facetwise.metrics import bootstrap_spearman, kendall_tau, rank_correlations, spearman


def slow_taus(x, y):
    """tau-b and tau-c by their definitions, over all pairs."""
    n = len(x)
    agree, tied_x, tied_y = 0, 0, 0
    for i in range(n):
        for j in range(i):
            agree += np.sign(x[i] - x[j]) * np.sign(y[i] - y[j])
            tied_x += x[i] == x[j]
            tied_y += y[i] == y[j]
    pairs = n * (n - 1) / 2
    m = min(len(set(x)), len(set(y)))
    return agree / math.sqrt((pairs - tied_x) * (pairs - tied_y)), 2 * agree * m / (n**2 * (m - 1))


def slow_ranks(x):
    return np.array([sum(b < a for b in x) + (sum(b == a for b in x) + 1) / 2 for a in x])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), min_size=2, max_size=20))
def test_correlations_are_their_definitions(values):
    x, y = ([float(v[n]) for v in values] for n in range(2))
    found = rank_correlations(torch.tensor(x), torch.tensor(y))
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert all(math.isnan(value) for value in found)
        return
    assert (found.tau_b, found.tau_c) == pytest.approx(slow_taus(x, y), abs=1e-12)
    assert found.spearman == pytest.approx(np.corrcoef(slow_ranks(x), slow_ranks(y))[0, 1])
    assert found.spearman == pytest.approx(stats.spearmanr(x, y).statistic)


def test_golden_values_worked_by_hand():
    # 6 pairs: 4 agree, 1 is tied on the left, 1 on the right.
    x, y = torch.tensor([0.1, 0.2, 0.2, 0.9]), torch.tensor([1.0, 1.0, 2.0, 3.0])
    found = rank_correlations(x, y)
    assert found.tau_b == pytest.approx(4 / 5)
    assert found.tau_c == pytest.approx(2 * 4 * 3 / (16 * 2))
    assert found.spearman == pytest.approx(4.25 / 4.5 - 0.5 / 4.5)


def test_order_is_all_that_counts():
    x = torch.randn(50, generator=torch.Generator().manual_seed(0)).double()
    y = (x + torch.randn(50, generator=torch.Generator().manual_seed(1))).round()
    found, other = rank_correlations(x, y), rank_correlations(x.exp(), y * 3 - 7)
    assert found == pytest.approx(other)
    assert rank_correlations(-x, y) == pytest.approx([-value for value in found])


@pytest.mark.parametrize("call", [spearman, kendall_tau])
def test_what_has_no_order_is_refused(call):
    with pytest.raises(ValueError, match="expected scores"):
        call(torch.ones(3), torch.ones(2))
    with pytest.raises(ValueError, match="expected scores"):
        call(torch.ones(1), torch.ones(1))
    with pytest.raises(ValueError, match="NaN"):
        call(torch.tensor([1.0, torch.nan]), torch.ones(2))
    with pytest.raises(ValueError, match="variant"):
        kendall_tau(torch.arange(3.0), torch.arange(3.0), variant="a")


def judged(queries=60, seed=0):
    generator = torch.Generator().manual_seed(seed)
    counts = torch.randint(1, 5, (queries,), generator=generator)
    query = torch.repeat_interleave(torch.arange(queries), counts)
    judgements = torch.randint(0, 11, (len(query),), generator=generator) / 2
    return judgements + torch.randn(len(query), generator=generator), judgements, query


def test_the_bootstrap_is_that_of_a_slow_twin():
    scores, judgements, queries = judged()
    found = bootstrap_spearman(scores, judgements, queries, resamples=600)
    lots = np.random.default_rng(0)
    own = [(queries == q).nonzero().squeeze(1).numpy() for q in range(60)]
    slow = []
    for _ in range(600):
        pairs = [lots.choice(own[q]) for q in lots.choice(60, 30, replace=False)]
        slow.append(stats.spearmanr(scores[pairs], judgements[pairs]).statistic)
    assert found.mean == pytest.approx(np.mean(slow), abs=4 * np.std(slow) / 600**0.5 * 2**0.5)
    assert found.std == pytest.approx(np.std(slow), rel=0.15)


def test_the_bootstrap_draws_half_of_the_queries_and_one_pair_of_each(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "facetwise.metrics.correlation._pearson",
        lambda x, y: seen.append(x) or torch.zeros(len(x)),
    )
    monkeypatch.setattr("facetwise.metrics.correlation._mean_ranks", lambda values: values)
    queries = torch.arange(30) // 3
    bootstrap_spearman(torch.arange(30.0), torch.zeros(30), queries, resamples=400)
    drawn = torch.cat(seen).long()
    assert drawn.shape == (400, 5)
    assert all(len(set((row // 3).tolist())) == 5 for row in drawn)
    share = drawn.flatten().bincount(minlength=30) / (400 * 5 / 30)
    assert share.min() > 0.6
    assert share.max() < 1.4


def test_the_bootstrap_does_not_hang_on_tiles_or_on_the_order_of_pairs(monkeypatch):
    scores, judgements, queries = judged()
    one = bootstrap_spearman(scores, judgements, queries, resamples=100)
    assert bootstrap_spearman(scores, judgements, queries, resamples=100) == one
    names = queries * 7 + 1000  # numbers with gaps
    assert bootstrap_spearman(scores, judgements, names, resamples=100) == one
    order = torch.randperm(len(queries), generator=torch.Generator().manual_seed(0))
    parts = [t[order] for t in (scores, judgements, queries)]
    assert bootstrap_spearman(*parts, resamples=4000).mean == pytest.approx(
        bootstrap_spearman(scores, judgements, queries, resamples=4000).mean, abs=0.01
    )
    monkeypatch.setattr("facetwise.metrics.correlation._TILE", 500)
    tiled = bootstrap_spearman(scores, judgements, queries, resamples=4000)
    assert tiled.mean == pytest.approx(one.mean, abs=0.05)


def test_the_bootstrap_needs_queries():
    ten = torch.arange(10.0)
    with pytest.raises(ValueError, match="at least 4 queries"):
        bootstrap_spearman(ten, ten, torch.arange(10) % 3)
    with pytest.raises(ValueError, match="queries must be"):
        bootstrap_spearman(ten, ten, torch.arange(9))
    with pytest.raises(ValueError, match="resamples"):
        bootstrap_spearman(ten, ten, torch.arange(10), resamples=1)
    assert math.isnan(bootstrap_spearman(ten, torch.ones(10), torch.arange(10)).mean)
