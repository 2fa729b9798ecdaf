"""A vision model as a frozen encoder with its cache, and as a tower that is trained."""

from __future__ import annotations

import io

import pytest
import torch
import transformers as t
from PIL import Image
from torch import nn

from facetwise.data.synthetic import shapes, shapes_collection
from facetwise.encoders import (
    EncoderConfig,
    Encoders,
    FrozenGrid,
    TransformersGrid,
    TransformersImages,
    image_features,
)

VIT = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "image_size": 64,
    "patch_size": 16,
}


def saved(kind, folder):
    t.logging.set_verbosity_error()
    t.logging.disable_progress_bar()
    with torch.random.fork_rng(devices=[]):
        torch.set_rng_state(torch.Generator().manual_seed(0).get_state())
        if kind == "resnet":
            config = t.ResNetConfig(embedding_size=8, hidden_sizes=[8, 32], depths=[1, 1])
            model = t.ResNetModel(config).train()
            for _ in range(3):  # statistics of its own
                model(torch.randn(8, 3, 64, 64) * 3 + 1)
        else:
            model = t.ViTModel(t.ViTConfig(**VIT))
    model.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module", params=["vit", "resnet"])
def source(request, tmp_path_factory):
    return saved(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def prepared(source):
    encoder = TransformersImages(source, 64)
    pictures = [Image.open(io.BytesIO(item.image)).convert("RGB") for item in shapes(24)]
    return [encoder.prepare(picture) for picture in pictures]


def equal(a, b):
    return torch.equal(a.grid, b.grid) and torch.equal(a.pooled, b.pooled)


@pytest.mark.parametrize("layer", ["top", "pixels"])
def test_what_comes_out_of_the_cache_is_what_the_encoder_gave(source, prepared, layer, tmp_path):
    encoder = TransformersImages(source, 64, layer)
    collection = shapes_collection(tmp_path / "shapes.collection", n=24)
    given = encoder.encode(prepared)
    assert given.grid.shape[1:] == encoder.grid_shape
    assert given.grid.dtype == encoder.grid_dtype
    assert given.pooled.shape == (24, *encoder.parts)
    assert equal(image_features(collection, encoder, range(24)), given)
    assert equal(image_features(collection, encoder, range(24)), given)
    some = image_features(collection, encoder, [5, 2, 2])
    assert torch.equal(some.grid, given.grid[[5, 2, 2]])
    none = image_features(collection, encoder, [])
    assert (none.grid.shape, none.grid.dtype) == ((0, *encoder.grid_shape), encoder.grid_dtype)
    assert equal(encoder.encode([]), none)


def test_what_is_kept_does_not_depend_on_its_company(source, tmp_path):
    encoder = TransformersImages(source, 64)
    whole = image_features(shapes_collection(tmp_path / "a", n=24), encoder, range(24))
    other = shapes_collection(tmp_path / "b", n=24)
    for rows in ([23], range(4, 9), [7, 2]):
        image_features(other, encoder, rows)
    assert equal(image_features(other, encoder, range(24)), whole)


def test_nothing_is_computed_twice_and_other_weights_have_another_cache(tmp_path, monkeypatch):
    one = TransformersImages(saved("vit", tmp_path / "1" / "vit"), 64)
    collection = shapes_collection(tmp_path / "shapes.collection", n=8)
    first = image_features(collection, one, range(8))
    model = t.ViTModel.from_pretrained(tmp_path / "1" / "vit")
    with torch.no_grad():
        model.layernorm.bias.add_(1)
    model.save_pretrained(tmp_path / "2" / "vit")
    two = TransformersImages(str(tmp_path / "2" / "vit"), 64)
    assert one.name == two.name == "vit-64"
    assert one.fingerprint != two.fingerprint
    assert not equal(image_features(collection, two, range(8)), first)
    monkeypatch.setattr(TransformersImages, "encode", None)
    assert equal(image_features(collection, one, range(8)), first)


def test_the_way_pictures_are_prepared_is_part_of_the_fingerprint(tmp_path):
    fingerprints = set()
    for number, said in enumerate(["{}", '{"image_mean": [0.5, 0.5, 0.5]}', '{"resample": 3}']):
        folder = saved("vit", tmp_path / str(number))
        (tmp_path / str(number) / "preprocessor_config.json").write_text(said)
        fingerprints |= {
            TransformersImages(folder, pixels, layer).fingerprint
            for pixels in (64, 80)
            for layer in ("top", "pixels")
        }
    assert len(fingerprints) == 12


def test_huge_activations_stay_finite_in_half_precision(tmp_path):
    folder = saved("vit", tmp_path)
    model = t.ViTModel.from_pretrained(folder)
    with torch.no_grad():
        model.layernorm.bias[3] = 1e6
    model.save_pretrained(tmp_path / "huge")
    encoder = TransformersImages(str(tmp_path / "huge"), 64)
    grid = encoder.encode([torch.zeros(3, 64, 64, dtype=torch.uint8)]).grid
    assert torch.isfinite(grid).all()


def test_a_tuned_tower_starts_as_the_frozen_model(source, prepared):
    frozen, tuned = (TransformersImages(source, 64, layer) for layer in ("top", "pixels"))
    top, pixels = frozen.encode(prepared), tuned.encode(prepared)
    assert torch.equal(pixels.grid, torch.stack(prepared))
    assert torch.equal(pixels.pooled, top.pooled)
    tower = TransformersGrid(source, 64)
    tower.fit(pixels)
    plain = FrozenGrid(32, frozen.parts, 32)
    plain.fit(top)
    with torch.no_grad():
        psi, phi = tower.eval()(*tower.prepare(pixels))
    torch.testing.assert_close(phi, plain.prepare(top)[1], atol=1e-4, rtol=1e-4)
    assert psi.shape == (24, 16 if "vit" in source else psi.shape[1], tower.local_width)
    grid = top.grid.float().flatten(2).transpose(1, 2)
    grid = grid - grid.mean((0, 1))
    torch.testing.assert_close(psi, grid / grid.square().mean().sqrt(), atol=1e-2, rtol=1e-2)


def test_statistics_are_those_of_a_network_that_was_trained_before(source, prepared):
    features = TransformersImages(source, 64, "pixels").encode(prepared)
    tower = TransformersGrid(source, 64).eval()
    with torch.no_grad():
        for parameter in tower.parameters():
            parameter.mul_(1.5)
        tower.fit(features)
        own = tower.network(features.grid)[1]
    torch.testing.assert_close(tower.norm.mean, own.mean(0), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(own.mean(0), features.pooled.mean(0), atol=1e-2)


def test_gradients_reach_the_first_layer_and_statistics_stay(source, prepared):
    tower = TransformersGrid(source, 64, crop=0.6, flip=True)
    features = TransformersImages(source, 64, "pixels").encode(prepared)
    tower.fit(features)
    tower.train()
    before = {name: value.clone() for name, value in tower.named_buffers()}
    psi, phi = tower(*tower.prepare(features))
    (psi.square().sum() + phi.cumsum(1).square().sum()).backward()
    for name, value in tower.named_buffers():
        assert torch.equal(value, before[name]), name
    got = {name: p.grad is not None and bool(p.grad.abs().sum() > 0) for name, p in
           tower.named_parameters()}  # fmt: skip
    # the slope of attention does not depend on what is added to all keys
    assert [name for name, some in got.items() if not some and "key.bias" not in name] == []
    assert all(torch.isfinite(p.grad).all() for p in tower.parameters() if p.grad is not None)
    assert tower.training
    norms = [m for m in tower.modules() if isinstance(m, nn.BatchNorm2d)]
    assert not any(norm.training for norm in norms)
    assert bool(norms) == ("resnet" in source)


def test_training_a_tower_leaves_the_frozen_encoder_alone(source, prepared):
    encoder = TransformersImages(source, 64)
    before = encoder.encode(prepared)
    tower = TransformersGrid(source, 64)
    with torch.no_grad():
        for parameter in tower.parameters():
            parameter.add_(1)
    assert equal(encoder.encode(prepared), before)


@pytest.mark.parametrize("pixels", [64, 80])
def test_equal_seeds_train_it_to_equal_bits(source, pixels):
    """Also at a size where position codes are interpolated."""
    g = torch.Generator().manual_seed(2)
    x = torch.randint(0, 256, (4, 3, pixels, pixels), generator=g, dtype=torch.uint8)
    found = []
    for _ in range(2):
        tower = TransformersGrid(source, pixels, crop=0.6, flip=True).train()
        optimizer = torch.optim.AdamW(tower.parameters(), lr=1e-3)
        torch.use_deterministic_algorithms(True)
        try:
            with torch.random.fork_rng(devices=[]):
                torch.set_rng_state(torch.Generator().manual_seed(3).get_state())
                for _ in range(2):
                    psi, phi = tower(x, torch.empty(4, 0))
                    optimizer.zero_grad()
                    (psi.square().mean() + phi.cumsum(1).square().mean()).backward()
                    optimizer.step()
        finally:
            torch.use_deterministic_algorithms(False)
        found.append(nn.utils.parameters_to_vector(tower.parameters()).detach())
    assert torch.equal(*found)


def test_augmentation_is_for_training_only(source, prepared):
    tower = TransformersGrid(source, 64, crop=0.6, flip=True)
    pixels = torch.stack(prepared)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        b = torch.empty(len(pixels), 0)
        tower.eval()
        assert torch.equal(tower(pixels, b)[0], tower(pixels, b)[0])
        tower.train()
        assert not torch.equal(tower(pixels, b)[0], tower(pixels, b)[0])


def test_a_saved_tower_is_the_same_when_loaded(source, prepared):
    features = TransformersImages(source, 64, "pixels").encode(prepared)
    tower = TransformersGrid(source, 64)
    tower.fit(features)
    with torch.no_grad():
        for parameter in tower.parameters():
            parameter.mul_(1.1)
    other = TransformersGrid(source, 64)
    other.load_state_dict(tower.state_dict())
    with torch.no_grad():
        for a, b in zip(
            other.eval()(*other.prepare(features)),
            tower.eval()(*tower.prepare(features)),
            strict=True,
        ):
            assert torch.equal(a, b)


def test_a_recipe_names_a_model_by_its_folder(source):
    frozen, tuned = (
        Encoders(EncoderConfig(image=source, pixels=64, components=8, tune=tune))
        for tune in ((), ("image",))
    )
    assert frozen.images == TransformersImages(source, 64)
    assert tuned.images == TransformersImages(source, 64, "pixels")
    image = frozen.towers().image
    assert isinstance(image, FrozenGrid)
    assert (image.local_width, image.global_width) == (8, 32)
    assert isinstance(tuned.towers().image, TransformersGrid)
