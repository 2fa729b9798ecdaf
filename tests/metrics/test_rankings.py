import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facetwise.metrics import (
    Positives,
    first_ranks,
    fold_places,
    fold_ranking_ranks,
    folds_of,
    numbered,
    positive_ranks,
    ranking_ranks,
)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 5), st.integers(1, 8), st.integers(1, 8), st.integers(0, 2**31))
def test_places_in_lists_are_looked_up_as_a_list_does_it(q, n, length, seed):
    generator = torch.Generator().manual_seed(seed)
    whole = torch.rand(q, n, generator=generator).argsort(1)
    positives = Positives.of((torch.rand(q, n, generator=generator) < 0.4).nonzero(), q)
    cut = whole[:, :length].int()
    expected = [
        float(cut[a].tolist().index(b) + 1) if b in cut[a].tolist() else torch.inf
        for a, b in zip(positives.queries.tolist(), positives.items.tolist(), strict=True)
    ]
    assert ranking_ranks(cut, positives, items=n).tolist() == expected


def test_rankings_of_scores_give_the_ranks_of_the_scores(monkeypatch):
    scores = torch.randn(20, 50, generator=torch.Generator().manual_seed(0))
    positives = Positives.of((scores > 1).nonzero(), 20)
    rankings = scores.argsort(1, descending=True)
    ranks = positive_ranks(scores, positives)
    assert torch.equal(ranking_ranks(rankings, positives), ranks)
    monkeypatch.setattr("facetwise.metrics.rankings._TILE", 110)
    for dtype in (torch.int16, torch.int32, torch.int64):
        assert torch.equal(ranking_ranks(rankings.to(dtype), positives), ranks)


def test_what_is_no_item_holds_its_place():
    positives = Positives.of(torch.tensor([[0, 2], [0, 1]]), 1)
    assert ranking_ranks(torch.tensor([[-1, 2, -1]]), positives).tolist() == [torch.inf, 2]


def test_lists_of_ids_become_numbers_whatever_the_ids_are():
    for ids in ([7, 3, 9], [7, 3, 2**40], [-7, 3, 9]):
        found = numbered([[ids[2], ids[0]], [], [ids[1]]], ids)
        assert found.tolist() == [[2, 0], [-1, -1], [1, -1]]
        with pytest.raises(ValueError, match="ranking 1, place 2: 4 is no known id"):
            numbered([[3], [3, 4]], ids)
        with pytest.raises(ValueError, match="ranking 0, place 1: -9 is no known id"):
            numbered([[-9]], ids)
    assert numbered([[1]], torch.tensor([0, 1])).tolist() == [[1]]
    with pytest.raises(ValueError, match="each once"):
        numbered([[1]], [1, 1])


@pytest.mark.parametrize(
    ("rankings", "said"),
    [
        (torch.tensor([[0, 1, 0]]), "ranking 0 names an item twice"),
        (torch.tensor([[0, 2, 0, 3]]), "ranking 0 names an item twice"),
        (torch.tensor([[0, 2, 0, -1]]), "ranking 0 names an item twice"),
        (torch.tensor([[0, -2]]), "not -2"),
        (torch.tensor([[0.0]]), "item numbers"),
        (torch.tensor([[0], [0]]), r"\(1, L\)"),
    ],
)
def test_rankings_that_are_none_are_refused(rankings, said):
    with pytest.raises(ValueError, match=said):
        ranking_ranks(rankings, Positives.of(torch.tensor([[0, 1]]), 1))


def test_items_beyond_those_that_there_are_are_refused():
    with pytest.raises(ValueError, match=r"items 0 \.\.\. 1, not 0 \.\.\. 3"):
        ranking_ranks(torch.tensor([[0, 3]]), Positives.of(torch.tensor([[0, 1]]), 1), items=2)


@pytest.fixture
def test_of_five_folds():
    scores = torch.randint(0, 40, (20, 60), generator=torch.Generator().manual_seed(0)).float()
    return scores, torch.arange(20).repeat_interleave(3)


def test_folds_are_the_hand_made_ones(test_of_five_folds):
    scores, owner = test_of_five_folds
    images, captions = fold_places(scores, owner, size=4)
    for fold in range(5):
        block = scores[4 * fold : 4 * fold + 4, 12 * fold : 12 * fold + 12]
        own = Positives.of_owner(torch.arange(4).repeat_interleave(3), 4)
        i2t = first_ranks(positive_ranks(block, own), own)
        t2i = positive_ranks(block.T, own.flipped(12))
        assert torch.equal(images.ranks()[4 * fold : 4 * fold + 4], i2t)
        assert torch.equal(captions.ranks()[12 * fold : 12 * fold + 12], t2i)
    assert len(images) == 20
    assert len(captions) == 60


def test_one_fold_is_the_whole(test_of_five_folds):
    scores, owner = test_of_five_folds
    images, _ = fold_places(scores, owner, size=20)
    whole = Positives.of_owner(owner, 20)
    assert torch.equal(images.ranks(), first_ranks(positive_ranks(scores, whole), whole))


def test_folds_from_rankings_are_those_from_scores_that_do_not_tie(monkeypatch):
    scores = torch.randn(20, 60, generator=torch.Generator().manual_seed(0))
    owner = torch.arange(20).repeat_interleave(3)
    asked = Positives.of_owner(owner, 20)
    folds = folds_of(owner, 20, size=4)
    images, captions = fold_places(scores, owner, size=4)
    for tile in (2**20, 130):
        monkeypatch.setattr("facetwise.metrics.rankings._TILE", tile)
        i2t = fold_ranking_ranks(scores.argsort(1, descending=True), asked, folds)
        assert torch.equal(first_ranks(i2t, asked), images.ranks())
        turned = [(fold.captions, fold.images) for fold in folds]
        t2i = fold_ranking_ranks(scores.T.argsort(1, descending=True), asked.flipped(60), turned)
        assert torch.equal(t2i, captions.ranks())


def test_folds_do_not_come_from_rankings_that_were_cut_short():
    """The package finds nothing then: an error at R@1, lower figures at R@5 (METHODS T-35)."""
    owner = torch.arange(4)
    asked, folds = Positives.of_owner(owner, 4), folds_of(owner, 4, size=2)
    whole = torch.arange(4).repeat(4, 1)
    for short in (whole[:, :2], whole.masked_fill(whole == 3, -1)):
        with pytest.raises(ValueError, match="cut short"):
            fold_ranking_ranks(short, asked, folds)
    with pytest.raises(ValueError, match="in order"):
        fold_ranking_ranks(whole, asked, folds[:1])
    with pytest.raises(ValueError, match="not among items"):
        fold_ranking_ranks(whole, Positives.of(torch.tensor([[0, 3]]), 4), folds)


@pytest.mark.parametrize(
    ("owner", "images", "size", "said"),
    [
        ([0, 0, 1, 2], 3, 2, "3 images cannot be cut into folds of 2"),
        ([1, 0], 2, 1, "order"),
        ([0, 0, 1], 2, 1, "different numbers of captions"),
        ([0, 1, 2], 2, 1, "different numbers of captions"),
    ],
)
def test_images_that_make_no_equal_folds_are_refused(owner, images, size, said):
    with pytest.raises(ValueError, match=said):
        folds_of(torch.tensor(owner), images, size=size)
