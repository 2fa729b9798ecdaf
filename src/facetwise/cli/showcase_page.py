"""The demo's contact sheet: one PNG, and one HTML page that needs nothing beside it."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..files import write_bytes, write_text

if TYPE_CHECKING:
    from PIL import Image

    from ..search import IndexedItem
    from .showcase import Showcase

    Items = Mapping[str, IndexedItem]

__all__ = ["write_sheet"]

_CELL: Final = 112
_GAP: Final = 12
_LABEL: Final = 260
_TEXT: Final = 34
_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; color: #1b1b1b;
       padding: 0 1rem; background: #fff }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
.row { display: flex; gap: .8rem; align-items: flex-start; margin: .6rem 0; flex-wrap: wrap }
.row > .asked { width: 13rem; font-weight: 600 } .row > .asked img { display: block; width: 6rem }
figure { margin: 0; width: 7rem; text-align: center } figure img { width: 6rem; height: 6rem }
figcaption { font-size: .75rem; color: #555; overflow-wrap: anywhere }
.unseen figcaption { color: #a3450b } pre { overflow-x: auto; background: #f5f5f5; padding: 1rem }
.why { max-width: 100%; border: 1px solid #ddd } footer { color: #555; margin-top: 3rem }
"""


def write_sheet(show: Showcase) -> tuple[Path, Path]:
    """Write ``sheet.png`` and ``index.html`` into the demo's folder; returns their paths."""
    png, html = show.folder / "sheet.png", show.folder / "index.html"
    ids = {hit.id for answer in show.answers for hit in answer.hits}
    ids |= {answer.picture for answer in show.answers if answer.picture is not None}
    items = {item.id: item for item in show.index.items(sorted(ids))}
    data = io.BytesIO()
    _draw(show, items).save(data, "PNG")
    write_bytes(png, data.getvalue())
    write_text(html, _page(show, items))
    return png, html


def _draw(show: Showcase, items: Items) -> Image.Image:
    from PIL import Image, ImageDraw

    across = max(len(answer.hits) for answer in show.answers)
    height = _CELL + _TEXT
    sheet = Image.new(
        "RGB",
        (_LABEL + across * (_CELL + _GAP) + _GAP, 70 + len(show.answers) * (height + _GAP)),
        "white",
    )
    pen = ImageDraw.Draw(sheet)
    pen.text((_GAP, _GAP), "facetwise demo: OpenMoji", font=_font(22), fill="#111111")
    note = "orange: of a concept that was never seen in training"
    pen.text((_GAP, 44), note, font=_font(13), fill="#a3450b")
    for number, answer in enumerate(show.answers):
        y = 70 + number * (height + _GAP)
        pen.line((0, y - 6, sheet.width, y - 6), fill="#e4e4e4")
        lines = _wrap(answer.title, 26)
        for place, line in enumerate(lines):
            pen.text((_GAP, y + 4 + 20 * place), line, font=_font(15), fill="#111111")
        if answer.picture is not None:
            picture = _picture(items[answer.picture]).resize((72, 72))
            sheet.paste(picture, (_GAP, y + 8 + 20 * len(lines)))
        for place, hit in enumerate(answer.hits):
            x = _LABEL + place * (_CELL + _GAP)
            sheet.paste(_picture(items[hit.id]).resize((_CELL, _CELL)), (x, y))
            ink = "#a3450b" if hit.id in show.unseen else "#555555"
            name = _cut(_name(items[hit.id]), 18)
            pen.text((x, y + _CELL + 2), name, font=_font(12), fill=ink)
            pen.text((x, y + _CELL + 17), f"{hit.score:.3f}", font=_font(12), fill=ink)
    return sheet


def _page(show: Showcase, items: Items) -> str:
    rows: list[str] = []
    for answer in show.answers:
        asked = f'<div class="asked">{escape(answer.title)}'
        if answer.picture is not None:
            asked += _image(items[answer.picture])
        hits = "".join(
            f"<figure{' class=unseen' if hit.id in show.unseen else ''}>{_image(items[hit.id])}"
            f"<figcaption>{escape(_name(items[hit.id]))}<br>{hit.score:.3f}</figcaption></figure>"
            for hit in answer.hits
        )
        rows.append(f'<div class="row">{asked}</div>{hits}</div>')
    why = "".join(
        f"<h2>{escape(title)}</h2><img class=why alt={_quoted(title)} "
        f"src={_quoted(_embedded(show.folder / name))}>"
        for title, name in show.explained
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>facetwise demo</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style><h1>facetwise demo: OpenMoji</h1>"
        "<p>Each hit with its name and score. Orange: of a concept that was never seen in training."
        f"</p>{''.join(rows)}{why}<h2>Figures, on unseen concepts</h2>"
        f"<pre>{escape(_tables(show))}</pre>"
        "<footer>All emojis designed by OpenMoji – the open-source emoji and icon project. "
        "License: CC BY-SA 4.0</footer></html>\n"
    )


def _tables(show: Showcase) -> str:
    from rich.console import Console

    from ..evaluation.bench_demo import comparison_tables

    console = Console(file=io.StringIO(), width=110, color_system=None)
    with console.capture() as capture:
        console.print(comparison_tables([show.figures]))
    return capture.get()


def _name(item: IndexedItem) -> str:
    return item.texts[0] if item.texts else item.id


def _picture(item: IndexedItem) -> Image.Image:
    from PIL import Image

    return Image.open(io.BytesIO(item.thumbnail)).convert("RGB")


def _image(item: IndexedItem) -> str:
    data = base64.b64encode(item.thumbnail).decode()
    kind = "png" if item.thumbnail[:4] == b"\x89PNG" else "jpeg"
    return f'<img alt={_quoted(_name(item))} src="data:image/{kind};base64,{data}">'


def _embedded(file: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(file.read_bytes()).decode()}"


def _quoted(text: str) -> str:
    return f'"{escape(text)}"'


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _wrap(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
