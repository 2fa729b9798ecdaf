"""Global features as a pair model's head sees them."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from facetwise.encoders import PartNorm
from facetwise.models.pair_features import PairFeatures
from facetwise.models.pair_model import Known

PARTS = (6, 6)
LABELS = torch.arange(80) % 10


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def world():
    """A first part of noise, and a second one that tells the labels; far from the origin."""
    g = seeded()
    telling = torch.randn(10, 6, generator=g)[LABELS] + 0.5 * torch.randn(80, 6, generator=g)
    return torch.cat([torch.randn(80, 6, generator=g), 20 * telling], 1) + 7


def fitted(how, known=Known(), types=0):
    features = PairFeatures(PARTS, how, types)
    features.fit(world(), known, seeded())
    return features


def test_weights_follow_the_labels():
    weighed = fitted("weighed", Known(labels=LABELS))
    assert weighed.norm.weights[0] == 1 and weighed.norm.weights[1] > 1
    z = weighed(world())
    torch.testing.assert_close(z.norm(dim=1), torch.ones(80))
    assert (z[:, 6:].norm(dim=1) > z[:, :6].norm(dim=1)).all()


@pytest.mark.parametrize(("how", "known"), [("weighed", Known()), ("parts", Known(labels=LABELS))])
def test_without_labels_or_unasked_parts_count_alike(how, known):
    features, plain = fitted(how, known), PartNorm(PARTS)
    plain.fit(world())
    assert features.norm.weights.tolist() == [1, 1]
    assert torch.equal(features(world()), plain(world()))


def test_dimensions_have_unit_variance_whatever_the_labels_say():
    x = world()
    z = fitted("dimensions", Known(labels=LABELS))(x)
    torch.testing.assert_close(z, (x - x.mean(0)) / (x.std(0, unbiased=False) + 1e-6))


@pytest.mark.parametrize("how", ["weighed", "dimensions"])
def test_the_mean_of_its_type_is_taken_away_from_each(how):
    """Types that differ in nothing but where they lie cannot be told apart any more."""
    types = torch.arange(80) // 10 % 4
    moved = world() + 5 * torch.randn(4, 12, generator=seeded(1))[types]
    means = {}
    for told in (types, None):
        features = PairFeatures(PARTS, how, types=4)
        features.fit(moved, Known(types=told, labels=LABELS), seeded())
        z = features(moved, Known(types=told))
        torch.testing.assert_close(z.norm(dim=1), torch.ones(80))
        means[told is None] = torch.stack([z[types == t].mean(0) for t in range(4)]).norm()
    assert means[False] < 0.5 * means[True]


def test_an_item_of_unknown_type_loses_the_mean_of_all():
    types = torch.arange(80) % 4
    features = fitted("parts", Known(types=types), types=4)
    z = features.norm(world())
    expected = F.normalize(z - z.mean(0), dim=1)
    torch.testing.assert_close(features(world(), Known(types=torch.full((80,), -1))), expected)
    torch.testing.assert_close(features(world()), expected)


def test_controls_are_of_before_any_training():
    """The last layer and all features: labels have no say in them."""
    x = world()
    last, everything = fitted("weighed", Known(labels=LABELS)).untrained(x)
    plain = PartNorm(PARTS)
    plain.fit(x)
    assert torch.equal(everything, plain(x))
    torch.testing.assert_close(last, F.normalize(x[:, :6] - x[:, :6].mean(0), dim=1))
    last, everything = fitted("dimensions").untrained(x)
    assert torch.equal(everything[:, :6], last) and everything.shape == (80, 12)
