import pytest
import torch

from facetwise.errors import InputError
from facetwise.evaluation.answers import Answers, Matrix, Rankings
from facetwise.evaluation.both_ways import BothWays
from facetwise.metrics.positives import Positives


def both(images: int = 12, texts: int = 40) -> tuple[Matrix, Rankings, Positives]:
    g = torch.Generator().manual_seed(0)
    scores = torch.randn(images, texts, generator=g)
    edges = torch.stack(
        [torch.randint(images, (60,), generator=g), torch.randint(texts, (60,), generator=g)], 1
    )
    rankings = Rankings(
        scores.argsort(dim=1, descending=True), scores.T.argsort(dim=1, descending=True)
    )
    return Matrix(scores), rankings, Positives.of(edges, images)


def test_a_matrix_and_its_rankings_answer_alike() -> None:
    matrix, rankings, positives = both()
    back = positives.flipped(40)
    for answers in (matrix, rankings):
        assert (answers.images, answers.texts) == (12, 40)
    assert torch.equal(matrix.every("i2t", positives), rankings.every("i2t", positives))
    assert torch.equal(matrix.every("t2i", back), rankings.every("t2i", back))
    for way, asked in (("i2t", positives), ("t2i", back)):
        a, b = (one.first(way, asked) for one in (matrix, rankings))
        assert torch.equal(a.ranks().nan_to_num(-1), b.ranks().nan_to_num(-1))
    for ties in ("pessimistic", "optimistic", "mean"):  # lists know no ties
        found = [BothWays.of(answers, positives, ties) for answers in (matrix, rankings)]
        assert found[0].i2t == found[1].i2t
        assert found[0].t2i == found[1].t2i


def test_a_block_is_as_if_there_were_nothing_else() -> None:
    matrix, rankings, positives = both()
    images, texts = range(3, 9), range(10, 40)
    inside = positives.block(images, texts)
    alone = Matrix(matrix.scores[3:9, 10:40])
    for answers in (matrix, rankings):
        block: Answers = answers.block(images, texts)
        assert (block.images, block.texts) == (6, 30)
        assert torch.equal(block.every("i2t", inside), alone.every("i2t", inside))
        back = inside.flipped(30)
        assert torch.equal(block.every("t2i", back), alone.every("t2i", back))


def test_many_positives_have_no_mean_order() -> None:
    matrix, _, positives = both()
    with pytest.raises(InputError, match="--ties pessimistic"):
        matrix.every("i2t", positives, ties="mean")


def test_a_short_ranking_serves_what_it_reaches() -> None:
    matrix, whole, positives = both()
    cut = Rankings(whole.i2t[:, :10], whole.t2i[:, :10])
    ranks, known = cut.every("i2t", positives), matrix.every("i2t", positives)
    assert torch.equal(ranks, known.masked_fill(known > 10, torch.inf))


def test_too_short_a_ranking_is_named() -> None:
    _, whole, positives = both()
    with pytest.raises(InputError, match=r"query 0 \(from 0\) lists 9 of the 10 places"):
        Rankings(whole.i2t[:, :9], whole.t2i).every("i2t", positives)
    asked = Positives.of(torch.stack([torch.zeros(15, dtype=torch.long), torch.arange(15)], 1), 12)
    with pytest.raises(InputError, match="lists 12 of the 15 places needed"):  # R of R-Precision
        Rankings(whole.i2t[:, :12], whole.t2i).every("i2t", asked)


def test_only_who_asks_needs_a_ranking() -> None:
    _, whole, _ = both()
    lists = whole.i2t.clone()
    lists[1:] = -1
    one = Positives.of(torch.tensor([[0, 3]]), 12)
    assert torch.equal(Rankings(lists, whole.t2i).every("i2t", one), whole.every("i2t", one))
    with pytest.raises(InputError, match=r"query 5 \(from 0\) has none"):
        Rankings(lists, whole.t2i).every("i2t", Positives.of(torch.tensor([[5, 3]]), 12))


def test_a_list_that_names_an_item_twice_is_refused() -> None:
    twice = torch.tensor([[0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9]])
    answers = Rankings(twice, torch.zeros(11, 1, dtype=torch.long))
    with pytest.raises(InputError, match="i2t: ranking 0 names an item twice"):
        answers.every("i2t", Positives.of(torch.tensor([[0, 3]]), 1))
