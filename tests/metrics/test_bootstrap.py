import numpy as np
import pytest
import torch

from facetwise.metrics import (
    Places,
    bootstrap_difference,
    bootstrap_mean,
    first_places,
    mean_interval,
    rsum,
    rsum_terms,
)
from facetwise.metrics.positives import Positives


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def test_the_standard_error_of_a_mean_is_the_textbooks():
    values = torch.rand(400, generator=seeded(0)) ** 2
    found = bootstrap_mean(values, resamples=4000)
    assert found.value == pytest.approx(values.double().mean().item())
    textbook = mean_interval(values).ci95 / 1.96
    assert found.se == pytest.approx(textbook, rel=0.05)
    assert found.high - found.low == pytest.approx(2 * 1.96 * textbook, rel=0.06)
    assert found.low < found.value < found.high


def test_resamples_are_those_of_a_slow_twin():
    generator = seeded(1)
    sums = torch.rand(9, 2, generator=generator).double()
    weights = torch.randint(1, 4, (9, 2), generator=generator).double()
    found = bootstrap_mean(sums, weights, generator=seeded(5), resamples=50, level=0.8)
    drawn = torch.randint(9, (50, 9), generator=seeded(5)).numpy()
    slow = [
        sum(sums[row, f].sum().item() / weights[row, f].sum().item() for f in range(2))
        for row in drawn
    ]
    assert found.se == pytest.approx(np.std(slow, ddof=1))
    assert [found.low, found.high] == pytest.approx(np.quantile(slow, [0.1, 0.9]).tolist())


def test_queries_that_do_not_count_have_no_weight():
    some = torch.tensor([1.0, torch.nan, 0.0, 1.0, torch.nan])
    assert bootstrap_mean(some).value == pytest.approx(2 / 3)


def test_equal_draws_with_and_without_a_generator():
    values = torch.rand(30, generator=seeded(0))
    assert bootstrap_mean(values) == bootstrap_mean(values)
    assert bootstrap_mean(values, generator=seeded(7)) != bootstrap_mean(values)


def test_the_paired_interval_is_narrower_and_knows_who_is_better():
    hard = torch.rand(300, generator=seeded(0))
    a = hard + 0.02 + 0.05 * torch.rand(300, generator=seeded(1))
    pair = bootstrap_difference(a, hard)
    alone = bootstrap_mean(a).se
    assert pair.value == pytest.approx((a - hard).double().mean().item())
    assert pair.low > 0
    assert pair.se < alone / 5
    same = bootstrap_difference(a, a)
    assert (same.value, same.se, same.low, same.high) == (0, 0, 0, 0)


def test_rsum_is_the_sum_of_the_terms_and_captions_go_with_their_image():
    scores = torch.randn(40, 200, generator=seeded(0))
    owner = torch.arange(40).repeat_interleave(5)
    scores[owner, torch.arange(200)] += 2
    asked = Positives.of_owner(owner, 40)
    images, captions = first_places(scores, asked), first_places(scores.T, asked.flipped(200))
    sums, weights = rsum_terms(images, captions, owner)
    found = bootstrap_mean(sums, weights)
    assert found.value == pytest.approx(rsum(scores, owner))
    drawn = [torch.randint(40, (40,), generator=seeded(n)) for n in range(300)]
    hits = [images.hits(k) for k in (1, 5, 10)], [captions.hits(k) for k in (1, 5, 10)]
    slow = []
    for row in drawn:
        texts = torch.cat([(owner == image).nonzero().squeeze(1) for image in row.tolist()])
        slow.append(100 * sum(h[row].mean().item() for h in hits[0]))
        slow[-1] += 100 * sum(h[texts].mean().item() for h in hits[1])
    assert found.se == pytest.approx(np.std(slow, ddof=1), rel=0.15)


def test_rsum_terms_leave_out_what_has_no_answer():
    nothing = Places(*torch.tensor([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0]]).double())
    sums, weights = rsum_terms(nothing, nothing, torch.tensor([0, 1]), ks=(1,))
    assert sums.tolist() == [[100, 100], [0, 0]]
    assert weights.tolist() == [[1, 1], [0, 0]]
    with pytest.raises(ValueError, match="owner"):
        rsum_terms(nothing, nothing, torch.tensor([0]))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: bootstrap_mean(torch.ones(1)), "at least 2 units"),
        (lambda: bootstrap_mean(torch.ones(3), torch.ones(2)), "weights"),
        (lambda: bootstrap_mean(torch.ones(3), torch.zeros(3)), "nor 0"),
        (lambda: bootstrap_mean(torch.ones(3), -torch.ones(3)), "negative"),
        (lambda: bootstrap_mean(torch.ones(3), resamples=1), "resamples"),
        (lambda: bootstrap_mean(torch.ones(3), level=1.0), "level"),
        (lambda: bootstrap_difference(torch.ones(3), torch.ones(4)), "same units"),
    ],
)
def test_what_has_no_interval_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()
