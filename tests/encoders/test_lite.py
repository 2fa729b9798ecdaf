from __future__ import annotations

import io

import pytest
import torch
from PIL import Image

from facetwise.data.synthetic import shapes
from facetwise.encoders import LiteEncoder
from facetwise.encoders.lite import PARTS
from facetwise.errors import InputError


def pictures(n=5):
    return [Image.open(io.BytesIO(item.image)).convert("RGB") for item in shapes(n)]


@pytest.fixture(scope="module")
def encoder():
    return LiteEncoder(64)


@pytest.fixture(scope="module")
def prepared(encoder):
    return [encoder.prepare(picture) for picture in pictures()]


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (640, 30), (33, 500)])
def test_any_picture_becomes_a_square(encoder, size):
    x = encoder.prepare(Image.new("RGB", size, (10, 20, 30)))
    assert (x.shape, x.dtype) == ((3, 64, 64), torch.uint8)
    assert x.flatten(1).float().mean(1).tolist() == pytest.approx([10, 20, 30], abs=1)


def test_the_whole_picture_is_kept(encoder):
    wide = Image.new("RGB", (200, 100), "black")
    wide.paste("white", (180, 0, 200, 100))  # at the right edge, which a crop would cut off
    x = encoder.prepare(wide)
    assert x[:, :, 60:].float().mean() > 250
    assert x[:, :, :50].float().mean() < 5


def test_features_have_their_shapes(encoder, prepared):
    features = encoder.encode(prepared)
    assert features.grid.shape == (5, *encoder.grid_shape) == (5, 1280, 2, 2)
    assert (features.grid.dtype, features.pooled.dtype) == (torch.float16, torch.float32)
    assert features.pooled.shape == (5, sum(PARTS))
    assert torch.isfinite(features.pooled).all()
    top = features.pooled[:, : PARTS[0]].square()  # square roots of the means over the grid
    torch.testing.assert_close(top, features.grid.float().mean((2, 3)), atol=1e-3, rtol=1e-2)
    *_, mean, maximum = features.pooled.split(PARTS, 1)
    assert (mean <= maximum).all()


def test_a_pictures_features_do_not_depend_on_its_company(encoder, prepared):
    together = encoder.encode(prepared)
    for index, one in enumerate(prepared):
        alone = encoder.encode([one])
        # roots of tiny means differ more than the means
        torch.testing.assert_close(alone.pooled[0], together.pooled[index], atol=2e-3, rtol=1e-3)
        torch.testing.assert_close(alone.grid[0], together.grid[index], atol=1e-2, rtol=1e-2)


def test_the_same_call_gives_the_same_bits(encoder, prepared):
    a, b = encoder.encode(prepared), LiteEncoder(64).encode(prepared)
    assert torch.equal(a.grid, b.grid)
    assert torch.equal(a.pooled, b.pooled)


def test_no_pictures_have_no_features(encoder):
    features = encoder.encode([])
    assert (features.grid.shape, features.pooled.shape) == ((0, 1280, 2, 2), (0, sum(PARTS)))


def test_like_pictures_have_like_features(encoder):
    """Two red circles are closer than a red circle and a blue star, wherever they stand."""
    items = {item.group: [] for item in shapes(90)}
    for item in shapes(90):
        items[item.group].append(Image.open(io.BytesIO(item.image)).convert("RGB"))
    chosen = [*items["red circle"], *items["blue star"]]
    pooled = encoder.encode([encoder.prepare(picture) for picture in chosen]).pooled
    x = torch.nn.functional.normalize(pooled - pooled.mean(0), dim=1)
    cosine = x @ x.T
    own = cosine[:3, :3][~torch.eye(3, dtype=torch.bool)].mean()
    assert own > cosine[:3, 3:].mean() + 0.3


def test_the_fingerprint_is_of_weights_and_size():
    assert LiteEncoder(64).fingerprint == LiteEncoder(64).fingerprint
    assert LiteEncoder(64).fingerprint != LiteEncoder(96).fingerprint


@pytest.mark.parametrize("pixels", [0, 16, 100, 2048])
def test_sizes_that_do_not_fit_are_refused(pixels):
    with pytest.raises(InputError, match=f"a multiple of 32 up to 1024, not {pixels}"):
        LiteEncoder(pixels)
