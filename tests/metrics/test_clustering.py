import math

import pytest
import torch

from facetwise.metrics import nmi, nmi_of


def slow_nmi(clusters, labels):
    n = len(labels)

    def entropy(values):
        return -sum(values.count(v) / n * math.log(values.count(v) / n) for v in set(values))

    both = list(zip(clusters, labels, strict=True))
    shared = entropy(clusters) + entropy(labels) - entropy(both)
    return shared / math.sqrt(entropy(clusters) * entropy(labels))


def test_the_geometric_mean_stands_below_the_line():
    generator = torch.Generator().manual_seed(0)
    clusters, labels = torch.randint(7, (2, 40), generator=generator).unbind()
    clusters = clusters.clamp_max(2)  # different entropies: the arithmetic mean would differ
    expected = slow_nmi(clusters.tolist(), labels.tolist())
    assert nmi_of(clusters, labels) == pytest.approx(expected)
    assert nmi_of(labels, clusters) == pytest.approx(expected)


def test_separate_classes_are_found_whatever_their_names():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 4 * 10
    vectors = torch.eye(4)[labels // 10] * 10 + torch.randn(60, 4, generator=generator)
    assert nmi(vectors, labels) == pytest.approx(1)
    assert nmi(vectors, labels, seed=3, starts=4) == pytest.approx(1)


def test_noise_and_collapse_find_little_or_nothing():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(300) % 3
    assert nmi(torch.randn(300, 5, generator=generator), labels) < 0.05
    assert nmi(torch.ones(300, 5), labels) == 0


def test_the_seed_decides():
    generator = torch.Generator().manual_seed(0)
    vectors, labels = torch.randn(200, 3, generator=generator), torch.arange(200) % 10
    assert nmi(vectors, labels, seed=1) == nmi(vectors, labels, seed=1)


@pytest.mark.parametrize(
    ("vectors", "labels", "said"),
    [
        (torch.ones(3), torch.arange(3), "expected vectors"),
        (torch.ones(3, 2), torch.arange(4), "expected vectors"),
        (torch.full((3, 2), torch.nan), torch.arange(3), "NaN"),
        (torch.ones(3, 2), torch.zeros(3), "two classes"),
    ],
)
def test_what_cannot_be_clustered_is_refused(vectors, labels, said):
    with pytest.raises(ValueError, match=said):
        nmi(vectors, labels)
    with pytest.raises(ValueError, match="expected clusters"):
        nmi_of(torch.arange(3), torch.arange(4))
