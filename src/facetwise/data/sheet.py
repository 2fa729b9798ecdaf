"""A contact sheet: sample pictures of a collection with what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont, ImageOps

from facetwise.data.collection import Collection

__all__ = ["contact_sheet", "sample_rows"]

_PICTURE: Final = 200
_GAP: Final = 16
_LINE: Final = 19
_INK: Final = {"strong": "#111111", "plain": "#444444", "faint": "#8a8a8a"}


def sample_rows(count: int, wanted: int) -> list[int]:
    """`wanted` rows spread evenly over `count`, always the same ones.

    >>> sample_rows(100, 4)
    [12, 37, 62, 87]
    """
    wanted = min(wanted, count)
    return [(2 * place + 1) * count // (2 * wanted) for place in range(wanted)]


def contact_sheet(
    collection: Collection, rows: Sequence[int] | None = None, *, across: int = 6, lines: int = 8
) -> Image.Image:
    """Pictures in a grid, each above its id, text, group and attributes.

    Args:
        collection: where they come from.
        rows: which items; by default 24 spread over the collection.
        across: pictures in a row.
        lines: lines of attributes below each picture at most.
    """
    rows = sample_rows(len(collection), 24) if rows is None else list(rows)
    shown = [*collection.attribute_groups, *collection.extras]
    cells = collection.table(shown).take(rows).to_pylist() if shown else [{} for _ in rows]
    captions = [
        _caption(collection, row, cell, lines) for row, cell in zip(rows, cells, strict=True)
    ]
    height = _PICTURE + 8 + _LINE * max((len(caption) for caption in captions), default=0)
    down = -(-len(rows) // across)
    sheet = Image.new(
        "RGB",
        (across * (_PICTURE + _GAP) + _GAP, down * (height + _GAP) + _GAP + 2 * _LINE),
        "white",
    )
    pen = ImageDraw.Draw(sheet)
    title = f"{collection.name}: {len(collection)} items, {len(rows)} of them shown"
    pen.text((_GAP, _GAP), title, font=_font(18), fill=_INK["strong"])
    for place, (picture, caption) in enumerate(zip(collection.images(rows), captions, strict=True)):
        x = _GAP + place % across * (_PICTURE + _GAP)
        y = _GAP + 2 * _LINE + place // across * (height + _GAP)
        small = ImageOps.contain(picture, (_PICTURE, _PICTURE))
        pen.rectangle((x, y, x + _PICTURE, y + _PICTURE), fill="#f4f4f4")
        sheet.paste(small, (x + (_PICTURE - small.width) // 2, y + (_PICTURE - small.height) // 2))
        for number, (text, ink) in enumerate(caption):
            spot = (x, y + _PICTURE + 6 + number * _LINE)
            pen.text(spot, _cut(text, _PICTURE), font=_font(13), fill=_INK[ink])
    return sheet


def _caption(
    collection: Collection, row: int, cells: dict[str, object], lines: int
) -> list[tuple[str, str]]:
    """(text, ink) a line: the id, the first text, the group, then what is known."""
    texts, group = collection.texts[row], collection.groups[row]
    more = f" (+{len(texts) - 1})" if len(texts) > 1 else ""
    caption = [
        (collection.ids[row], "strong"),
        *_wrapped(texts[0] + more if texts else "", "plain"),
    ]
    if not texts:
        caption.append(("no text", "faint"))
    if group is not None:
        caption.append((group, "plain"))
    known = [(name, _words(value)) for name, value in cells.items() if value not in (None, [])]
    for name, value in known[:lines]:
        caption.append((f"{name}: {value}", "faint"))
    return caption


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(value) if isinstance(value, list) else str(value)


def _wrapped(text: str, ink: str) -> list[tuple[str, str]]:
    """One or two lines; what does not fit into them is cut when drawn."""
    words = text[:200].split()
    fits = 0
    while fits < len(words) and _font(13).getlength(" ".join(words[: fits + 1])) <= _PICTURE:
        fits += 1
    parts = (" ".join(words[: max(1, fits)]), " ".join(words[max(1, fits) :]))
    return [(part, ink) for part in parts if part]


def _cut(text: str, width: int) -> str:
    text = " ".join(text[:200].split())
    if _font(13).getlength(text) <= width:
        return text
    while text and _font(13).getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    import matplotlib  # it ships a font with more alphabets than Pillow's own

    file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(file), size)
