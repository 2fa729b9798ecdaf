import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facetwise.metrics import (
    distinct_images,
    hits_at_k,
    map_at_r,
    median_rank,
    owner_relevance,
    r_precision,
    ranks,
    recall_at_k,
    rsum,
)

TIES = ["pessimistic", "optimistic", "mean"]
every_tie_policy = pytest.mark.parametrize("ties", TIES)


def orders(scores, relevant, ties):
    """Every order (a list of relevances, best first) that the scores and the policy allow."""
    items = range(len(scores))
    found = [
        [relevant[i] for i in order]
        for order in itertools.permutations(items)
        if all(scores[a] >= scores[b] for a, b in itertools.pairwise(order))
    ]
    if ties == "mean":
        return found
    return [min(found) if ties == "pessimistic" else max(found)]


def first_rank(order):
    return order.index(True) + 1


def average_precision_at_r(order):
    r = sum(order)
    return sum(sum(order[: p + 1]) / (p + 1) for p in range(r) if order[p]) / r


def precision_at_r(order):
    return sum(order[: sum(order)]) / sum(order)


@st.composite
def small_rankings(draw):
    """Few items and fewer values, so that ties abound."""
    q, n = draw(st.integers(1, 3)), draw(st.integers(1, 5))
    values = st.lists(st.integers(0, 2), min_size=n, max_size=n)
    flags = st.lists(st.booleans(), min_size=n, max_size=n)
    scores = torch.tensor([draw(values) for _ in range(q)], dtype=torch.float32)
    relevant = torch.tensor([draw(flags) for _ in range(q)])
    relevant[0, draw(st.integers(0, n - 1))] = True
    return scores, relevant


def expectation(figure, scores, relevant, ties):
    """Of a figure of one order: per query, those without relevant items left out."""
    return [
        np.mean([figure(order) for order in orders(s, r, ties)])
        for s, r in zip(scores.tolist(), relevant.tolist(), strict=True)
        if any(r)
    ]


@every_tie_policy
@given(ranking=small_rankings(), k=st.integers(1, 6))
def test_agree_with_trying_every_order(ties, ranking, k):
    scores, relevant = ranking
    expected = expectation(first_rank, scores, relevant, ties)
    found = ranks(scores, relevant, ties=ties)
    assert found.isnan().tolist() == (~relevant.any(1)).tolist()
    np.testing.assert_allclose(found[~found.isnan()], expected)
    assert median_rank(scores, relevant, ties=ties) == pytest.approx(np.median(expected))
    hits = expectation(lambda order: any(order[:k]), scores, relevant, ties)
    assert recall_at_k(scores, relevant, k, ties=ties) == pytest.approx(np.mean(hits))
    for metric, figure in ((map_at_r, average_precision_at_r), (r_precision, precision_at_r)):
        expected = np.mean(expectation(figure, scores, relevant, ties))
        assert metric(scores, relevant, ties=ties) == pytest.approx(expected)


@every_tie_policy
@given(q=st.integers(1, 6), n=st.integers(1, 6), k=st.integers(1, 7), seed=st.integers(0, 999))
def test_index_of_the_one_relevant_item_is_short_for_a_mask(ties, q, n, k, seed):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randint(3, (q, n), generator=generator).float()
    answers = torch.randint(n, (q,), generator=generator)
    mask = torch.nn.functional.one_hot(answers, n).bool()
    assert torch.equal(ranks(scores, answers, ties=ties), ranks(scores, mask, ties=ties))
    assert torch.equal(
        hits_at_k(scores, answers, k, ties=ties), hits_at_k(scores, mask, k, ties=ties)
    )


@given(ranking=small_rankings(), k=st.integers(1, 6))
def test_tie_policies_are_ordered(ranking, k):
    scores, relevant = ranking
    for metric in (lambda *a, **t: recall_at_k(*a, k, **t), map_at_r, r_precision):
        worst, best, mean = (metric(scores, relevant, ties=ties) for ties in TIES)
        assert worst - 1e-9 <= mean <= best + 1e-9


def test_constant_scorer_finds_nothing_by_default():
    """METHODS section 8, check 8: a collapsed model must not look perfect."""
    scores, owner = torch.zeros(20, 100), torch.arange(100) // 5
    assert recall_at_k(scores, owner_relevance(owner, 20)) == 0
    assert recall_at_k(scores.T, owner) == 0
    assert rsum(scores, owner) == 0
    assert recall_at_k(scores.T, owner, ties="mean") == pytest.approx(1 / 20)
    assert rsum(scores, owner, ties="optimistic") == 600


def test_several_k_at_once():
    scores = torch.tensor([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]])
    assert recall_at_k(scores, torch.tensor([1, 2]), (1, 2, 3)) == {1: 0.0, 2: 0.5, 3: 1.0}


def test_rsum_adds_both_directions_in_percent():
    scores = torch.randn(20, 60, generator=torch.Generator().manual_seed(0))
    owner = torch.arange(60) // 3
    by_hand = 0.0
    for k in (1, 5, 10):
        top = scores.topk(k, dim=1).indices
        by_hand += 100 * (owner[top] == torch.arange(20)[:, None]).any(1).double().mean().item()
        top = scores.T.topk(k, dim=1).indices
        by_hand += 100 * (top == owner[:, None]).any(1).double().mean().item()
    assert rsum(scores, owner) == pytest.approx(by_hand)


def test_repeated_images_count_once():
    """METHODS section 8, check 8, and T-31: n images and the 5n-repeated array."""
    generator = torch.Generator().manual_seed(0)
    images, captions = (
        torch.randn(12, 8, generator=generator),
        torch.randn(60, 8, generator=generator),
    )
    owner = torch.arange(60) // 5
    repeated = images.repeat_interleave(5, 0)
    assert torch.equal(distinct_images(repeated, 60), images)
    assert torch.equal(distinct_images(images, 60), images)
    assert torch.equal(distinct_images(captions, 60), captions)
    assert rsum(distinct_images(repeated @ captions.T, 60), owner) == rsum(
        images @ captions.T, owner
    )


@given(n=st.integers(2, 8), seed=st.integers(0, 999))
def test_order_of_items_and_scale_of_scores_do_not_matter(n, seed):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randint(4, (n, n), generator=generator).float()
    order = torch.randperm(n, generator=generator)
    expected = ranks(scores, torch.arange(n))
    assert torch.equal(ranks(scores[:, order], order.argsort()), expected)
    assert torch.equal(ranks(7 * scores - 3, torch.arange(n)), expected)


def test_half_precision_ties_count_against_the_model():
    """FIELDNOTES, DivE 6: rounded scores with a strict "greater than" flatter."""
    scores = torch.tensor([[0.90001, 0.90002]])
    assert ranks(scores, torch.tensor([0])).item() == 2
    assert ranks(scores.half(), torch.tensor([0])).item() == 2
    assert ranks(scores.half(), torch.tensor([0]), ties="optimistic").item() == 1


def test_minus_infinity_takes_an_item_out():
    scores = torch.eye(3).fill_diagonal_(-torch.inf)
    scores[0, 1] = 0.5
    assert ranks(scores, torch.tensor([1, 0, 0])).tolist() == [1, 2, 2]


@pytest.mark.parametrize(
    ("scores", "relevant", "message"),
    [
        (torch.zeros(2), torch.zeros(2).long(), r"not \(2,\)"),
        (torch.zeros(0, 3), torch.zeros(0).long(), r"not \(0, 3\)"),
        (torch.zeros(2, 3), torch.zeros(3).long(), r"not torch.int64 of shape \(3,\)"),
        (torch.zeros(2, 3), torch.zeros(2, 3), r"not torch.float32 of shape \(2, 3\)"),
        (torch.zeros(2, 3), torch.tensor([0, 3]), r"0 \.\.\. 2"),
        (torch.tensor([[torch.nan, 1.0]]), torch.zeros(1).long(), "NaN"),
    ],
)
def test_input_that_does_not_fit_is_refused(scores, relevant, message):
    with pytest.raises(ValueError, match=message):
        ranks(scores, relevant)


def test_other_refusals():
    scores, nothing = torch.zeros(2, 3), torch.zeros(2, 3, dtype=torch.bool)
    for metric in (recall_at_k, median_rank, map_at_r, r_precision):
        with pytest.raises(ValueError, match="no query has a relevant item"):
            metric(scores, nothing)
    with pytest.raises(ValueError, match="'random'"):
        ranks(scores, nothing, ties="random")
    with pytest.raises(ValueError, match="at least 1"):
        recall_at_k(scores, nothing, 0)
    with pytest.raises(ValueError, match="int64"):
        owner_relevance(torch.zeros(3), 2)
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        map_at_r(scores, torch.zeros(2, dtype=torch.bool))
