"""Regions of a file through image_features and towers, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from facetwise.cli.getting import collection_of_benchmark
from facetwise.data.synthetic import shapes_collection
from facetwise.encoders import (
    EncoderConfig,
    Encoders,
    FrozenGrid,
    LiteEncoder,
    RegionFile,
    RegionTower,
    image_features,
)
from facetwise.errors import InputError

from ..precomp_folder import IMAGES, write_precomp

ENCODER = RegionFile(6, 16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_precomp(tmp_path_factory.mktemp("regions") / "mine")


@pytest.fixture(scope="module")
def imported(folder):
    def make(*splits):
        out = folder.parent / f"{'-'.join(splits)}.collection"
        return collection_of_benchmark("precomp", folder, splits=splits, out=out, overwrite=True)

    return make


@pytest.mark.parametrize("split", ["train", "dev", "test", "testall"])
def test_features_are_the_files_own_numbers_each_image_once(folder, imported, split):
    collection = imported(split)
    stored = np.load(folder / f"{split}_ims.npy")
    expected = stored[:: 1 if split == "train" else 5]
    assert len(collection) == len(expected) == IMAGES[split]
    grid, pooled = image_features(collection, ENCODER, range(len(collection)))
    assert grid.shape == (len(expected), *ENCODER.grid_shape)
    assert np.array_equal(grid.squeeze(3).transpose(1, 2), expected)
    assert np.allclose(pooled, expected.mean(1), atol=1e-6)


def test_any_rows_in_any_order_are_the_same_numbers(imported):
    collection = imported("test")
    whole = image_features(collection, ENCODER, range(len(collection)))
    for rows in ([3], [7, 2, 2, 11], [11, 10, 9], [0, 4, 8], [1, 2, 4], []):
        some = image_features(collection, ENCODER, rows)
        assert torch.equal(some.grid, whole.grid[rows])
        assert torch.equal(some.pooled, whole.pooled[rows])


def test_two_splits_in_one_collection(folder, imported):
    collection = imported("train", "dev")
    ids = [collection.row(name) for name in ("2003", "1005", "2000", "1039")]
    grid = image_features(collection, ENCODER, ids).grid.squeeze(3).transpose(1, 2)
    train, dev = (np.load(folder / f"{split}_ims.npy") for split in ("train", "dev"))
    assert np.array_equal(grid, np.stack([dev[15], train[5], dev[0], train[39]]))


def test_a_whole_split_is_not_copied_into_memory(imported):
    collection = imported("test")
    grid = image_features(collection, ENCODER, range(len(collection))).grid
    # Every fifth row of the file, where it lies.
    assert grid.stride(0) == 5 * 6 * 16
    assert not any("features" in path.name for path in collection.path.iterdir())


def test_the_same_image_of_test_and_testall_is_known_by_its_hash(imported):
    test, testall = imported("test"), imported("testall")
    assert test.image_hashes == testall.image_hashes[: len(test)]
    assert not set(test.image_hashes) & set(imported("train").image_hashes)


def test_pictures_and_regions_are_not_mistaken_for_each_other(imported, tmp_path):
    with pytest.raises(InputError, match=r'encoders\.image="regions"'):
        image_features(imported("test"), LiteEncoder(32), [0])
    shapes = shapes_collection(tmp_path / "shapes.collection", n=2)
    with pytest.raises(InputError, match="no pre-computed regions"):
        image_features(shapes, ENCODER, [0])
    with pytest.raises(InputError, match="no detector"):
        ENCODER.prepare(Image.new("RGB", (8, 8)))


def test_another_shape_names_the_settings_that_fit(imported):
    with pytest.raises(InputError, match=r"encoders\.regions=6 and\s+encoders\.region_width=16"):
        image_features(imported("test"), RegionFile(), [0])


def test_a_file_that_has_changed_or_gone_since(tmp_path):
    folder = write_precomp(tmp_path / "mine")
    out = tmp_path / "test.collection"
    collection = collection_of_benchmark("precomp", folder, splits=["test"], out=out)
    file = folder / "test_ims.npy"
    np.save(file, np.load(file)[:20])
    with pytest.raises(InputError, match="has only 20 rows"):
        image_features(collection, ENCODER, range(len(collection)))
    file.unlink()
    with pytest.raises(InputError, match="is gone"):
        image_features(collection, ENCODER, [0])


def test_the_encoder_of_a_recipe():
    encoders = Encoders(EncoderConfig(image="regions"))
    assert encoders.images.grid_shape == (2048, 36, 1)
    assert encoders.images.parts == (2048,)
    assert encoders.images.fingerprint != RegionFile(36, 1024).fingerprint
    assert isinstance(encoders.towers().image, FrozenGrid)
    whole = Encoders(EncoderConfig(image="regions", regions=6, region_width=16, components=16))
    assert isinstance(whole.towers().image, RegionTower)
    with pytest.raises(InputError, match="no network to train"):
        _ = Encoders(EncoderConfig(image="regions", tune=("image",))).images


def test_the_tower_against_numpy(folder, imported):
    tower = RegionTower(16)
    features = image_features(imported("train"), ENCODER, range(40))
    tower.fit(features)
    a, b = tower.prepare(features)
    assert a.data_ptr() == features.grid.data_ptr()  # still on the disk
    rows = torch.tensor([5, 2, 31])
    psi, phi = tower(a[rows], b[rows])
    x = np.load(folder / "train_ims.npy").astype(np.float64)
    mean = x.mean((0, 1))
    expected = (x - mean) / np.sqrt(((x - mean) ** 2).mean())
    assert np.allclose(psi, expected[rows], atol=1e-5)
    pooled = x.mean(1) - x.mean((0, 1))
    pooled /= np.linalg.norm(pooled, axis=1, keepdims=True)
    assert np.allclose(phi, 4 * pooled[rows], atol=1e-4)
    assert np.allclose(tower.untrained(features.pooled), pooled, atol=1e-5)


def test_regions_in_half_precision(tmp_path):
    folder = write_precomp(tmp_path / "mine")
    file = folder / "test_ims.npy"
    np.save(file, np.load(file).astype(np.float16))
    out = tmp_path / "test.collection"
    collection = collection_of_benchmark("precomp", folder, splits=["test"], out=out)
    features = image_features(collection, ENCODER, range(12))
    tower = RegionTower(16)
    tower.fit(features)
    psi, phi = tower(*tower.prepare(features))
    assert psi.dtype == phi.dtype == torch.float32
    assert psi.isfinite().all()
