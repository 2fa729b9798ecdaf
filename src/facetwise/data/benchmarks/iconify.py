"""Icon sets in the Iconify format: one JSON file of SVG bodies, names and aliases."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from PIL import Image

from facetwise.data.svg import render
from facetwise.errors import InputError

__all__ = ["IconSet", "png_of"]

_SIDE: Final = 16  # of an icon whose set says nothing; the format's own default


@dataclass(frozen=True)
class IconSet:
    """The icons of one set.

    Attributes:
        file: where it was read from.
        prefix: the set's name.
        info: what it says of itself: author, licence, category.
        icons: name to body and size.
        aliases: name to parent and, maybe, a flip or a turn.
        size: width and height of icons that give none.
    """

    file: Path
    prefix: str
    info: Mapping[str, Any]
    icons: Mapping[str, Mapping[str, Any]]
    aliases: Mapping[str, Mapping[str, Any]]
    size: tuple[float, float]

    @classmethod
    def read(cls, file: Path) -> IconSet:
        """Read a set's JSON file.

        Raises:
            InputError: it is not there or no icon set.
        """
        try:
            data = json.loads(file.read_bytes())
            size = (float(data.get("width", _SIDE)), float(data.get("height", _SIDE)))
            return cls(
                file=file,
                prefix=str(data["prefix"]),
                info=dict(data.get("info", {})),
                icons=dict(data["icons"]),
                aliases=dict(data.get("aliases", {})),
                size=size,
            )
        except FileNotFoundError as error:
            raise InputError(f"{file} is not there; fetch it with facetwise data get") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{file} is no Iconify set ({error!r}); fetch it again") from error

    def names(self) -> dict[str, str]:
        """Every name, and the drawing it stands for; an alias that flips or turns is its own.

        >>> body = {"body": "<path/>"}
        >>> aliases = {"b": {"parent": "a"}, "c": {"parent": "a", "hFlip": True}}
        >>> IconSet(Path("x.json"), "x", {}, {"a": body}, aliases, (16, 16)).names()
        {'a': 'a', 'b': 'a', 'c': 'c'}
        """
        found = {name: name for name in self.icons}
        for name in self.aliases:
            chain = self._chain(name)
            if chain is not None:
                plain = all(set(step) <= {"parent", "hidden"} for step in chain[:-1])
                found[name] = self._root(name) if plain else name
        return found

    def svg(self, name: str) -> str:
        """The drawing as a standalone SVG; ``currentColor`` is black.

        Raises:
            InputError: there is no such icon, or its entry is damaged.
        """
        chain = self._chain(name)
        if chain is None or not isinstance(chain[-1].get("body"), str):
            raise InputError(f"{self.file} has no icon {name!r}")
        try:
            return self._drawn(chain)
        except (TypeError, ValueError) as error:
            raise InputError(f"{self.file}: the icon {name!r} is damaged ({error})") from error

    def _drawn(self, chain: list[Mapping[str, Any]]) -> str:
        values = dict(zip(("width", "height"), self.size, strict=True)) | {"left": 0.0, "top": 0.0}
        for step in reversed(chain):
            values |= {key: float(step[key]) for key in values if key in step}
        left, top, width, height = (values[key] for key in ("left", "top", "width", "height"))
        body = str(chain[-1]["body"])
        turns = sum(int(step.get("rotate", 0)) for step in chain) % 4
        mirrored = [sum(bool(step.get(key)) for step in chain) % 2 for key in ("hFlip", "vFlip")]
        centre = (left + width / 2, top + height / 2)
        if any(mirrored):
            x, y = (2 * at if flip else 0 for at, flip in zip(centre, mirrored, strict=True))
            sx, sy = (-1 if flip else 1 for flip in mirrored)
            body = f'<g transform="translate({x:g} {y:g}) scale({sx} {sy})">{body}</g>'
        if turns:
            body = f'<g transform="rotate({90 * turns} {centre[0]:g} {centre[1]:g})">{body}</g>'
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'width="{width:g}" height="{height:g}" viewBox="{left:g} {top:g} {width:g} {height:g}"'
            f' color="#000000">{body}</svg>'
        )

    def _chain(self, name: str) -> list[Mapping[str, Any]] | None:
        """The alias, its parent, and so on to the icon; None where that leads nowhere."""
        steps: list[Mapping[str, Any]] = []
        while name in self.aliases and name not in self.icons:
            steps.append(self.aliases[name])
            name = str(steps[-1].get("parent"))
            if len(steps) > 10:
                return None
        return [*steps, self.icons[name]] if name in self.icons else None

    def _root(self, name: str) -> str:
        while name not in self.icons:
            name = str(self.aliases[name]["parent"])
        return name


def png_of(picture: Image.Image | str, pixels: int, *, source: str) -> bytes:
    """A picture, or an SVG, as a PNG of `pixels` x `pixels` on white; its proportions are kept.

    Raises:
        InputError: the SVG cannot be drawn.
    """
    if isinstance(picture, str):
        picture = render(picture.encode(), source=source, pixels=pixels)
    if picture.size != (pixels, pixels):
        scale = pixels / max(picture.size)
        width, height = (max(1, round(scale * side)) for side in picture.size)
        small = picture.resize((width, height), Image.Resampling.LANCZOS)
        picture = Image.new("RGB", (pixels, pixels), "white")
        picture.paste(small, ((pixels - width) // 2, (pixels - height) // 2))
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=3)
    return file.getvalue()
