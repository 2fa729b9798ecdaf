from __future__ import annotations

import pytest

from facetwise.data.images import check, decode
from facetwise.errors import InputError

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


def svg(inner, size='viewBox="0 0 20 10"'):
    return f"{HEAD} {size}>{inner}</svg>".encode()


def test_draws_on_white_with_the_longer_side_512():
    data = svg('<rect width="10" height="10" fill="#ff0000"/>')
    picture = decode(data, source="a.svg")
    assert picture.size == check(data, source="a.svg") == (512, 256)
    assert picture.getpixel((100, 100)) == (255, 0, 0)
    assert picture.getpixel((400, 100)) == (255, 255, 255)


def test_a_declaration_and_a_comment_may_come_first():
    data = b'<?xml version="1.0"?><!-- made by hand -->' + svg("")
    assert decode(data, source="a.svg").size == (512, 256)


def test_a_huge_size_is_drawn_small():
    data = svg("<rect/>", 'width="1000000" height="1000000"')
    assert decode(data, source="a.svg").size == (512, 512)


@pytest.mark.parametrize("href", ["/etc/passwd", "secret.png", "http://example.org/a.png", ""])
def test_never_reads_another_file(href):
    for element in ("image", "feImage"):
        inner = f'<{element} xlink:href="{href}" width="20" height="20"/>'
        with pytest.raises(InputError, match="names another file"):
            decode(svg(inner), source="a.svg")


def test_refuses_a_drawing_that_repeats_itself_beyond_measure():
    layers = "".join(
        f'<g id="a{n}">' + f'<use xlink:href="#a{n - 1}"/>' * 10 + "</g>" for n in range(1, 9)
    )
    inner = f'<defs><g id="a0"><rect/></g>{layers}</defs><use xlink:href="#a8"/>'
    with pytest.raises(InputError, match="draws more than"):
        decode(svg(inner), source="a.svg")


def test_refuses_what_is_no_drawing():
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 9))
    document = f'<!DOCTYPE svg [<!ENTITY l0 "lol">{laughs}]>{svg("&l8;").decode()}'
    for data in (b"<svg", svg("<g>"), document.encode(), b"<svg>\xff</svg>"):
        with pytest.raises(InputError, match=r"a\.svg"):
            decode(data, source="a.svg")
