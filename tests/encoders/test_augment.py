"""Augmentation: what is drawn, what stays, and that nothing else changes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facetwise.encoders import crop_and_flip, drop_cells


def drawn(seed=0):
    return torch.Generator().manual_seed(seed)


def test_nothing_asked_is_nothing_done():
    x = torch.rand(2, 3, 4, 4, generator=drawn())
    before = torch.get_rng_state()
    assert crop_and_flip(x) is x
    assert torch.equal(torch.get_rng_state(), before)


def test_flipping_mirrors_about_half_of_the_pictures_exactly():
    x = torch.rand(400, 1, 3, 5, generator=drawn())
    y = crop_and_flip(x, flip=True, generator=drawn(1))
    same = (y == x).flatten(1).all(1)
    mirrored = (y == x.flip(3)).flatten(1).all(1)
    assert (same ^ mirrored).all()
    assert 150 < mirrored.sum() < 250


@given(st.integers(0, 1000), st.sampled_from([0.1, 0.6, 0.95]))
def test_a_crop_is_a_window_of_the_picture_stretched_to_the_whole(seed, crop):
    """Of two ramps, over x and over y: each stays one, and its ends tell the window."""
    size = 20
    centres = (torch.arange(size) + 0.5) / size
    x = torch.stack([centres.expand(size, size), centres.expand(size, size).T])[None].double()
    (y,) = crop_and_flip(x, crop=crop, generator=drawn(seed))
    for ramp in (y[0], y[1].T):
        assert torch.allclose(ramp, ramp[:1].expand(size, size))
        line = ramp[0]
        inner = line[(line > line[0] + 1e-9) & (line < line[-1] - 1e-9)]
        steps = inner.diff()  # even, but for what the picture's edge cuts off
        share = steps.median() * size
        assert crop - 1e-6 <= share <= 1 + 1e-6
        assert line[0] >= centres[0] - 1e-6
        assert line[-1] <= centres[-1] + 1e-6


def test_each_picture_has_a_window_of_its_own_and_the_same_seed_the_same_windows():
    x = torch.rand(1, 2, 8, 8, generator=drawn()).expand(6, 2, 8, 8)
    y = crop_and_flip(x, crop=0.5, generator=drawn(3))
    assert len({part.numpy().tobytes() for part in y}) == 6
    assert torch.equal(y, crop_and_flip(x, crop=0.5, generator=drawn(3)))


def test_without_a_generator_the_global_one_is_drawn_from():
    x = torch.rand(3, 2, 8, 8, generator=drawn())
    with torch.random.fork_rng(devices=[]):
        torch.set_rng_state(drawn(5).get_state())
        y = crop_and_flip(x, crop=0.5, flip=True)
    assert torch.equal(y, crop_and_flip(x, crop=0.5, flip=True, generator=drawn(5)))


def test_regions_go_one_by_one():
    kept = drop_cells((2000, 36), drawn(), share=0.2, rule="region")
    assert kept.float().mean() == pytest.approx(0.8, abs=0.01)
    # binomial: no picture is spared or emptied as a whole
    assert kept.sum(1).float().var() == pytest.approx(36 * 0.2 * 0.8, rel=0.15)


def test_cells_of_a_grid_go_from_most_pictures_and_few_from_each():
    """METHODS 3.2: u up to .2 keeps all; else each cell goes with probability .2 u."""
    u = torch.rand(4000, 1, generator=drawn(2))
    kept = drop_cells((4000, 49), drawn(2))
    assert kept[(u <= 0.2).flatten()].all()
    for low, high in ((0.2, 0.4), (0.6, 0.8), (0.9, 1.0)):
        those = ((u > low) & (u <= high)).flatten()
        expected = 0.2 * u[those].mean()
        assert (~kept[those]).float().mean() == pytest.approx(expected.item(), rel=0.15)


@pytest.mark.parametrize("rule", ["grid", "region"])
def test_padding_stays_padding_and_nobody_loses_all(rule):
    mask = torch.arange(12) < torch.randint(1, 13, (300, 1), generator=drawn())
    kept = drop_cells(mask, drawn(1), share=0.9, rule=rule)
    assert not (kept & ~mask).any()
    assert kept.any(1).all()
    assert (kept != mask).any()
    alone = drop_cells((50, 1), drawn(1), share=0.99, rule=rule)
    assert alone.all()
