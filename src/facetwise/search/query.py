"""What a query is: a text, a picture, or an item of the index."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from facetwise.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PIL import Image

__all__ = ["Asked", "IndexedItem", "Query", "read_query"]


@dataclass(frozen=True, eq=False)
class IndexedItem:
    """An item of an index, from `Index.item`; as a query it asks for what is like it.

    Attributes:
        id, texts, group: as in the collection.
        attributes: the value of each attribute group, "a, b" for several, None where unknown.
        thumbnail: the bytes of a small picture (JPEG, PNG, WebP or GIF).
    """

    id: str
    texts: tuple[str, ...] = ()
    group: str | None = None
    attributes: Mapping[str, str | None] = field(default_factory=dict)
    thumbnail: bytes = b""


Query: TypeAlias = "str | Path | bytes | Image.Image | IndexedItem"
"""A `str` is always a text, never a path: a picture's path is a `pathlib.Path`."""


@dataclass(frozen=True, eq=False)
class Asked:
    """A query that has been read.

    Attributes:
        kind: what it is.
        name: what an explanation calls it: the text itself, the file's name, the item's id.
        image: the picture, upright RGB; None for texts and items.
        hash: BLAKE2b-128 of the picture's bytes as they came, to find it among the items.
        id: the item's id.
    """

    kind: Literal["text", "image", "item"]
    name: str
    image: Image.Image | None = None
    hash: str | None = None
    id: str | None = None


def read_query(query: Any) -> Asked:
    """Read a query.

    Args:
        query: a text (`str`), the path of a picture (`pathlib.Path`), its bytes, a PIL image, or an
            `IndexedItem`. A `str` is always a text, even if a file has that name.

    Raises:
        InputError: an empty text, a file that is missing or no picture, or something else.

    >>> read_query("  a red shoe ").name
    'a red shoe'
    """
    if isinstance(query, str):
        text = " ".join(query.split())
        if not text:
            raise InputError("the query is empty; ask with a text such as 'a red shoe'")
        return Asked("text", text)
    if isinstance(query, IndexedItem):
        return Asked("item", query.id, id=query.id)
    if isinstance(query, Path):
        try:
            data = query.read_bytes()
        except OSError as error:
            why = "does not exist" if isinstance(error, FileNotFoundError) else "cannot be read"
            raise InputError(f"{query} {why}; give the path of a picture") from error
        return _picture(data, name=query.name, source=str(query))
    if isinstance(query, (bytes, bytearray, memoryview)):
        return _picture(bytes(query), name="picture", source="the query's picture")
    from PIL import Image

    if isinstance(query, Image.Image):
        return Asked("image", "picture", image=_rgb(query))
    raise InputError(
        f"a query is a text, a pathlib.Path of a picture, its bytes, a PIL image or an item of the "
        f"index, not {type(query).__name__}"
    )


def _rgb(image: Image.Image) -> Image.Image:
    """Upright RGB, transparency over white, as `data.images.decode` gives it."""
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(image)
    if not image.has_transparency_data:
        return image.convert("RGB")
    layered = image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(layered, mask=layered.getchannel("A"))
    return white


def _picture(data: bytes, *, name: str, source: str) -> Asked:
    from facetwise.data.images import decode
    from facetwise.data.writing import image_hash

    return Asked("image", name, image=decode(data, source=source), hash=image_hash(data))
