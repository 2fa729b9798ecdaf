"""Pre-computed regions as an image encoder: features that were made elsewhere, read from the disk.

They stay where they are: nothing is copied into the feature cache, and what a batch needs of the
file is read when it is asked for (COCO's training regions have 33 GB).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

import torch
from torch import Tensor

from facetwise.data.regions import RegionRows, open_regions, region_rows
from facetwise.encoders.features import ImageFeatures
from facetwise.encoders.standardise import GridNorm, PartNorm
from facetwise.encoders.towers import ImageTower
from facetwise.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

    from facetwise.data import Collection

__all__ = ["REGIONS", "RegionFile", "RegionTower", "region_features"]

REGIONS: Final = "regions"
"""What a recipe calls them: ``encoders.image = "regions"``."""

_ROWS: Final = 256
_CELLS: Final = 50_000


@dataclass(frozen=True)
class RegionFile:
    """Regions of a detector, as published beside SCAN and since (METHODS 4.7); no network of ours.

    Attributes:
        count: regions of an image; 36 as published.
        width: of a region's features; 2048 as published.
    """

    count: int = 36
    width: int = 2048

    @property
    def name(self) -> str:
        """What they are called."""
        return f"{REGIONS}-{self.count}x{self.width}"

    @property
    def grid_shape(self) -> tuple[int, int, int]:
        """(width, count, 1): regions stand in no order."""
        return (self.width, self.count, 1)

    @property
    def grid_dtype(self) -> torch.dtype:
        """As published; a file may have others."""
        return torch.float32

    @property
    def parts(self) -> tuple[int, ...]:
        """One: the mean region."""
        return (self.width,)

    @property
    def fingerprint(self) -> str:
        """Of the shape: there are no weights."""
        return hashlib.blake2b(f"{self.name}/1".encode(), digest_size=16).hexdigest()

    def prepare(self, picture: Image.Image) -> NoReturn:
        """Pictures cannot be asked.

        Raises:
            InputError: always.
        """
        raise InputError(
            "this run looks at pre-computed regions, and no detector is there to make them of a "
            "picture; ask with a text, or with an item of the index"
        )

    def encode(self, prepared: Sequence[Tensor]) -> ImageFeatures:
        """Of no pictures."""
        if prepared:
            raise InputError("regions are read from their file, not made of pictures")
        return ImageFeatures(torch.empty(0, *self.grid_shape), torch.empty(0, self.width))


def region_features(
    collection: Collection, encoder: RegionFile, rows: Sequence[int]
) -> ImageFeatures:
    """The regions of a collection's items, in that order.

    The grid, (N, width, count, 1), is a view of the file where rows follow each other evenly, as
    those of a whole split do; others are copied. Numbers are the file's, to the last bit.

    Raises:
        InputError: the collection or an item has none, a file is gone or damaged, or its regions
            are of another shape than the recipe says.
    """
    parts = region_rows(collection, rows)
    found = [_read(part, encoder) for part in parts]
    if len(parts) == 1 and parts[0].places == tuple(range(len(rows))):
        regions = found[0]
    else:
        regions = torch.empty(len(rows), encoder.count, encoder.width)
        for part, values in zip(parts, found, strict=True):
            regions[torch.tensor(part.places)] = values.float()
    means = [part.float().mean(1) for part in regions.split(_ROWS)]
    grid = regions.transpose(1, 2).unsqueeze(3)
    return ImageFeatures(grid, torch.cat([torch.empty(0, encoder.width), *means]))


def _read(part: RegionRows, encoder: RegionFile) -> Tensor:
    array = open_regions(part.file)
    if array.shape[1:] != (encoder.count, encoder.width):
        count, width = array.shape[1:]
        raise InputError(
            f"{part.file} has {count} regions of width {width}, the recipe expects {encoder.count} "
            f"of width {encoder.width}: set encoders.regions={count} and "
            f"encoders.region_width={width}"
        )
    if max(part.rows) >= len(array):
        raise InputError(
            f"{part.file} has only {len(array):,} rows, and row {max(part.rows)} is asked for: it "
            "has changed; import the folder again"
        )
    regions = torch.from_numpy(array)
    steps = {after - before for before, after in zip(part.rows, part.rows[1:], strict=False)}
    step = steps.pop() if steps else 1
    if not steps and step > 0:
        return regions[part.rows[0] : part.rows[-1] + 1 : step]
    return regions[torch.tensor(part.rows)]


class RegionTower(ImageTower):
    """Regions as they are, centred and scaled alike, and the standardised mean region.

    Unlike `FrozenGrid` it keeps all dimensions, and does its work batch by batch, so that a
    training step reads only its own images from the disk. Standardising is ours; the linear map
    behind it can undo it.

    Args:
        width: of a region.
    """

    trained = False

    def __init__(self, width: int) -> None:
        super().__init__()
        self.local_width = self.global_width = width
        self.scale = GridNorm(width)
        self.norm = PartNorm([width])

    def fit(self, features: ImageFeatures) -> None:
        n, _, count, _ = features.grid.shape
        some = features.grid[:: max(1, -(-n * count // _CELLS))]
        self.scale.fit(some)
        self.norm.fit(features.pooled)

    def untrained(self, pooled: Tensor) -> Tensor:
        standard: Tensor = self.norm(pooled)
        return standard

    @torch.no_grad()
    def prepare(self, features: ImageFeatures) -> tuple[Tensor, Tensor]:
        scale = self.global_width**0.5  # about unit variance, as after a layer norm
        return features.grid, self.norm(features.pooled) * scale

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        return self.scale(a), b
