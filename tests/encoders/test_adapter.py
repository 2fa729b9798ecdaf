"""A trained layer over a frozen grid: it starts as the grid, and learns."""

from __future__ import annotations

import torch

from facetwise.encoders import EncoderConfig, Encoders, FrozenGrid, ImageFeatures
from facetwise.encoders.adapter import AdaptedGrid


def features(n=20):
    g = torch.Generator().manual_seed(0)
    return ImageFeatures(torch.randn(n, 6, 2, 3, generator=g), torch.randn(n, 7, generator=g))


def adapted():
    return AdaptedGrid(FrozenGrid(6, [4, 3], 5), 8, torch.Generator().manual_seed(1))


def test_it_starts_as_the_frozen_grid_with_its_mean_behind_phi():
    tower, frozen = adapted(), FrozenGrid(6, [4, 3], 5)
    for either in (tower, frozen):
        either.fit(features())
    psi, phi = frozen(*frozen.prepare(features()))
    ours = tower(*tower.prepare(features()))
    torch.testing.assert_close(ours[0], psi)
    torch.testing.assert_close(ours[1], torch.cat([phi, psi.mean(1)], 1))
    assert (tower.local_width, tower.global_width) == (5, 12)
    assert (ours[0].shape, ours[1].shape) == ((20, 6, 5), (20, 12))
    pooled = features().pooled
    torch.testing.assert_close(tower.untrained(pooled), frozen.untrained(pooled))


def test_it_learns_and_what_lies_below_does_not():
    tower = adapted()
    tower.fit(features())
    before = {name: value.clone() for name, value in tower.state_dict().items()}
    optimizer = torch.optim.SGD(tower.parameters(), lr=0.1)
    for _ in range(2):  # the outer layer starts at zero: the inner one learns from the second on
        psi, phi = tower(*tower.prepare(features()))
        optimizer.zero_grad()
        (psi.square().sum() + phi.sum()).backward()
        optimizer.step()
    changed = {k for k, value in tower.state_dict().items() if not torch.equal(value, before[k])}
    assert not any(name.startswith("frozen") for name in changed)
    assert {"inner.weight", "outer.weight", "norm.weight"} <= changed


def test_the_recipe_asks_for_it():
    encoders = Encoders(EncoderConfig(components=32, adapter=16))
    tower = encoders.towers(torch.Generator().manual_seed(3)).image
    assert isinstance(tower, AdaptedGrid)
    assert tower.trained and tower.local_width == 32
    again = encoders.towers(torch.Generator().manual_seed(3)).image
    assert torch.equal(tower.inner.weight, again.inner.weight)
