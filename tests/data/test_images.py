from __future__ import annotations

import contextlib
import io
import struct
import warnings
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from facetwise.data import images
from facetwise.data.images import check, decode
from facetwise.errors import InputError

from .conftest import encoded


def bomb(width=20_000, height=20_000):
    """A PNG of a few bytes that says it has 400 megapixels."""

    def chunk(name, data):
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 99))


def test_decodes_the_usual_formats_to_rgb(picture_bytes):
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"):
        data = picture_bytes((200, 40, 40), (16, 12), kind)
        picture = decode(data, source="a")
        assert (picture.mode, picture.size) == ("RGB", (16, 12))
        assert (
            max(abs(a - b) for a, b in zip(picture.getpixel((5, 5)), (200, 40, 40), strict=True))
            < 12
        )
        assert check(data, source="a") == (16, 12)


def test_transparency_becomes_white(picture_bytes):
    for mode, clear in (("RGBA", (9, 9, 9, 0)), ("LA", (9, 0))):
        picture = decode(picture_bytes(clear, mode=mode), source="a")
        assert picture.getpixel((1, 1)) == (255, 255, 255)
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([10, 20, 30] * 256)
    file = io.BytesIO()
    palette.save(file, "PNG", transparency=0)
    assert decode(file.getvalue(), source="a").getpixel((0, 0)) == (255, 255, 255)


def test_a_turned_photo_stands_upright(picture_bytes):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = picture_bytes(size=(20, 10), kind="JPEG", exif=exif)
    assert decode(data, source="a").size == (10, 20)
    assert check(data, source="a") == (10, 20)


def test_sixteen_bits_keep_their_grey():
    file = io.BytesIO()
    Image.new("I;16", (4, 4), 32_768).save(file, "PNG")
    assert decode(file.getvalue(), source="a").getpixel((0, 0)) == (128, 128, 128)


@pytest.mark.parametrize("read", [decode, check])
@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"not a picture at all", "cannot be read as a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "cannot be read as a picture"),
        (bomb(), "more than 64 megapixels"),
        (bomb(10_000, 9_000), "more than 64 megapixels"),
        (bomb(100, 100), "truncated or damaged"),
    ],
)
def test_refuses_what_is_no_picture(read, data, says):
    with pytest.raises(InputError, match=says) as caught:
        read(data, source="styles.csv row 3: the picture")
    assert str(caught.value).startswith("styles.csv row 3: the picture")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("read", [decode, check])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
def test_refuses_a_file_that_was_cut_off(read, kind):
    noise = Image.effect_noise((64, 64), 90).convert("RGB")
    file = io.BytesIO()
    noise.save(file, kind)
    data = file.getvalue()
    with pytest.raises(InputError, match=r"a\.img"):
        read(data[: len(data) // 2], source="a.img")


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"]),
    st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), max_size=8),
    st.integers(0, 1 << 16),
)
def test_whatever_is_damaged_is_read_or_refused(kind, changes, end):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = bytearray(encoded("teal", (9, 5), kind, exif=exif))
    for place, value in changes:
        data[place % len(data)] = value
    data = bytes(data[: max(1, end % (2 * len(data)))])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of a damaged EXIF part
        for read in (decode, check):
            with contextlib.suppress(InputError):
                read(data, source="a")


def test_opening_leaves_the_callers_warning_filters_alone(picture_bytes):
    before = list(warnings.filters)
    decode(picture_bytes(), source="a")
    assert list(warnings.filters) == before
    assert images.MAX_PIXELS == 64_000_000
