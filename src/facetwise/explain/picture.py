"""An explanation as a picture: query and hit side by side, and a bar for each facet."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from torch import Tensor

    from .facets import Explanation, Facet

__all__ = ["draw", "heat_map"]

_SCALE = 2  # drawn for screens with two pixels to a point
_WIDTH, _MARGIN = 920, 36
_PICTURE = 240
_INK, _GREY, _LINE, _PAPER, _CARD = "#1c2430", "#667085", "#e4e7ec", "#ffffff", "#f5f6f8"
_AGREE, _DIFFER = "#1a7f4b", "#b54708"
_COLOURS = ("#3b6fd4", "#d9822b", "#2f9e77", "#a855c7", "#d1495b", "#5b8c2a", "#0e8fa3", "#8a6d3b")
_RANKED_FACETS = 12  # so many rows; the rest is one row
_OTHERS = "others"


@lru_cache(maxsize=16)
def _font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    import matplotlib  # it ships the font; drawing itself is Pillow's

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(
        str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), size * _SCALE
    )


class _Page:
    """A drawing in points; text is clipped to the width it is given."""

    def __init__(self, width: int, height: int) -> None:
        self.image = Image.new("RGB", (width * _SCALE, height * _SCALE), _PAPER)
        self._draw = ImageDraw.Draw(self.image)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: int = 13,
        bold: bool = False,
        fill: str = _INK,
        width: float | None = None,
        right: bool = False,
    ) -> float:
        """Write one line whose middle is at `y`; returns how wide it came out."""
        font = _font(size, bold)
        if width is not None:
            text = _clip(text, font, width * _SCALE)
        anchor = "rm" if right else "lm"
        self._draw.text((x * _SCALE, y * _SCALE), text, font=font, fill=fill, anchor=anchor)
        return float(font.getlength(text)) / _SCALE

    def box(self, x: float, y: float, w: float, h: float, fill: str, radius: float = 6) -> None:
        size = (max(1, round(w * _SCALE)), max(1, round(h * _SCALE)))
        # Pillow draws corners in steps: draw them four times as large and shrink the mask.
        mask = Image.new("L", (size[0] * 4, size[1] * 4))
        corner = (0, 0, size[0] * 4 - 1, size[1] * 4 - 1)
        ImageDraw.Draw(mask).rounded_rectangle(corner, radius * _SCALE * 4, fill=255)
        place = (round(x * _SCALE), round(y * _SCALE))
        self.image.paste(fill, (*place, place[0] + size[0], place[1] + size[1]), mask.reduce(4))

    def rule(self, y: float) -> None:
        place = (_MARGIN * _SCALE, y * _SCALE, (_WIDTH - _MARGIN) * _SCALE, y * _SCALE)
        self._draw.line(place, fill=_LINE, width=_SCALE)

    def picture(self, x: float, y: float, side: float, picture: Image.Image) -> None:
        """Fit `picture` into a square card."""
        self.box(x, y, side, side, _CARD)
        inner = int((side - 8) * _SCALE)
        fitted = picture.convert("RGB")
        ratio = min(inner / fitted.width, inner / fitted.height)
        size = (max(1, round(fitted.width * ratio)), max(1, round(fitted.height * ratio)))
        fitted = fitted.resize(size, Image.Resampling.LANCZOS)
        left = round(x * _SCALE + (side * _SCALE - size[0]) / 2)
        top = round(y * _SCALE + (side * _SCALE - size[1]) / 2)
        self.image.paste(fitted, (left, top))


def _clip(text: str, font: ImageFont.FreeTypeFont, width: float) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"


def _wrap(text: str, font: ImageFont.FreeTypeFont, width: float, lines: int) -> list[str]:
    out: list[str] = []
    words = text.split()
    while words and len(out) < lines:
        count = 1
        while count < len(words) and font.getlength(" ".join(words[: count + 1])) <= width:
            count += 1
        last = len(out) == lines - 1
        out.append(_clip(" ".join(words if last else words[:count]), font, width))
        words = words[count:]
    return out


def heat_map(picture: Image.Image, region: Tensor) -> Image.Image:
    """Lay `region` (H, W) over `picture`: what is looked at keeps its colours, the rest fades.

    The region covers the whole picture, as the encoders' grids do.
    """
    import numpy as np

    weight = region.detach().double().cpu().numpy()
    # In parts of an even look, so that a slot that looks everywhere alike is shown to do so.
    weight = weight / max(float(weight.mean()), 1e-12)
    strength = ((weight - 0.5) / (max(float(weight.max()), 2.0) - 0.5)).clip(0, 1)
    mask = Image.fromarray((255 * strength).round().astype("uint8"), "L")
    mask = mask.resize(picture.size, Image.Resampling.BICUBIC)
    part = np.asarray(mask, dtype="float64")[:, :, None] / 255
    rgb = np.asarray(picture.convert("RGB"), dtype="float64")
    faded = 0.25 * rgb.mean(axis=2, keepdims=True) + 0.75 * 235
    glow = np.array([255.0, 196.0, 0.0])
    kept = 0.8 * rgb + 0.2 * glow
    return Image.fromarray((part * kept + (1 - part) * faded).round().astype("uint8"), "RGB")


def draw(explanation: Explanation) -> Image.Image:
    """Draw `explanation`; 920 points wide at two pixels to a point, as high as it needs."""
    facets = _merge_small(explanation.facets)
    has_maps = any(f.region is not None for f in facets) and explanation.item_image is not None
    row = 110 if has_maps else 58
    top = _MARGIN + 66 + _PICTURE + 64
    page = _Page(_WIDTH, int(top + 34 + row * len(facets) + _MARGIN - 8))
    _header(page, explanation)
    _side_by_side(page, explanation, _MARGIN + 66)
    _column_heads(page, explanation, top)
    for number, facet in enumerate(facets):
        _facet(page, explanation, facet, number, top + 26 + number * row, row, facets)
    return page.image


def _merge_small(facets: Sequence[Facet]) -> list[Facet]:
    from .facets import Facet

    if len(facets) <= _RANKED_FACETS:
        return list(facets)
    rest = facets[_RANKED_FACETS - 1 :]
    weight, contribution = sum(f.weight for f in rest), sum(f.contribution for f in rest)
    mean = sum(f.similarity for f in rest) / len(rest)
    if rest[0].kind == "condition" and weight:
        mean = contribution / weight  # so that the row's own product is right
    others = Facet(
        name=f"{len(rest)} {_OTHERS}",
        kind=rest[0].kind,
        contribution=contribution,
        similarity=mean,
        weight=weight,
        change=sum(f.change for f in rest),
    )
    return [*facets[: _RANKED_FACETS - 1], others]


def _header(page: _Page, explanation: Explanation) -> None:
    y = _MARGIN + 8
    page.text(_MARGIN, y, "Why this hit", size=20, bold=True)
    score = f"score {explanation.score:.3f}  ·  rank {explanation.rank}"
    page.text(_WIDTH - _MARGIN, y, score, size=14, bold=True, right=True)
    if explanation.weigh:
        asked = ",  ".join(f"{name} × {factor:g}" for name, factor in explanation.weigh.items())
        before = f"without steering {explanation.unsteered:.3f}  ·  rank"
        before += f" {explanation.unsteered_rank}"
        page.text(_MARGIN, y + 26, f"steered: {asked}", fill=_GREY, width=_WIDTH / 2 - _MARGIN)
        page.text(_WIDTH - _MARGIN, y + 26, before, fill=_GREY, right=True)
    else:
        kind = "slots of the two sets" if explanation.using == "sets" else "conditions of the pair"
        told = explanation.summary or f"the score, shared out over the {kind}"
        page.text(_MARGIN, y + 26, told, fill=_GREY, width=_WIDTH - 2 * _MARGIN)


def _side_by_side(page: _Page, explanation: Explanation, y: float) -> None:
    half = (_WIDTH - 2 * _MARGIN - 24) / 2
    for x, title, picture, texts in (
        (_MARGIN, "query", explanation.query_image, (explanation.query,)),
        (_MARGIN + half + 24, "hit", explanation.item_image, _drawable(explanation.item_texts)),
    ):
        page.box(x, y, half, _PICTURE + 44, _CARD, radius=10)
        page.text(x + 16, y + 22, title.upper(), size=10, bold=True, fill=_GREY)
        if title == "hit":
            page.text(x + half - 16, y + 22, explanation.id, size=11, right=True, fill=_GREY)
        if picture is not None:
            page.picture(x + (half - _PICTURE + 28) / 2, y + 36, _PICTURE - 28, picture)
            caption = " · ".join(texts) if title == "hit" else texts[0]
            width = _font(12).getlength(caption) / _SCALE
            place = x + max(16.0, (half - width) / 2)
            page.text(place, y + _PICTURE + 26, caption, size=12, width=half - 32)
        else:
            quoted = f"“{texts[0]}”" if title == "query" else " · ".join(texts)
            lines = _wrap(quoted, _font(20), (half - 48) * _SCALE, 6)
            first = y + 22 + _PICTURE / 2 - 15 * (len(lines) - 1)
            for number, line in enumerate(lines):
                width = _font(20).getlength(line) / _SCALE
                page.text(x + (half - width) / 2, first + 30 * number, line, size=20)


def _drawable(texts: Sequence[str]) -> list[str]:
    """The texts whose letters the font has: boxes in place of a script tell nobody anything."""
    from matplotlib.ft2font import FT2Font

    letters = FT2Font(_font(12).path).get_charmap()
    kept = [text for text in texts if all(ord(letter) in letters for letter in text)]
    return kept or list(texts)


_NAME, _BAR, _BAR_WIDTH, _NOTE = _MARGIN, _MARGIN + 160, 230, _MARGIN + 520.0


def _column_heads(page: _Page, explanation: Explanation, y: float) -> None:
    sets = explanation.using == "sets"
    likeness = "slot" if sets else "condition"
    note = "query and hit"
    if sets:
        reads = any(facet.words for facet in explanation.facets)
        note = "what it reads, and looks at" if reads else "where it looks: query, hit"
    for x, head in ((_NAME, likeness), (_BAR, "adds to the score"), (_NOTE, note)):
        page.text(x, y + 8, head.upper(), size=10, bold=True, fill=_GREY)
    page.rule(y + 22)


def _facet(
    page: _Page,
    explanation: Explanation,
    facet: Facet,
    number: int,
    y: float,
    row: float,
    facets: Sequence[Facet],
) -> None:
    middle = y + row / 2
    colour = _INK if facet.kind == "steering" else _COLOURS[number % len(_COLOURS)]
    page.box(_NAME, middle - 7, 14, 14, colour, radius=3)
    steered = facet.factor != 1
    page.text(_NAME + 24, middle - (8 if steered else 0), facet.name, bold=True, width=130)
    if steered:
        page.text(_NAME + 24, middle + 9, f"steered × {facet.factor:g}", size=11, fill=_GREY)
    longest = max(abs(f.contribution) for f in facets) or 1.0
    length = max(2.0, abs(facet.contribution) / longest * _BAR_WIDTH)
    page.box(_BAR, middle - 9, _BAR_WIDTH, 14, _CARD, radius=3)
    page.box(_BAR, middle - 9, length, 14, colour if facet.contribution >= 0 else _DIFFER, radius=3)
    end = _BAR + _BAR_WIDTH + 60
    page.text(end, middle - 2, f"{facet.contribution:+.3f}", size=12, right=True)
    share = f"{100 * explanation.share(facet):.0f}%"
    page.text(end + 46, middle - 2, share, size=12, bold=True, right=True)
    page.text(_BAR, middle + 15, _arithmetic(facet), size=10, fill=_GREY)
    _note(page, explanation, facet, middle, row)
    if facet is not facets[-1]:
        page.rule(y + row)


def _tint(part: float) -> str:
    """The card's grey, the bluer the more attention a word holds."""
    part = min(1.0, part)
    return "#" + "".join(
        f"{round(light + part * (full - light)):02x}"
        for light, full in zip((0xF5, 0xF6, 0xF8), (0x9D, 0xBC, 0xF5), strict=True)
    )


def _arithmetic(facet: Facet) -> str:
    if facet.kind == "slot":
        told = f"best cosine {facet.similarity:.2f}"
    elif facet.kind == "steering":
        told = f"agreement {facet.similarity:.2f} × {facet.weight:+.2f}"
    else:
        told = f"similarity {facet.similarity:.2f} × relevance {facet.weight:.2f}"
    if facet.change and facet.kind == "condition":
        told += f"   (steering: {facet.change:+.3f})"
    return told


def _note(page: _Page, explanation: Explanation, facet: Facet, y: float, row: float) -> None:
    """The right end of a row: the words and the heat map of a slot, the values of a condition."""
    x, end = _NOTE, float(_WIDTH - _MARGIN)
    side = row - 10
    for region, picture in (
        (facet.region, explanation.item_image),
        (facet.query_region, explanation.query_image),
    ):
        if region is not None and picture is not None:
            end -= side
            page.picture(end, y - side / 2, side, heat_map(picture, region))
            end -= 10
    if facet.words:
        for word in facet.words:
            wide = _font(12).getlength(word.text) / _SCALE + 20
            if x + wide > end:
                break
            page.box(x, y - 13, wide, 26, _tint(word.attention), radius=13)
            page.text(x + 10, y, word.text, size=12)
            x += wide + 6
    elif facet.query_value is not None or facet.item_value is not None:
        fill, sign = {True: (_AGREE, "|"), False: (_DIFFER, "≠"), None: (_GREY, "|")}[facet.agrees]
        query, verdict = facet.told
        if facet.query_value == facet.item_value:
            sign = "="
        elif verdict == "agree":
            verdict = "agree in part"
        told = f"{query}  {sign}  {facet.item_value or '?'}"
        page.text(x, y - 8, told, size=12, width=end - x)
        page.text(x, y + 10, verdict, size=11, bold=True, fill=fill)
    elif facet.kind == "condition" and not facet.name.endswith(_OTHERS):
        note = "learned, has no name"
        if facet.taught:
            note = "not known of either" if facet.says is None else f"no labels: {facet.told[1]}"
        page.text(x, y, note, size=11, fill=_GREY, width=end - x)
