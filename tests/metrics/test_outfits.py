import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from facetwise.metrics import compatibility_auc, fitb_accuracy


@pytest.mark.parametrize("candidates", [4, 10])
def test_constant_scorer_never_answers_all_questions(candidates):
    """METHODS T-3: the right candidate is listed first, and arg-max takes the first maximum."""
    scores = torch.zeros(50, candidates)
    assert fitb_accuracy(scores) == 0
    assert fitb_accuracy(scores, ties="mean") == pytest.approx(1 / candidates)


def test_place_of_the_right_candidate_does_not_matter():
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(40, 10, generator=generator)
    scores[:, 0] += 1.5
    accuracy = fitb_accuracy(scores)
    assert accuracy == (scores.argmax(1) == 0).double().mean().item()
    assert 0.2 < accuracy < 0.9
    assert fitb_accuracy(scores.roll(3, 1), 3) == accuracy
    assert fitb_accuracy(scores.roll(3, 1), torch.full((40,), 3)) == accuracy


def test_questions_with_fewer_candidates_are_padded_with_minus_infinity():
    scores = torch.tensor([[0.5, 0.1, 0.4], [0.2, 0.1, -torch.inf]])
    assert fitb_accuracy(scores) == 1


@given(
    pairs=st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=40).filter(
        lambda pairs: len({label for _, label in pairs}) == 2
    )
)
def test_auc_agrees_with_scikit_learn(pairs):
    values, labels = zip(*pairs, strict=True)
    auc = compatibility_auc(torch.tensor(values, dtype=torch.float32), torch.tensor(labels))
    assert auc == pytest.approx(roc_auc_score(labels, values))


def test_tie_policies_of_the_auc():
    scores, labels = torch.zeros(8), torch.arange(8) % 2
    assert compatibility_auc(scores, labels) == 0.5
    assert compatibility_auc(scores, labels, ties="pessimistic") == 0
    assert compatibility_auc(scores, labels, ties="optimistic") == 1


@pytest.mark.parametrize(
    ("positives", "unchanged", "expected"), [(10_000, 2_636, 0.8682), (5_000, 1_624, 0.8376)]
)
def test_an_oracle_on_the_released_resampled_outfits_meets_its_ceiling(
    positives, unchanged, expected
):
    """METHODS 1.6 and T-1: so many "negatives" are the very outfits of their positives."""
    negatives = (torch.arange(positives) < unchanged).float()
    scores = torch.cat([torch.ones(positives), negatives])
    labels = torch.cat([torch.ones(positives), torch.zeros(positives)])
    assert compatibility_auc(scores, labels) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        (torch.zeros(3), torch.ones(2), r"\(3,\) and \(2,\)"),
        (torch.zeros(3), torch.ones(3), "compatible and incompatible"),
        (torch.zeros(3), torch.tensor([0, 1, 2]), "0 or 1"),
        (torch.tensor([torch.nan, 1.0]), torch.tensor([0, 1]), "NaN"),
    ],
)
def test_outfits_that_do_not_fit_are_refused(scores, labels, message):
    with pytest.raises(ValueError, match=message):
        compatibility_auc(scores, labels)
