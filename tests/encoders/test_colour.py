"""Histograms of colour: what they tell apart, and what they do not."""

from __future__ import annotations

import colorsys

import pytest
import torch

from facetwise.encoders import EncoderConfig, Encoders
from facetwise.encoders.colour import BINS, ColourEncoder, colour_histogram
from facetwise.encoders.lite import LiteEncoder
from facetwise.errors import InputError


def plain(*rgb):
    return torch.tensor(rgb, dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 96, 96)


def slow(pictures):
    """Pixel by pixel, with Python's own conversion of colours."""
    rows = []
    for picture in pictures:
        counts = torch.zeros(BINS)
        for r, g, b in (picture.flatten(1).T.double() / 255).tolist():
            steps = [min(3, int(4 * part)) for part in (r, g, b)]
            counts[16 * steps[0] + 4 * steps[1] + steps[2]] += 1
            h, s, v = colorsys.rgb_to_hsv(r, g, b)
            if s < 40 / 255 or v < 40 / 255:
                counts[64 + min(7, int(8 * v))] += 1
            else:
                counts[72 + 2 * (int(12 * h + 0.5) % 12) + (v > 0.5)] += 1
        rows.append(counts / picture[0].numel())
    return torch.stack(rows)


def test_it_counts_as_one_would_by_hand():
    g = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (3, 3, 64, 64), generator=g).to(torch.uint8)
    torch.testing.assert_close(colour_histogram(pictures), slow(pictures), atol=2e-3, rtol=0)


def test_every_pixel_counts_twice():
    g = torch.Generator().manual_seed(1)
    pictures = torch.randint(0, 256, (2, 3, 32, 50), generator=g).to(torch.uint8)
    torch.testing.assert_close(colour_histogram(pictures).sum(1), torch.full((2,), 2.0))


def test_where_a_colour_is_does_not_matter():
    picture = torch.cat([plain(255, 0, 0), plain(0, 0, 255)], 3)
    torch.testing.assert_close(colour_histogram(picture), colour_histogram(picture.flip(3)))


@pytest.mark.parametrize("other", [(0, 160, 0), (30, 30, 200), (90, 0, 0), (128, 128, 128)])
def test_colours_that_differ_share_no_bin(other):
    one = colour_histogram(plain(220, 20, 20))
    assert (one * colour_histogram(plain(*other))).sum() == 0


def test_red_has_one_hue_on_both_sides_of_the_circles_seam():
    one, other = colour_histogram(plain(200, 8, 0)), colour_histogram(plain(200, 0, 8))
    assert torch.equal(one[:, 64:], other[:, 64:])


def test_the_other_features_stay_as_they_are():
    encoder = ColourEncoder(LiteEncoder(32))
    picture = plain(10, 200, 30)[0, :, :32, :32].contiguous()
    with_colour, without = encoder.encode([picture]), encoder.inner.encode([picture])
    assert torch.equal(with_colour.grid, without.grid)
    assert torch.equal(with_colour.pooled[:, :-BINS], without.pooled)
    assert with_colour.pooled.shape[1] == sum(encoder.parts)
    assert encoder.encode([]).pooled.shape == (0, sum(encoder.parts))


def test_features_with_and_without_colour_are_kept_apart():
    one = Encoders(EncoderConfig(pixels=32)).images
    other = Encoders(EncoderConfig(pixels=32, colour=True)).images
    assert one.name != other.name
    assert one.fingerprint != other.fingerprint


def test_a_trained_network_takes_no_histogram():
    with pytest.raises(InputError, match="colour = false"):
        _ = Encoders(EncoderConfig(colour=True, tune=("image",))).images
