"""Worlds with known answers: coloured shapes as a real collection, features with known facets."""

from __future__ import annotations

import io
import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from facetwise.data.attributes import AttributeTable
from facetwise.data.collection import Collection
from facetwise.data.item import Item
from facetwise.data.schema import Kind

__all__ = ["World", "facet_world", "shapes", "shapes_collection"]

_COLOURS: Final = {
    "red": (214, 40, 40),
    "blue": (38, 84, 200),
    "green": (44, 150, 62),
    "yellow": (245, 205, 30),
    "purple": (128, 60, 160),
    "black": (25, 25, 25),
}
_SHAPES: Final = ("circle", "square", "triangle", "star", "cross")
_BACKGROUNDS: Final = {"white": (255, 255, 255), "grey": (190, 190, 190), "pink": (250, 205, 215)}
_PLACES: Final = {"above": (0, 1), "below": (0, -1), "left of": (1, 0), "right of": (-1, 0)}
_PIXELS: Final = 64


def shapes(n: int, *, seed: int = 0) -> Iterator[Item]:
    """Draw `n` pictures of a coloured shape, half of them with a second shape beside it.

    Of each item is known: attributes ``shape``, ``size`` and ``background`` (one value),
    ``colour`` (all colours of the shapes shown), the flag ``outlined``, two texts (the short name
    of the main shape and a full sentence), the number ``turn`` (degrees), and the group, which is
    the main shape and its colour: ``red circle``. The background of every tenth is unknown.
    """
    chance = random.Random(seed)
    things = [(colour, shape) for shape in _SHAPES for colour in _COLOURS]
    for number in range(n):
        colour, shape = things[number % len(things)]
        size = chance.choice(("small", "large"))
        background = chance.choice(tuple(_BACKGROUNDS))
        outlined = chance.random() < 0.3
        turn = chance.uniform(-20, 20)
        image = Image.new("RGB", (_PIXELS, _PIXELS), _BACKGROUNDS[background])
        text, shown = f"a {size} {colour} {shape}", [colour]
        centre = (32 + chance.uniform(-4, 4), 32 + chance.uniform(-4, 4))
        if chance.random() < 0.5:
            place, (right, down) = chance.choice(tuple(_PLACES.items()))
            other_colour, other_shape = chance.choice(things)
            second = (centre[0] + 16 * right, centre[1] + 16 * down)
            centre = (centre[0] - 14 * right, centre[1] - 14 * down)
            _draw(image, other_shape, other_colour, second, radius=8, turn=-turn, outlined=False)
            text += f" {place} a {other_colour} {other_shape}"
            shown.append(other_colour)
        radius = 16 if size == "large" else 10
        _draw(image, shape, colour, centre, radius=radius, turn=turn, outlined=outlined)
        file = io.BytesIO()
        image.save(file, "PNG")
        yield Item(
            id=f"shape-{number:04d}",
            image=file.getvalue(),
            texts=(f"{colour} {shape}", f"{text} on a {background} background"),
            group=f"{colour} {shape}",
            attributes={
                "shape": shape,
                "colour": tuple(dict.fromkeys(shown)),
                "size": size,
                "background": None if number % 10 == 9 else background,
                "outlined": outlined,
            },
            extras={"turn": round(turn, 1)},
        )


def shapes_collection(path: str | Path, n: int = 120, *, seed: int = 0) -> Collection:
    """`shapes` as a collection on disk: 30 groups, of four items each by default.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> collection = shapes_collection(Path(folder) / "shapes.collection", n=3)
    >>> collection.texts[1][0], collection.attribute_groups
    ('blue circle', ('shape', 'colour', 'size', 'background', 'outlined'))
    """
    return Collection.create(
        path, shapes(n, seed=seed), name="shapes", source="facetwise.data.synthetic", total=n
    )


@dataclass(frozen=True)
class World:
    """Features whose facets are known.

    Attributes:
        features: (N, D) what an encoder would give, N = things times views.
        groups: (N,) which thing each row shows.
        attributes: one value of each group for every row, the same for all views of a thing.
        directions: attribute group to (V, D), the direction in which each of its values lies.
    """

    features: Tensor
    groups: Tensor
    attributes: AttributeTable
    directions: Mapping[str, Tensor]


def facet_world(
    n_things: int,
    views: int,
    attributes: Mapping[str, int],
    noise: float,
    generator: torch.Generator,
    *,
    dim: int = 64,
) -> World:
    """Features: the sum of a direction for each attribute value, one for the thing, and noise.

    Args:
        n_things: things; each draws one value of every group.
        views: rows for each thing, which differ by noise only.
        attributes: group to its number of values; together at most `dim`.
        noise: expected length of the noise, where each direction has length 1.
        generator: where all chance comes from.
        dim: D.

    >>> world = facet_world(5, 2, {"colour": 3}, 0.0, torch.Generator().manual_seed(0), dim=8)
    >>> world.features.shape, world.groups.tolist()
    (torch.Size([10, 8]), [0, 0, 1, 1, 2, 2, 3, 3, 4, 4])
    """
    total = sum(attributes.values())
    if total > dim:
        raise ValueError(f"{total} values do not fit into {dim} dimensions; raise dim")
    basis, _ = torch.linalg.qr(torch.randn(dim, dim, generator=generator))
    things = torch.nn.functional.normalize(torch.randn(n_things, dim, generator=generator), dim=1)
    names: list[str] = []
    index: list[int] = []
    states = torch.zeros(n_things, total, dtype=torch.int8)
    directions: dict[str, Tensor] = {}
    start = 0
    for g, (group, count) in enumerate(attributes.items()):
        directions[group] = basis[start : start + count]
        value = torch.randint(count, (n_things,), generator=generator)
        states[torch.arange(n_things), start + value] = 1
        things = things + directions[group][value]
        width = len(str(count - 1))
        names += [f"{group}={v:0{width}d}" for v in range(count)]
        index += [g] * count
        start += count
    features = things.repeat_interleave(views, dim=0)
    features = features + noise / dim**0.5 * torch.randn(features.shape, generator=generator)
    kinds: tuple[Kind, ...] = tuple("one" for _ in attributes)
    table = AttributeTable(
        groups=tuple(attributes),
        kinds=kinds,
        names=tuple(names),
        group_index=torch.tensor(index, dtype=torch.long),
        states=states.repeat_interleave(views, dim=0),
    )
    return World(features, torch.arange(n_things).repeat_interleave(views), table, directions)


def _draw(
    image: Image.Image,
    shape: str,
    colour: str,
    centre: tuple[float, float],
    *,
    radius: float,
    turn: float,
    outlined: bool,
) -> None:
    pen = ImageDraw.Draw(image)
    line = (255, 255, 255) if colour == "black" else (0, 0, 0)
    outline, width = (line, 3) if outlined else (None, 1)
    x, y = centre
    if shape == "circle":
        box = (x - radius, y - radius, x + radius, y + radius)
        pen.ellipse(box, fill=_COLOURS[colour], outline=outline, width=width)
    else:
        corners = [
            (x + radius * (u * c - v * s), y + radius * (u * s + v * c))
            for u, v in _outline(shape)
            for c, s in [_rotation(turn)]
        ]
        pen.polygon(corners, fill=_COLOURS[colour], outline=outline, width=width)


def _rotation(degrees: float) -> tuple[float, float]:
    angle = math.radians(degrees)
    return math.cos(angle), math.sin(angle)


def _outline(shape: str) -> list[tuple[float, float]]:
    """The corners of a shape within the unit circle."""
    if shape == "square":
        return [(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)]
    if shape == "triangle":
        return [_point(-90 + 120 * k, 1.0) for k in range(3)]
    if shape == "star":
        return [_point(-90 + 36 * k, 1.0 if k % 2 == 0 else 0.42) for k in range(10)]
    arm = 0.33  # a cross, corner by corner
    return [
        (-arm, -1), (arm, -1), (arm, -arm), (1, -arm), (1, arm), (arm, arm),
        (arm, 1), (-arm, 1), (-arm, arm), (-1, arm), (-1, -arm), (-arm, -arm),
    ]  # fmt: skip


def _point(degrees: float, length: float) -> tuple[float, float]:
    c, s = _rotation(degrees)
    return c * length, s * length
