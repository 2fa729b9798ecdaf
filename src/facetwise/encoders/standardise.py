"""Frozen features prepared with statistics of the training pictures: centred, scaled, reduced."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facetwise.encoders.part_weights import choose_part_weights

__all__ = ["Components", "DimensionNorm", "GridNorm", "PartNorm"]


class PartNorm(nn.Module):
    """Centre each part of a feature vector, scale it to length 1, and then the whole.

    Features of different layers have different scales; normalised one by one, each has its say:
    equal by default, or as `weigh` finds best.
    The first part, the network's top, is only centred: scaling its dimensions to unit variance
    costs 7 to 17 points on these features (FIELDNOTES, PAN 2). `fit` sets the statistics, once.

    Args:
        widths: of the parts.
    """

    mean: Tensor
    std: Tensor
    weights: Tensor

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.register_buffer("mean", torch.zeros(sum(self.widths)))
        self.register_buffer("std", torch.ones(sum(self.widths)))
        self.register_buffer("weights", torch.ones(len(self.widths)))

    @torch.no_grad()
    def fit(self, features: Tensor) -> None:
        """Take the statistics of `features`, (N, sum(widths))."""
        self.mean.copy_(features.mean(0))
        std = features.std(0, unbiased=False) + 1e-6
        std[: self.widths[0]] = 1
        self.std.copy_(std)

    @torch.no_grad()
    def weigh(
        self, features: Tensor, labels: Tensor, generator: torch.Generator | None = None
    ) -> None:
        """Weigh the parts by what finds a picture's own kind (`part_weights`); after `fit`.

        Args:
            features: (N, sum(widths)).
            labels: (N,) what they are of, -1 where it is not known.
            generator: which pictures are looked at, of many.
        """
        weights = choose_part_weights(self.parts(features), labels, generator)
        self.weights.copy_(torch.tensor(weights))

    def parts(self, features: Tensor) -> list[Tensor]:
        """(N, sum(widths)) -> the parts, each centred and with rows of length 1."""
        parts = torch.split((features - self.mean) / self.std, list(self.widths), dim=-1)
        return [F.normalize(part, dim=-1) for part in parts]

    def forward(self, features: Tensor) -> Tensor:
        """(N, sum(widths)) -> the same, rows of length 1.

        >>> norm = PartNorm([2, 1])
        >>> norm(torch.tensor([[3.0, 4.0, 2.0]])).norm(dim=1)
        tensor([1.])
        """
        parts = self.parts(features)
        weighed = [weight * part for weight, part in zip(self.weights, parts, strict=True)]
        return F.normalize(torch.cat(weighed, -1), dim=-1)


class DimensionNorm(nn.Module):
    """Centre every dimension of a feature vector and scale it to unit variance (METHODS 1.5, 1.6).

    The papers' preparation; `PartNorm` does better on frozen features that are compared as they
    are. `fit` sets the statistics, once.

    Args:
        widths: of the parts, as `PartNorm`'s.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.register_buffer("mean", torch.zeros(sum(self.widths)))
        self.register_buffer("std", torch.ones(sum(self.widths)))

    @torch.no_grad()
    def fit(self, features: Tensor) -> None:
        """Take the statistics of `features`, (N, sum(widths)); 1e-6 is added to the deviation."""
        self.mean.copy_(features.mean(0))
        self.std.copy_(features.std(0, unbiased=False) + 1e-6)

    def forward(self, features: Tensor) -> Tensor:
        """(N, sum(widths)) -> the same.

        >>> norm = DimensionNorm([2])
        >>> norm.fit(torch.tensor([[3.0, 4.0], [5.0, 8.0]]))
        >>> norm(torch.tensor([[5.0, 6.0]])).round()
        tensor([[1., 0.]])
        """
        return (features - self.mean) / self.std


class Components(nn.Module):
    """Principal components of a grid's channels, scaled to unit variance on the whole.

    Args:
        channels: C of the grid.
        kept: how many components.
    """

    mean: Tensor
    basis: Tensor

    def __init__(self, channels: int, kept: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("basis", torch.eye(channels)[:, :kept])

    @torch.no_grad()
    def fit(self, grid: Tensor, *, cells: int = 50_000) -> None:
        """Take the components of `grid`, (N, C, H, W), from about `cells` of its cells."""
        n, c, h, w = grid.shape
        step = max(1, -(-n * h * w // cells))  # every so many pictures, all of their cells
        x = grid[::step].float().flatten(2).transpose(1, 2).reshape(-1, c)
        self.mean.copy_(x.mean(0))
        x = x - self.mean
        # In double: with few pictures most eigenvalues are zero, which float32 cannot part.
        covariance = (x.T @ x / len(x)).double()
        values, vectors = (part.float() for part in torch.linalg.eigh(covariance))  # ascending
        kept = self.basis.shape[1]
        scale = values[-kept:].clamp_min(0).mean().sqrt().clamp_min(1e-6)
        self.basis.copy_(vectors[:, -kept:] / scale)

    def forward(self, grid: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, H * W, kept)."""
        batches = [
            (part.float().flatten(2).transpose(1, 2) - self.mean) @ self.basis
            for part in grid.split(256)  # the grid is kept in half precision
        ]
        return torch.cat(batches)


class GridNorm(nn.Module):
    """Centre a grid's channels, and scale all of them alike, to unit variance on the whole.

    What `Components` does, but for the rotation and for what it leaves out: for grids of a network
    that is trained, whose statistics are taken before. `fit` sets them, once.

    Args:
        channels: C of the grid.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("scale", torch.ones(()))

    @torch.no_grad()
    def fit(self, grid: Tensor) -> None:
        """Take the statistics of `grid`, (N, C, H, W)."""
        x = grid.float().flatten(2).transpose(1, 2).flatten(0, 1)
        self.mean.copy_(x.mean(0))
        self.scale.copy_((x - self.mean).square().mean().sqrt().clamp_min(1e-6))

    def forward(self, grid: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, H * W, C).

        >>> norm = GridNorm(2)
        >>> norm.fit(torch.tensor([[[[1.0, 3.0]], [[5.0, 5.0]]]]))
        >>> norm(torch.tensor([[[[2.0, 3.0]], [[5.0, 5.0]]]])).shape
        torch.Size([1, 2, 2])
        """
        return (grid.float().flatten(2).transpose(1, 2) - self.mean) / self.scale
