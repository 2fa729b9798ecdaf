"""Augmentation of pictures, and of the local features that a head sees (METHODS 2.7 and 3.2)."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["crop_and_flip", "drop_cells"]


def crop_and_flip(
    x: Tensor, *, crop: float = 1.0, flip: bool = False, generator: torch.Generator | None = None
) -> Tensor:
    """A random window of each picture, stretched to the whole, and half of them mirrored.

    Of pixels, or of a middle layer's grid. Mirroring a grid is only nearly mirroring the picture:
    the layers below know left edges from right ones.

    Args:
        x: (B, C, H, W), floating.
        crop: height and width of a window are, each on its own, from this share of the whole to
            all of it (.6 in VSE-infinity); 1 for no crop.
        flip: whether to mirror.
        generator: on the CPU; torch's global one if left out.

    Returns:
        (B, C, H, W).

    >>> x = torch.arange(6.0).view(1, 1, 2, 3)
    >>> torch.equal(crop_and_flip(x), x)
    True
    """
    if crop >= 1 and not flip:
        return x
    # Always drawn on the CPU, and all of it: the same windows on every device.
    u = torch.rand(5, len(x), generator=generator).to(x.device)
    if flip:
        x = torch.where((u[0] < 0.5)[:, None, None, None], x.flip(3), x)
    if crop >= 1:
        return x
    shares = crop + (1 - crop) * u[1:3]  # of width and height
    centres = (1 - shares) * (2 * u[3:5] - 1)  # where -1 and 1 are the picture's edges
    theta = x.new_zeros(len(x), 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = shares[0], shares[1]
    theta[:, 0, 2], theta[:, 1, 2] = centres[0], centres[1]
    places = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, places, padding_mode="border", align_corners=False)


def drop_cells(
    mask: Tensor | tuple[int, int],
    generator: torch.Generator,
    *,
    share: float = 0.2,
    rule: Literal["grid", "region"] = "grid",
) -> Tensor:
    """Size augmentation of VSE-infinity: some local features are left out (METHODS 3.2).

    ``region``: each with probability `share`. ``grid``: of each picture a number u is drawn; if it
    is above `share`, each cell goes with probability `share` * u, else all stay. Left out are they
    by a mask, not by zeros or by the length alone, which would dilute what stays (T-17). A picture
    that would lose all keeps all.

    Args:
        mask: (B, N), true where there is a cell; or just (B, N).
        generator: of the draws.
        share: how much.
        rule: for cells of a grid, or for regions.

    Returns:
        (B, N) bool.

    >>> drop_cells((2, 3), torch.Generator(), share=0.0)
    tensor([[True, True, True],
            [True, True, True]])
    """
    if not isinstance(mask, Tensor):
        mask = torch.ones(mask, dtype=torch.bool, device=generator.device)
    u = torch.rand(mask.shape[0], 1, generator=generator, device=generator.device)
    each = torch.rand(mask.shape, generator=generator, device=generator.device)
    rate = torch.where(u > share, share * u, 0.0) if rule == "grid" else torch.full_like(u, share)
    kept = mask & (each >= rate).to(mask.device)
    return torch.where(kept.any(1, keepdim=True), kept, mask)
