from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facetwise.metrics import Positives, first_places
from facetwise.metrics.bounded import bounded_first_ranks


def case(seed: int, queries: int, items: int, error: float, *, levels: int = 0):
    g = torch.Generator().manual_seed(seed)
    exact = torch.rand(queries, items, generator=g)
    if levels:
        exact = (exact * levels).round() / levels  # many ties
    q_error = error * torch.rand(queries, generator=g)
    n_error = error * torch.rand(items, generator=g)
    wrong = exact + (2 * torch.rand(exact.shape, generator=g) - 1) * 0.999 * (
        q_error[:, None] + n_error
    )
    count = int(torch.randint(1, 2 * queries + 1, (1,), generator=g))
    edges = torch.stack(
        [
            torch.randint(queries, (count,), generator=g),
            torch.randint(items, (count,), generator=g),
        ],
        dim=1,
    )
    return exact, wrong, q_error, n_error, Positives.of(edges, queries)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    queries=st.integers(1, 8),
    items=st.integers(1, 30),
    error=st.sampled_from([0.0, 0.01, 0.2, 2.0]),
    levels=st.sampled_from([0, 3, 10]),
    k=st.sampled_from([1, 3, 10]),
    ties=st.sampled_from(["pessimistic", "optimistic"]),
)
def test_ranks_up_to_k_are_those_of_the_exact_scores(seed, queries, items, error, levels, k, ties):
    exact, wrong, q_error, n_error, positives = case(seed, queries, items, error, levels=levels)
    found = bounded_first_ranks(
        wrong, q_error, n_error, positives, lambda q, i: exact[q, i], k=k, ties=ties
    )
    true = first_places(exact, positives).ranks(ties)
    expected = torch.where(true <= k, true, torch.inf).masked_fill(true.isnan(), torch.nan)
    assert torch.equal(found.nan_to_num(nan=-1.0), expected.nan_to_num(nan=-1.0))


def test_a_transposed_view_is_ranked_as_it_is():
    exact, wrong, q_error, n_error, positives = case(3, 6, 20, 0.1)
    asked = bounded_first_ranks(
        wrong.T.contiguous().T, q_error, n_error, positives, lambda q, i: exact[q, i]
    )
    plain = bounded_first_ranks(wrong, q_error, n_error, positives, lambda q, i: exact[q, i])
    assert torch.equal(asked.nan_to_num(), plain.nan_to_num())


def test_only_what_is_close_is_scored_again():
    scores = torch.linspace(1, 0, 1000).expand(3, 1000)
    positives = Positives.of(torch.tensor([[0, 0], [1, 5], [2, 900]]), queries=3)
    asked: list[int] = []

    def exact(q: torch.Tensor, i: torch.Tensor) -> torch.Tensor:
        asked.append(len(q))
        return scores[q, i]

    error = torch.full((3,), 0.001), torch.full((1000,), 0.001)
    found = bounded_first_ranks(scores, *error, positives, exact)
    assert found.tolist() == [1.0, 6.0, float("inf")]
    assert sum(asked) < 15  # three positives, and the neighbours of two


def test_mean_ties_and_errors_of_another_shape_are_refused():
    _, wrong, q_error, n_error, positives = case(0, 3, 5, 0.1)
    with pytest.raises(ValueError, match="no mean ranks"):
        bounded_first_ranks(wrong, q_error, n_error, positives, lambda q, i: q, ties="mean")
    with pytest.raises(ValueError, match="do not fit"):
        bounded_first_ranks(wrong, n_error, q_error, positives, lambda q, i: q)
