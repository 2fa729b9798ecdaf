"""Sine codes of a place: in a text, in a grid of image cells, in a sorted list."""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from facetwise.errors import InputError

__all__ = [
    "Positions",
    "check_positions",
    "grid_positions",
    "position_code",
    "sine_positions",
    "waves",
]

Positions = Literal["none", "words", "grid"]


def sine_positions(psi: Tensor, mask: Tensor | None = None) -> Tensor:
    """Sine code of the place in a sequence, scaled to 2 pi by its *true* length (METHODS T-16).

    psi: (B, N, C), mask: (B, N) -> (B, N, C).

    >>> short = sine_positions(torch.zeros(1, 3, 8))
    >>> padded = sine_positions(torch.zeros(1, 5, 8), torch.arange(5)[None] < 3)
    >>> torch.allclose(short, padded[:, :3])
    True
    """
    b, n, c = psi.shape
    if mask is None:
        mask = torch.ones(b, n, dtype=torch.bool, device=psi.device)
    length = mask.sum(1, keepdim=True).clamp_min(1)
    place = torch.arange(1, n + 1, device=psi.device) / length * 2 * math.pi  # (B, N)
    return waves(place, c).to(psi.dtype)


def grid_positions(psi: Tensor) -> Tensor:
    """Sine code of the cells of a square grid: half the channels say the row, half the column.

    psi: (B, H * H, C), row by row -> (1, H * H, C). Both are scaled to 2 pi by H, so a finer grid
    of the same picture has codes between those of a coarser one.

    Raises:
        InputError: the number of cells is no square.

    >>> code = grid_positions(torch.zeros(1, 4, 8))[0]
    >>> torch.equal(code[0, :4], code[1, :4]), torch.equal(code[0, 4:], code[2, 4:])
    (True, True)
    """
    n, c = psi.shape[1:]
    side = math.isqrt(n)
    if side * side != n:
        raise InputError(
            f'positions "grid" is for square grids of cells, not for {n} of them; '
            f'use "none" for regions, "words" for texts'
        )
    place = torch.arange(1, side + 1, device=psi.device) / max(side, 1) * 2 * math.pi
    row, column = waves(place, c - c // 2), waves(place, c // 2)
    code = [
        row.unsqueeze(1).expand(-1, side, -1),
        column.unsqueeze(0).expand(side, -1, -1),
    ]
    return torch.cat(code, -1).reshape(1, n, c).to(psi.dtype)


def position_code(
    psi: Tensor, mask: Tensor | None, positions: Positions, *, legacy: bool = False
) -> Tensor | None:
    """The code to add to `psi`, (B, N, C) or (1, N, C), or None; mask: (B, N) or None.

    legacy: a text's code is scaled by the padded length, as in DivE's release: it then depends on
    the longest text of the batch (METHODS T-16).
    """
    if positions == "words":
        return sine_positions(psi, None if legacy else mask)
    return grid_positions(psi) if positions == "grid" else None


def check_positions(positions: Positions | bool) -> Positions:
    """`positions` as it is written in a recipe; True is "words", False "none"."""
    if isinstance(positions, bool):
        return "words" if positions else "none"
    if positions not in ("none", "words", "grid"):
        raise InputError(f'positions must be "none", "words" or "grid", not {positions!r}')
    return positions


def waves(place: Tensor, width: int) -> Tensor:
    """In turn sin and cos of place / 10000^(2j / width); place: (...) -> (..., width)."""
    half = torch.arange(width // 2, device=place.device)
    angle = place[..., None] / 10_000 ** (2 * half / max(width, 1))
    code = torch.stack([angle.sin(), angle.cos()], -1).flatten(-2)
    return F.pad(code, (0, width - code.shape[-1]))
