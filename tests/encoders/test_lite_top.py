"""The trained top of EfficientNet-Lite0 starts as the frozen one, and then moves."""

from __future__ import annotations

import io

import pytest
import torch
from PIL import Image
from torch import nn

from facetwise.data.synthetic import shapes, shapes_collection
from facetwise.encoders import (
    EncoderConfig,
    Encoders,
    FrozenGrid,
    ImageFeatures,
    LiteEncoder,
    LiteTop,
    image_features,
)
from facetwise.encoders.efficientnet import EfficientNetLite0
from facetwise.encoders.lite import PARTS

PIXELS = 96


def pictures(n):
    return [Image.open(io.BytesIO(item.image)).convert("RGB") for item in shapes(n)]


@pytest.fixture(scope="module")
def top():
    encoder = LiteEncoder(PIXELS)
    return encoder.encode([encoder.prepare(picture) for picture in pictures(24)])


@pytest.fixture(scope="module")
def middle():
    encoder = LiteEncoder(PIXELS, "middle")
    return encoder.encode([encoder.prepare(picture) for picture in pictures(24)])


@pytest.fixture
def tower(middle):
    tower = LiteTop()
    tower.fit(middle)
    return tower.eval()


def test_the_middle_grid_is_block_tens_output_and_the_pooled_features_are_all(top, middle):
    encoder = LiteEncoder(PIXELS, "middle")
    assert middle.grid.shape == (24, *encoder.grid_shape) == (24, 112, 6, 6)
    assert middle.grid.dtype == encoder.grid_dtype == torch.float16
    assert torch.equal(middle.pooled, top.pooled)
    prepared = torch.stack([encoder.prepare(picture) for picture in pictures(24)])
    _, kept = EfficientNetLite0.pretrained()((prepared / 255 - 0.498) / 0.502)
    assert torch.equal(middle.grid, kept[10].half())
    assert encoder.encode([]).grid.shape == (0, 112, 6, 6)


def test_each_layer_has_a_cache_of_its_own(tmp_path):
    collection = shapes_collection(tmp_path / "shapes.collection", n=6)
    for layer in ("top", "middle"):
        encoder = LiteEncoder(64, layer)
        assert image_features(collection, encoder, range(6)).grid.shape[1:] == encoder.grid_shape
    assert len(list(collection.path.glob("features-efficientnet-lite0-*.lance"))) == 2
    assert LiteEncoder(64).fingerprint != LiteEncoder(64, "middle").fingerprint


def test_its_statistics_are_those_of_blocks_that_were_trained_before(tower, middle):
    with torch.no_grad():
        before = tower.norm.mean.clone()
        tower.head.bias += 1
        tower.fit(middle)
        psi, phi = tower(*tower.prepare(middle))
        grid = psi * tower.grid_norm.scale + tower.grid_norm.mean
    own = (grid.mean(1) + 1e-5).sqrt().mean(0)
    torch.testing.assert_close(tower.norm.mean[:1280], own, atol=1e-3, rtol=1e-3)
    assert (tower.norm.mean[:1280] - before[:1280]).abs().mean() > 0.1
    assert torch.equal(tower.norm.mean[1280:], before[1280:])
    assert abs(psi.mean()) < 1e-4 and torch.isfinite(phi).all()


def test_it_starts_as_the_frozen_network(tower, top, middle):
    frozen = FrozenGrid(1280, PARTS, 1280)
    frozen.fit(top)
    with torch.no_grad():
        psi, phi = tower(*tower.prepare(middle))
        cells, pooled = frozen(*frozen.prepare(top))
    torch.testing.assert_close(phi, pooled, atol=0.15, rtol=0)
    assert nn.functional.cosine_similarity(phi, pooled).min() > 0.9999
    assert psi.shape == (24, 9, 1280) == (24, 9, tower.local_width)
    assert phi.shape == (24, tower.global_width)
    # psi is the frozen grid, place by place, but for a rotation and one scale
    grid = top.grid.float().flatten(2).transpose(1, 2)
    expected = (grid - grid.mean((0, 1))) / (grid - grid.mean((0, 1))).square().mean().sqrt()
    torch.testing.assert_close(psi, expected, atol=0.05, rtol=0.02)
    distances = [torch.cdist(x.flatten(0, 1), x.flatten(0, 1)) for x in (psi, cells)]
    torch.testing.assert_close(
        distances[0] / distances[0].mean(), distances[1] / distances[1].mean(), atol=0.02, rtol=0
    )


def test_every_weight_is_trained_and_gradients_are_finite(tower, middle):
    assert tower.trained
    assert not FrozenGrid(1280, PARTS, 8).trained
    tower.train()
    a, b = tower.prepare(middle)
    # a picture of nothing at all: the root of a mean that is zero
    psi, phi = tower(torch.cat([a, torch.zeros_like(a[:1])]), torch.cat([b, b[:1]]))
    (psi.square().sum() + phi.cumsum(1).square().sum()).backward()
    parameters = dict(tower.named_parameters())
    assert len(parameters) == 2 * (5 * 3 + 1)
    for name, parameter in parameters.items():
        assert parameter.requires_grad, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_training_it_leaves_the_frozen_encoder_alone(tower, top, middle):
    optimizer = torch.optim.SGD(tower.parameters(), lr=0.1)
    psi, phi = tower(*tower.prepare(middle))
    (psi.mean() + phi.mean()).backward()
    optimizer.step()
    encoder = LiteEncoder(PIXELS)
    again = encoder.encode([encoder.prepare(picture) for picture in pictures(24)])
    assert torch.equal(again.grid, top.grid)
    with torch.no_grad():
        assert not torch.allclose(tower(*tower.prepare(middle))[0], psi)


def test_augmentation_is_for_training_only_and_follows_the_global_generator(middle):
    tower = LiteTop(crop=0.6, flip=True)
    tower.fit(middle)
    a, b = tower.prepare(ImageFeatures(middle.grid[:4], middle.pooled[:4]))
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        plain = tower.eval()(a, b)
        assert torch.equal(plain[0], tower(a, b)[0])
        tower.train()
        state = torch.get_rng_state()
        first = tower(a, b)
        assert not torch.equal(first[0], tower(a, b)[0])
        torch.set_rng_state(state)
        assert torch.equal(first[0], tower(a, b)[0])
    assert first[0].shape == plain[0].shape
    assert nn.functional.cosine_similarity(first[1], plain[1]).min() > 0.5


def test_equal_seeds_train_it_to_equal_bits(middle):
    assert torch.equal(*(trained(middle) for _ in range(2)))


def trained(features):
    """The weights after two steps as training does them."""
    tower = LiteTop(crop=0.6, flip=True)
    tower.fit(features)
    tower.train()
    optimizer = torch.optim.AdamW(tower.parameters(), lr=1e-3)
    before = torch.nn.utils.parameters_to_vector(tower.parameters()).detach()
    torch.use_deterministic_algorithms(True)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(torch.Generator().manual_seed(3).get_state())
            for _ in range(2):
                psi, phi = tower(*tower.prepare(features))
                optimizer.zero_grad()
                (psi.square().mean() + phi.cumsum(1).square().mean()).backward()
                optimizer.step()
    finally:
        torch.use_deterministic_algorithms(False)
    after = torch.nn.utils.parameters_to_vector(tower.parameters()).detach()
    assert not torch.equal(before, after)
    return after


def test_a_saved_tower_is_the_same_when_loaded(tower, middle):
    other = LiteTop()
    assert set(other.state_dict()) == set(tower.state_dict())
    with torch.no_grad():
        for parameter in tower.parameters():
            parameter.mul_(1.01)
        other.load_state_dict(tower.state_dict())
        other.eval()
        assert torch.equal(other(*other.prepare(middle))[1], tower(*tower.prepare(middle))[1])


def test_pictures_do_not_depend_on_their_company(tower, middle):
    a, b = tower.prepare(middle)
    with torch.no_grad():
        together, alone = tower(a, b), tower(a[3:4], b[3:4])
    torch.testing.assert_close(alone[0][0], together[0][3], atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(alone[1][0], together[1][3], atol=1e-2, rtol=1e-3)


def test_a_recipe_chooses_between_frozen_and_trained():
    frozen, tuned = (
        Encoders(EncoderConfig(pixels=64, components=32, crop=0.7, flip=True, tune=tune))
        for tune in ((), ("image",))
    )
    assert (frozen.images, tuned.images) == (LiteEncoder(64), LiteEncoder(64, "middle"))
    assert isinstance(frozen.towers().image, FrozenGrid)
    tower = tuned.towers().image
    assert isinstance(tower, LiteTop)
    assert (tower.crop, tower.flip) == (0.7, True)


def test_regions_are_a_grid_one_wide():
    """Pre-computed regions: (N, C, R, 1), one after the other."""
    g = torch.Generator().manual_seed(0)
    regions = torch.randn(30, 16, 36, 1, generator=g).half()
    features = ImageFeatures(regions, torch.randn(30, 16, generator=g))
    tower = FrozenGrid(16, (16,), 8)
    tower.fit(features)
    psi, phi = tower(*tower.prepare(features))
    assert (psi.shape, phi.shape) == ((30, 36, 8), (30, 16))
    order = torch.randperm(36, generator=g)
    shuffled = ImageFeatures(regions[:, :, order], features.pooled)
    torch.testing.assert_close(tower.prepare(shuffled)[0], psi[:, order])
    x = regions.float().squeeze(3).transpose(1, 2)
    expected = (x - x.mean((0, 1))) @ tower.components.basis
    torch.testing.assert_close(psi, expected, atol=1e-4, rtol=1e-4)
