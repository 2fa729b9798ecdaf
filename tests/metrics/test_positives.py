import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facetwise.metrics import Positives, first_places, positive_ranks, ranks


def table(positives: Positives, items: int) -> torch.Tensor:
    out = torch.zeros(len(positives), items, dtype=torch.bool)
    out[positives.queries, positives.items] = True
    return out


def slow_ranks(scores, positives, ties):
    """A sort of each query's items: by score, the tie rule, then the number."""
    found = {}
    relevant = table(positives, scores.shape[1])
    for query, row in enumerate(scores.tolist()):
        good = relevant[query].tolist()
        side = [x if ties == "pessimistic" else not x for x in good]
        order = sorted(range(len(row)), key=lambda n: (-row[n], side[n], n))
        for rank, item in enumerate(order, 1):
            found[query, item] = float(rank)
    edges = zip(positives.queries.tolist(), positives.items.tolist(), strict=True)
    return [found[edge] for edge in edges]


@st.composite
def questions(draw):
    q, n = draw(st.integers(1, 6)), draw(st.integers(1, 9))
    row = st.lists(st.sampled_from([-1.0, 0.0, 0.25, 2.0, float("-inf")]), min_size=n, max_size=n)
    scores = torch.tensor(draw(st.lists(row, min_size=q, max_size=q)))
    edge = st.tuples(st.integers(0, q - 1), st.integers(0, n - 1))
    edges = torch.tensor(draw(st.lists(edge, max_size=20)), dtype=torch.long).view(-1, 2)
    return scores, Positives.of(edges, q)


@settings(max_examples=150, deadline=None)
@given(questions(), st.sampled_from(["pessimistic", "optimistic"]))
def test_ranks_are_those_of_a_slow_sort(case, ties):
    scores, positives = case
    assert positive_ranks(scores, positives, ties=ties).tolist() == slow_ranks(
        scores, positives, ties
    )


@settings(max_examples=150, deadline=None)
@given(questions(), st.sampled_from(["pessimistic", "optimistic", "mean"]))
def test_first_places_are_those_of_the_dense_metrics(case, ties):
    scores, positives = case
    found = first_places(scores, positives)
    dense = ranks(scores, table(positives, scores.shape[1]), ties=ties)
    torch.testing.assert_close(found.ranks(ties), dense, equal_nan=True)
    differ = found.ranks("pessimistic") != found.ranks("optimistic")
    assert torch.equal(found.tied, differ & (positives.counts > 0))


def test_a_transposed_view_gives_the_same_as_its_copy():
    scores = torch.randint(0, 50, (40, 60), generator=torch.Generator().manual_seed(0)).float()
    owner = torch.randint(0, 40, (60,), generator=torch.Generator().manual_seed(1))
    up = Positives.of_owner(owner, 40).flipped(60)
    assert torch.equal(up.items, owner)
    assert torch.equal(positive_ranks(scores.T, up), positive_ranks(scores.T.contiguous(), up))
    assert torch.equal(positive_ranks(scores.T, up), ranks(scores.T, owner))
