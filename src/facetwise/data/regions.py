"""Items whose pictures were looked at elsewhere: what is known of them is a file of regions.

Published detectors' features come as one array, (rows, regions, width), and without the photos.
Each item of such a collection says where its regions are (two columns), and has a plain card for a
picture. Its hash follows the regions, so that everything that is known by a picture's hash (what
training has seen, which items are the same) stays true of regions.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from facetwise.errors import InputError

if TYPE_CHECKING:
    from facetwise.data.collection import Collection

__all__ = [
    "FILE_COLUMN",
    "ROW_COLUMN",
    "RegionRows",
    "card",
    "has_regions",
    "open_regions",
    "region_extras",
    "region_rows",
]

FILE_COLUMN: Final = "region_file"
"""Column of the array's path."""

ROW_COLUMN: Final = "region_row"
"""Column of the item's row in it."""

_SIZE: Final = (192, 144)
_LINE: Final = 18
_LINES: Final = 5


@dataclass(frozen=True)
class RegionRows:
    """Rows of one file, in the order asked.

    Attributes:
        file: the array.
        rows: in it.
        places: where each stands among all that were asked for.
    """

    file: Path
    rows: tuple[int, ...]
    places: tuple[int, ...]


def region_extras(file: Path, row: int) -> Mapping[str, float | str]:
    """What an item says of its regions, for `Item.extras`."""
    return {FILE_COLUMN: str(file.resolve()), ROW_COLUMN: float(row)}


def has_regions(collection: Collection) -> bool:
    """Whether its pictures are cards, and its features lie in files of regions."""
    return {FILE_COLUMN, ROW_COLUMN} <= set(collection.extras)


def region_rows(collection: Collection, rows: Sequence[int]) -> list[RegionRows]:
    """Where the regions of these items are, file by file.

    Raises:
        InputError: the collection has no regions, or one of its items has none.
    """
    if not has_regions(collection):
        raise InputError(
            f"{collection.path} has no pre-computed regions; import a folder that has: "
            "facetwise data import DIR --benchmark precomp, or choose another encoders.image"
        )
    table = collection.table([FILE_COLUMN, ROW_COLUMN]).to_pydict()
    where = [(table[FILE_COLUMN][row], table[ROW_COLUMN][row]) for row in rows]
    lost = next((row for row, (file, _) in zip(rows, where, strict=True) if not file), None)
    if lost is not None:
        raise InputError(
            f"{collection.path}: item {collection.ids[lost]!r} has no pre-computed regions, others "
            "have; keep the two kinds in collections of their own"
        )
    order = sorted(range(len(where)), key=lambda place: where[place][0])
    found = []
    for file, same in groupby(order, key=lambda place: where[place][0]):
        places = tuple(same)
        found.append(RegionRows(Path(file), tuple(int(where[it][1]) for it in places), places))
    return found


def open_regions(file: Path) -> Any:
    """The array of a file, (rows, regions, width), mapped from the disk: read where it is used.

    Raises:
        InputError: it is not there, or it is no whole array of that shape.
    """
    import numpy as np

    try:
        # Copies of pages that are written to are ours alone: torch warns of what it cannot write.
        array = np.load(file, mmap_mode="c", allow_pickle=False)
    except FileNotFoundError:
        raise InputError(
            f"{file} is gone, and with it the regions of the collection's items; put it back, or "
            "import the folder again from where it is now"
        ) from None
    except (ValueError, EOFError, OSError) as error:
        raise InputError(f"{file} is no whole array ({error}); get it again") from None
    if array.ndim != 3 or array.dtype.kind != "f" or not len(array):
        raise InputError(
            f"{file} holds {array.dtype} {array.shape}, expected floats (images, regions, width)"
        )
    return array


def card(title: str, regions: Any) -> bytes:
    """A picture (PNG) that says what it stands for; another one where the regions differ.

    Args:
        title: the image's id.
        regions: (regions, width) array.
    """
    from PIL import Image, ImageDraw
    from PIL.PngImagePlugin import PngInfo

    digest = hashlib.blake2b(regions.tobytes(), digest_size=16).hexdigest()
    picture = Image.new("L", _SIZE, 228)  # in colours a hundred thousand of them fill 500 MB
    lines = [title[start : start + _LINE] for start in range(0, len(title), _LINE)]
    ImageDraw.Draw(picture).text(
        (_SIZE[0] / 2, _SIZE[1] / 2),
        "\n".join(lines[:_LINES]),
        fill=50,
        font=_font(),
        anchor="mm",
        align="center",
    )
    about = PngInfo()
    about.add_text("regions", digest)
    out = io.BytesIO()
    picture.save(out, "PNG", pnginfo=about)
    return out.getvalue()


@cache
def _font() -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(18)
