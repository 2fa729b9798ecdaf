"""Weights of parts: what tells kinds apart counts, what does not is left out."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from facetwise.encoders import PartNorm
from facetwise.encoders.part_weights import choose_part_weights, r_precision_of


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def telling(labels, dim=6, noise=0.3, seed=0):
    g = seeded(seed)
    centres = torch.randn(int(labels.max()) + 1, dim, generator=g)
    x = centres[labels] + noise * torch.randn(len(labels), dim, generator=g)
    return F.normalize(x, dim=1)


LABELS = torch.arange(80) % 10


def test_r_precision_is_what_one_counts_by_hand():
    g = seeded()
    scores = torch.randn(30, 30, generator=g)
    labels = torch.randint(6, (30,), generator=g)
    found = []
    for q in range(30):
        others = [j for j in range(30) if j != q]
        R = sum(int(labels[j] == labels[q]) for j in others)
        if R:
            first = sorted(others, key=lambda j: -float(scores[q, j]))[:R]
            found.append(sum(int(labels[j] == labels[q]) for j in first) / R)
    assert abs(r_precision_of(scores, labels) - sum(found) / len(found)) < 1e-6


def test_a_part_of_noise_is_left_out():
    noise = F.normalize(torch.randn(80, 6, generator=seeded(3)), dim=1)
    assert choose_part_weights([telling(LABELS, noise=0.5), noise], LABELS)[1] <= 0.35


def test_a_first_part_of_noise_is_outweighed():
    noise = F.normalize(torch.randn(80, 6, generator=seeded(3)), dim=1)
    assert choose_part_weights([noise, telling(LABELS, noise=0.5)], LABELS)[1] > 1


def test_it_is_never_worse_than_equal_weights():
    parts = [telling(LABELS, noise=n, seed=s) for s, n in enumerate((0.8, 1.0, 1.5))]
    weights = choose_part_weights(parts, LABELS)
    equal = r_precision_of(sum(p @ p.T for p in parts), LABELS)
    weighed = r_precision_of(
        sum(w**2 * (p @ p.T) for w, p in zip(weights, parts, strict=True)), LABELS
    )
    assert weighed >= equal


def test_nothing_to_learn_from_leaves_all_equal():
    parts = [telling(LABELS), telling(LABELS, seed=1)]
    assert choose_part_weights(parts, torch.full((80,), -1)) == [1.0, 1.0]
    assert choose_part_weights(parts, torch.arange(80)) == [1.0, 1.0]


def test_weighed_features_have_length_one_and_a_part_of_weight_zero_is_gone():
    norm = PartNorm([6, 6])
    noise = torch.randn(80, 6, generator=seeded(3))
    x = torch.cat([telling(LABELS, noise=0.5), noise], 1)
    norm.fit(x)
    before = norm(x)
    norm.weigh(x, LABELS)
    after = norm(x)
    torch.testing.assert_close(after.norm(dim=1), torch.ones(80))
    assert after[:, 6:].norm() < before[:, 6:].norm()
