"""Clothing Co-Parsing in its own files: masks in MATLAB's format, photos beside them."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from facetwise.data import Collection
from facetwise.data.benchmarks import ccp
from facetwise.errors import InputError

NAMES = ["null", "bag", "coat", "hair", "shoes", "skin"]


def write(folder: Path, number: int, labels: list[int], *, scale: int = 1) -> None:
    """A photo of 40 x 60: stripes of one label each, in the label's colour; null at the edges."""
    mask = np.zeros((60, 40), np.uint8)
    for place, label in enumerate(labels):
        mask[8 * place : 8 * place + 8, 10:30] = label
    pixels = np.stack([mask * 40, mask * 0 + number % 250, mask * 0 + 90], -1)
    Image.fromarray(pixels).save(folder / "photos" / f"{number:04d}.jpg", quality=95)
    large = mask.repeat(scale, 0).repeat(scale, 1)
    savemat(folder / "annotations" / "pixel-level" / f"{number:04d}.mat", {"groundtruth": large})


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The 200 photos of val, undamaged."""
    root = tmp_path_factory.mktemp("ccp")
    (root / "photos").mkdir()
    (root / "annotations" / "pixel-level").mkdir(parents=True)
    cells = np.empty((1, len(NAMES)), dtype=object)
    cells[0, :] = NAMES
    savemat(root / "label_list.mat", {"label_list": cells})
    for number in ccp.SPLITS["val"]:
        write(root, number, [1, 2, 3, 4, 5])
    return root


@pytest.fixture
def folder(published: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(published, tmp_path / "ccp"))


def test_garments_are_cut_out_by_their_masks(folder):
    source = ccp.read(folder, "val")
    assert source.problems == ()
    assert (len(source), source.photos, source.name) == (600, 200, "ccp-val")
    items = list(source.items())
    first = items[0]
    assert (first.id, first.group, first.outfits) == ("0601/bag", "bag", ("0601",))
    assert (first.split, first.attributes) == ("val", {"type": "bag"})
    assert {item.group for item in items} == {"bag", "coat", "shoes"}
    picture = Image.open(io.BytesIO(first.image))
    assert picture.width == picture.height
    assert picture.getpixel((0, 0)) == (255, 255, 255)
    centre = picture.getpixel((picture.width // 2, picture.height // 2))
    assert abs(centre[0] - 40) < 8  # the bag's stripe, nothing of the coat below it
    assert {item.id: item for item in items}["0602/coat"].extras["share"] == pytest.approx(
        160 / 2400, abs=1e-5
    )


def test_masks_of_the_original_size_fit_scaled_photos(folder):
    write(folder, 601, [1, 2, 4], scale=3)
    pictures = {item.id: item.image for item in ccp.read(folder, "val").items()}
    sizes = [Image.open(io.BytesIO(pictures[f"{n}/bag"])).size for n in ("0601", "0602")]
    assert sizes[0] == sizes[1]


def test_a_mask_that_does_not_fit_is_left_out_and_said(folder):
    write(folder, 601, [1, 2])
    savemat(
        folder / "annotations/pixel-level/0601.mat", {"groundtruth": np.ones((10, 90), np.uint8)}
    )
    (folder / "annotations/pixel-level/0602.mat").write_bytes(b"MATLAB 5.0 nonsense")
    savemat(folder / "annotations/pixel-level/0603.mat", {"other": np.ones((60, 40), np.uint8)})
    savemat(folder / "annotations/pixel-level/0604.mat", {"groundtruth": np.full((60, 40), 99)})
    (folder / "photos/0605.jpg").write_bytes(b"no picture")
    write(folder, 606, [3, 5, 2])
    photo = folder / "photos/0607.jpg"
    photo.write_bytes(photo.read_bytes()[:-200])
    packed = folder / "annotations/pixel-level/0608.mat"
    savemat(packed, {"groundtruth": np.ones((60, 40), np.uint8)}, do_compression=True)
    packed.write_bytes(packed.read_bytes()[:-9])
    source = ccp.read(folder, "val")
    assert source.photos == 192
    said = " | ".join(str(problem) for problem in source.problems)
    for words in (
        "the mask of 90 x 10 does not fit the photo of 40 x 60",
        "0602.mat is no readable MATLAB file",
        "0603.mat holds no groundtruth",
        "0604.mat has the label 99, there are 6",
        "0605.jpg cannot be read as a picture",
        "0607.jpg is truncated",
        "0608.mat is no readable MATLAB file",
        "0606.jpg shows 1 garment, an outfit needs two",
    ):
        assert words in said


def test_tiny_garments_are_left_out(folder):
    write(folder, 601, [1, 2])
    mask = np.zeros((60, 40), np.uint8)
    mask[:20], mask[30:50], mask[55, :2] = 1, 2, 4
    savemat(folder / "annotations/pixel-level/0601.mat", {"groundtruth": mask})
    ids = [garment.id for garment in ccp.read(folder, "val").garments if garment.photo == "0601"]
    assert ids == ["0601/bag", "0601/coat"]
    some = ccp.read(folder, "val", least=0.0).garments
    assert [garment.label for garment in some if garment.photo == "0601"][-1] == "shoes"


def test_missing_photos_are_named(folder):
    (folder / "photos" / "0700.jpg").unlink()
    with pytest.raises(InputError, match=r"199 of 200 photos .*missing: photos/0700.jpg; get them"):
        ccp.read(folder, "val")
    source = ccp.read(folder, "val", allow_partial=True)
    assert source.photos == 199
    assert source.problems[0].kind == "missing"
    with pytest.raises(InputError, match="0 of 204 photos"):
        ccp.read(folder, "test", allow_partial=True)
    with pytest.raises(InputError, match="no split 'dev'; there are train, val, test, all"):
        ccp.read(folder, "dev")


def test_missing_files_are_named(folder, tmp_path):
    (folder / "label_list.mat").unlink()
    with pytest.raises(InputError, match=r"has no label_list\.mat"):
        ccp.read(folder, "val")


def test_the_fingerprint_changes_with_a_mask(folder):
    source = ccp.read(folder, "val")
    before = source.fingerprint()
    assert ccp.read(folder, "val").fingerprint() == before
    os.utime(folder / "annotations/pixel-level/0601.mat", ns=(1, 1))
    assert source.fingerprint() != before


def test_it_becomes_a_collection(folder, tmp_path):
    source = ccp.read(folder, "val")
    collection = Collection.create(tmp_path / "c.collection", source.items(), total=len(source))
    assert len(collection) == 600
    assert collection.attribute_groups == ("type",)
    assert set(collection.splits) == {"val"}


def test_real_photos(real_data):
    source = ccp.read(real_data("clothing-co-parsing"), "val")
    assert (source.photos, len(source), source.problems) == (200, 923, ())
