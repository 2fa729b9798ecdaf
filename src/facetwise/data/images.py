"""Bytes to pixels, with bounds: what comes out is an RGB picture or an `InputError`."""

from __future__ import annotations

import io
import threading
import warnings
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

from facetwise.errors import InputError

__all__ = ["FORMATS", "MAX_PIXELS", "SUFFIXES", "check", "decode", "upright"]

MAX_PIXELS: Final = 64_000_000
"""Width times height that is still decoded: 64 megapixels are 192 MB as RGB."""

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
"""Pillow formats that are read (EPS, for one, would start Ghostscript); SVG besides."""

SUFFIXES: Final = frozenset(
    (
        *(".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"),
        *(".tif", ".tiff", ".ppm", ".pgm", ".avif", ".svg"),
    )
)
"""File names that a folder is searched for."""

# warnings.catch_warnings changes the whole process, so one thread at a time may open a header.
_OPENING = threading.Lock()
_EXPECTED: Final = "a JPEG, PNG, WebP, GIF, BMP, TIFF, PPM, AVIF or SVG picture"


def decode(data: bytes, *, source: str) -> Image.Image:
    """Decode a picture to RGB, upright (EXIF), transparency over white.

    Args:
        data: the file's bytes.
        source: what an error should call it, such as ``styles.csv row 3 (images/9.jpg)``.

    Raises:
        InputError: empty, truncated, unreadable, or more than `MAX_PIXELS`.

    >>> picture = Image.new("RGBA", (4, 2))
    >>> file = io.BytesIO(); picture.save(file, "PNG")
    >>> decode(file.getvalue(), source="a.png").getpixel((0, 0))
    (255, 255, 255)
    """
    return upright(_open(data, source), source=source)


def upright(image: Image.Image, *, source: str) -> Image.Image:
    """An opened picture as `decode` gives it: RGB, upright (EXIF), transparency over white.

    Raises:
        InputError: its file is truncated or damaged.
    """
    try:
        return _rgb(ImageOps.exif_transpose(image) if _orientation(image) != 1 else image)
    except Exception as error:  # whatever trips over it, the file is to blame
        raise _broken(source, error) from error


def check(data: bytes, *, source: str) -> tuple[int, int]:
    """Read a picture to its last byte and return its upright width and height in pixels.

    Cheaper than `decode`: a JPEG is scaled down while it is read.

    Raises:
        InputError: as `decode`.
    """
    image = _open(data, source)
    width, height = image.size
    try:
        image.draft("RGB", (max(1, width // 8), max(1, height // 8)))
        image.load()
    except Exception as error:  # as in decode
        raise _broken(source, error) from error
    return (height, width) if _orientation(image) in (5, 6, 7, 8) else (width, height)


def _open(data: bytes, source: str) -> Image.Image:
    if not data:
        raise InputError(f"{source} is empty; put {_EXPECTED} there or leave the row out")
    if _is_svg(data):
        from facetwise.data.svg import render

        return render(data, source=source)
    try:
        with _OPENING, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise _too_large(source) from error
    except UnidentifiedImageError as error:
        raise InputError(f"{source} cannot be read as a picture; expected {_EXPECTED}") from error
    except Exception as error:  # as in decode
        raise _broken(source, error) from error
    if image.width * image.height > MAX_PIXELS:
        raise _too_large(source)
    return image


def _is_svg(data: bytes) -> bool:
    head = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    return head.startswith(b"<") and b"<svg" in data[:65536]


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation; 1, upright, where the EXIF part is damaged."""
    try:
        found = image.getexif().get(0x0112, 1)
    except Exception:
        return 1
    return found if found in range(1, 9) else 1


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        image.load()
        return image
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(layered, mask=layered.getchannel("A"))
        return white
    if image.mode.startswith("I"):  # 16 bits a pixel: Pillow's own conversion clips at 255
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    return image.convert("RGB")


def _too_large(source: str) -> InputError:
    limit = MAX_PIXELS // 1_000_000
    return InputError(f"{source} has more than {limit} megapixels; scale it down")


def _broken(source: str, error: BaseException) -> InputError:
    detail = " ".join(str(error).split())[:120]
    return InputError(f"{source} is truncated or damaged ({detail}); save it again")
