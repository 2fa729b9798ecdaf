"""Where training starts: the linear maps that ridge regression finds, in closed form."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from facetwise.heads.tower import Projection

__all__ = ["ridge", "start_as_ridge", "start_text"]


def ridge(x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """W that minimises |x W - y|^2 + penalty N |W|^2. x: (N, P), y: (N, D) -> (P, D).

    >>> x = torch.eye(3)
    >>> ridge(x, 2 * x, 0.0).diagonal()
    tensor([2., 2., 2.])
    """
    gram = x.T @ x
    gram.diagonal().add_(penalty * len(x))
    solved: Tensor = torch.linalg.solve(gram, x.T @ y)
    return solved


@torch.no_grad()
def start_as_ridge(
    image: Projection,
    text: Projection,
    pooled: Tensor,
    vectors: Tensor,
    texts_of: Sequence[Sequence[int]],
    *,
    penalty: float = 1e-3,
) -> None:
    """Start the global projections as the best linear match of pictures to their texts.

    The text side becomes the D principal components of the sentence vectors, the image side the
    ridge regression of a picture's features onto the mean of its texts there; both MLPs start at
    zero. From a random start a few hundred steps on frozen features barely reach this closed form;
    from here they improve on it. Ours, in the spirit of PAN's metric start (FIELDNOTES, PAN 1).

    Args:
        image: of the picture's features.
        text: of the sentence vectors.
        pooled: (N, P) what `image` will see.
        vectors: (T, C) what `text` will see, of the distinct training texts.
        texts_of: (N) the texts of each picture.
        penalty: of the regression, relative to the mean square of `pooled`'s rows.
    """
    directions = start_text(text, vectors)
    rows = [row for row, own in enumerate(texts_of) if own]
    y = torch.stack([directions[list(texts_of[row])].mean(0) for row in rows])
    x = pooled[rows]
    size = max(float(x.square().sum(1).mean()), 1e-6)  # pictures that are all alike have none
    weight = ridge(x, F.normalize(y, dim=-1), penalty * size)
    # As large as a random start would make them, about unit variance, which the schedules suit.
    scale = 1 / (x @ weight).square().mean().sqrt().clamp_min(1e-6)
    image.fc.weight.zero_()
    image.fc.weight[: weight.shape[1]].copy_(scale * weight.T)
    image.fc.bias.zero_()
    image.silence_mlp()


@torch.no_grad()
def start_text(text: Projection, vectors: Tensor) -> Tensor:
    """Start a projection of sentence vectors as their D principal components, about unit variance.

    Args:
        text: to D numbers.
        vectors: (T, C) of the distinct training texts.

    Returns:
        (T, D') their centred directions in these components; D' is C where C is smaller than D.
    """
    centre = vectors.mean(0)
    directions = F.normalize(vectors - centre, dim=-1)
    dim = text.fc.out_features
    _, components = torch.linalg.eigh((directions.T @ directions).double())  # ascending
    basis = components[:, -dim:].float()  # (C, D), fewer columns than D where C is smaller
    scale = 1 / ((vectors - centre) @ basis).square().mean().sqrt().clamp_min(1e-6)
    text.fc.weight.zero_()
    text.fc.weight[: basis.shape[1]].copy_(scale * basis.T)
    text.fc.bias.zero_()
    text.fc.bias[: basis.shape[1]].copy_(scale * -centre @ basis)
    text.silence_mlp()
    out: Tensor = directions @ basis
    return out
