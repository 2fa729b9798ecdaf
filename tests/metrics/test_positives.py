import pytest
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


def test_positives_without_a_score_are_refused():
    positives = Positives.of(torch.tensor([[0, 0], [0, 2]]), 1)
    for ask in (positive_ranks, first_places):
        with pytest.raises(ValueError, match=r"positives must be in 0 \.\.\. 1, not 2"):
            ask(torch.zeros(1, 2), positives)


def test_figures_of_ties_of_positives_among_themselves():
    scores, positives = torch.zeros(1, 5), Positives.of(torch.tensor([[0, 1], [0, 3]]), 1)
    assert positive_ranks(scores, positives).tolist() == [4, 5]
    assert positive_ranks(scores, positives, ties="optimistic").tolist() == [1, 2]
    assert first_places(scores, positives).ranks("mean").tolist() == [2]  # 1 + 3 / (2 + 1)


def test_many_positives_of_few_queries_and_tiles_that_end_anywhere(monkeypatch):
    generator = torch.Generator().manual_seed(3)
    scores = torch.randint(0, 9, (11, 30), generator=generator).float()
    edges = torch.nonzero(torch.rand(11, 30, generator=generator) < 0.3)
    edges = torch.cat(
        [edges[edges[:, 0] != 4], torch.stack([torch.full((30,), 7), torch.arange(30)], 1)]
    )
    positives = Positives.of(edges, 11)
    whole = positive_ranks(scores, positives), first_places(scores, positives).ranks()
    assert whole[0].tolist() == slow_ranks(scores, positives, "pessimistic")
    monkeypatch.setattr("facetwise.metrics.positives._TILE", 90)
    assert torch.equal(positive_ranks(scores, positives), whole[0])
    tiled = first_places(scores, positives).ranks()
    torch.testing.assert_close(tiled, whole[1], equal_nan=True)
    assert tiled.isnan().nonzero().tolist() == [[4]]


def test_blocks_are_what_their_own_edges_say():
    edges = torch.tensor([[0, 1], [1, 4], [1, 2], [2, 3], [3, 0]])
    whole = Positives.of(edges, 4)
    block = whole.block(range(1, 3), range(2, 5))
    assert (block.queries.tolist(), block.items.tolist()) == ([0, 0, 1], [0, 2, 1])
    assert block.starts.tolist() == [0, 2, 3]
    assert whole.block(range(1, 3)).items.tolist() == [2, 4, 3]
    assert len(whole.block(range(2, 2)).items) == 0
    with pytest.raises(ValueError, match="consecutive"):
        whole.block(range(0, 4, 2))


def test_no_positive_at_all_is_no_rank():
    none = Positives.of(torch.empty(0, 2, dtype=torch.long), 3)
    assert positive_ranks(torch.zeros(3, 2), none).shape == (0,)
    assert first_places(torch.zeros(3, 2), none).ranks().isnan().all()
    assert not first_places(torch.zeros(3, 2), none).tied.any()


@pytest.mark.parametrize(
    ("edges", "queries", "said"),
    [
        (torch.tensor([[0, 1]]).float(), 1, "int64"),
        (torch.tensor([0, 1]), 1, "int64"),
        (torch.tensor([[2, 0]]), 2, "queries 0 ... 1"),
        (torch.tensor([[0, -1]]), 2, "items from -1"),
    ],
)
def test_edges_that_are_none_are_refused(edges, queries, said):
    with pytest.raises(ValueError, match=said.replace(".", r"\.")):
        Positives.of(edges, queries)


def test_scores_that_have_no_rank_are_refused():
    positives = Positives.of(torch.tensor([[0, 0]]), 1)
    for scores, said in (
        (torch.tensor([[torch.nan, 1.0]]), "NaN"),
        (torch.zeros(2, 2), "must be"),
        (torch.zeros(1, 0), "empty"),
    ):
        with pytest.raises(ValueError, match=said):
            positive_ranks(scores, positives)
        with pytest.raises(ValueError, match=said):
            first_places(scores, positives)
    with pytest.raises(ValueError, match="mean"):
        positive_ranks(torch.zeros(1, 2), positives, ties="mean")
    with pytest.raises(ValueError, match="ties must be one of"):
        positive_ranks(torch.zeros(1, 2), positives, ties="best")
