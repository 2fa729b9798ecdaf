"""SVG to pixels with resvg, bounded in size, in repetition and in what it may read."""

from __future__ import annotations

import io
from typing import Final
from xml.etree import ElementTree

from PIL import Image

from facetwise.errors import InputError

__all__ = ["MAX_BYTES", "MAX_ELEMENTS", "PIXELS", "render"]

PIXELS: Final = 512
"""The longer side of a rendered drawing. Always given: resvg aborts the process on huge sizes."""

MAX_BYTES: Final = 8_000_000
MAX_ELEMENTS: Final = 200_000
"""Elements that are drawn once every ``<use>`` is replaced by what it stands for."""


def render(data: bytes, *, source: str, pixels: int = PIXELS) -> Image.Image:
    """Draw an SVG on white, its longer side `pixels` long.

    Raises:
        InputError: not a drawing, too large, or it names another file (which is never read).
    """
    import resvg_py

    if len(data) > MAX_BYTES:
        raise InputError(f"{source} is an SVG over {MAX_BYTES // 1_000_000} MB; simplify it")
    try:
        text = data.decode("utf-8-sig")
        root = ElementTree.fromstring(data)
        _check(root, source)
        png = resvg_py.svg_to_bytes(
            svg_string=text, width=pixels, height=pixels, background="#ffffff"
        )
        return Image.open(io.BytesIO(bytes(png)), formats=("PNG",)).convert("RGB")
    except InputError:
        raise
    except (ElementTree.ParseError, ValueError, OSError, RecursionError) as error:
        detail = " ".join(str(error).split())[:120]
        raise InputError(f"{source} is no readable SVG ({detail}); save it again") from error


def _check(root: ElementTree.Element, source: str) -> None:
    """Refuse references to files and drawings that repeat themselves beyond measure."""
    identified = {name: part for part in root.iter() if (name := part.get("id"))}
    for part in root.iter():
        if _tag(part) in ("image", "feImage") and not _href(part).startswith(("data:", "#")):
            raise InputError(f"{source} names another file; embed that picture in the SVG")
    counts: dict[int, int] = {}

    def drawn(part: ElementTree.Element) -> int:
        if id(part) not in counts:
            counts[id(part)] = 1  # a <use> within itself counts once; resvg refuses it anyway
            total = 1 + sum(drawn(child) for child in part)
            target = identified.get(_href(part).removeprefix("#")) if _tag(part) == "use" else None
            counts[id(part)] = total + (drawn(target) if target is not None else 0)
        return counts[id(part)]

    if drawn(root) > MAX_ELEMENTS:
        raise InputError(f"{source} draws more than {MAX_ELEMENTS} elements; simplify it")


def _tag(part: ElementTree.Element) -> str:
    return str(part.tag).rpartition("}")[2]


def _href(part: ElementTree.Element) -> str:
    return part.get("href") or part.get("{http://www.w3.org/1999/xlink}href") or ""
