"""Heads that start in closed form: directions in which classes, or attributes' values, differ.

A linear head over frozen features that starts at random spends its few hundred steps on what two
matrices of second moments already tell. So it starts there, and training can only improve on it:
ours, in the spirit of PAN's metric start (FIELDNOTES, PAN 1), and for its rivals alike.

- `within_class_start`: whiten by the scatter *within* the classes, shrunk towards a sphere, so that
  what varies among pictures of one class counts less, and keep the widest directions of all
  pictures. Unlike a discriminant analysis it does not stop at classes - 1 directions, which a few
  dozen classes pay for.
- `attribute_start`: the directions that tell the values of an attribute group, by regression of the
  values on whitened features.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

__all__ = ["attribute_start", "whitening", "within_class_start"]

SHRINKAGE: Final = 3.0
"""Of the scatter within classes, in units of its mean variance: between a fifth and ten do."""

ATTRIBUTE_SHRINKAGE: Final = 2.0
"""Of the scatter of all pictures, for attributes."""

_PADDING: Final = 0.3
"""Length of the rows beyond those that a group's few values give, beside these."""


def whitening(scatter: Tensor, shrinkage: float) -> Tensor:
    """(S / s + shrinkage I)^(-1/2) of a scatter matrix S (P, P) with mean variance s.

    >>> whitening(torch.diag(torch.tensor([0.0, 2.0])), 1.0).diagonal()
    tensor([1.0000, 0.5774])
    """
    mean = scatter.diagonal().mean().clamp_min(torch.finfo(scatter.dtype).tiny)
    values, vectors = torch.linalg.eigh((scatter / mean).double())
    scaled = vectors * (values.clamp_min(0) + shrinkage).rsqrt()
    T: Tensor = (scaled @ vectors.T).to(scatter.dtype)
    return T


@torch.no_grad()
def within_class_start(
    z: Tensor,
    labels: Tensor,
    width: int,
    *,
    generator: torch.Generator | None = None,
    shrinkage: float = SHRINKAGE,
) -> Tensor:
    """Rows (width, P) of a head on features z (N, P) of classes labels (N,), -1 for unknown.

    The widest directions of all pictures in the whitened space, turned at random: |h_i - h_j| is
    no function of lengths and angles alone, and along the principal axes it loses a tenth of what
    it is worth.

    >>> z = torch.randn(40, 6, generator=torch.Generator().manual_seed(0))
    >>> within_class_start(z, torch.arange(40) % 4, 3).shape
    torch.Size([3, 6])
    """
    known = labels >= 0
    classes = labels[known].unique(return_inverse=True)[1]
    own = z[known]
    counts = torch.bincount(classes).clamp_min(1)
    sums = torch.zeros(len(counts), z.shape[1]).index_add_(0, classes, own)
    apart = own - (sums / counts[:, None])[classes]
    T = whitening(apart.T @ apart / max(len(own), 1), shrinkage)
    u = (z - z.mean(0)) @ T
    kept = min(width, z.shape[1])
    axes = torch.linalg.eigh((u.T @ u).double())[1][:, -kept:].to(z.dtype)
    turn = torch.empty(width, kept)
    nn.init.orthogonal_(turn, generator=generator)
    rows: Tensor = turn @ axes.T @ T
    unit: Tensor = rows / rows.norm(dim=1).mean()
    return unit


@torch.no_grad()
def attribute_start(
    z: Tensor,
    values: Tensor,
    width: int,
    padding: Tensor,
    *,
    shrinkage: float = ATTRIBUTE_SHRINKAGE,
    whitened: Tensor | None = None,
) -> Tensor:
    """Rows (width, P) of a head on features z (N, P) that tell the values of an attribute group.

    Args:
        z: features.
        values: (N, A) 1 where an item has the value, 0 where it has not, NaN where unknown.
        width: rows.
        padding: (R, P) rows that follow, shorter, where the group has fewer values than rows.
        shrinkage: of the scatter of all pictures.
        whitened: `whitening` of that scatter, if it is at hand for several groups.

    >>> z = torch.tensor([[1.0, 0.0], [1.1, 1.0], [-1.0, 0.0], [-1.1, 1.0]])
    >>> values = torch.tensor([[1.0], [1.0], [0.0], [0.0]])
    >>> attribute_start(z, values, 1, torch.eye(2)).abs().argmax(1)
    tensor([0])
    """
    centred = z - z.mean(0)
    T = whitening(centred.T @ centred / len(z), shrinkage) if whitened is None else whitened
    known = ~values.isnan()
    counts = known.sum(0).clamp_min(1)
    shares = values.nan_to_num(0).sum(0) / counts
    told = (values - shares).nan_to_num(0)
    # Rare values count as much as common ones.
    told = told / told.square().sum(0).sqrt().clamp_min(1e-6)
    _, strengths, directions = torch.linalg.svd(told.T @ centred @ T, full_matrices=False)
    some = int((strengths > 1e-2 * strengths[:1].clamp_min(1e-12)).sum())
    kept = min(width, some)
    rows: Tensor = strengths[:kept, None] * (directions[:kept] @ T)
    if kept:
        rows = rows / rows.norm(dim=1).mean()
    if kept < width:
        more = padding[torch.arange(width - kept) % len(padding)]
        rows = torch.cat([rows, (_PADDING if kept else 1.0) * more / more.norm(dim=1).mean()])
    return rows
