"""A start for K global features of an image that are to mean different things.

The counterpart of `ridge.start_as_ridge` for sets: where that maps a picture to the mean of its
texts, this cuts the texts into K clusters, and gives each element a map onto the picture's texts of
one cluster. From one common map all elements would start alike, and nothing would part them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from facetwise.heads.ridge import ridge, start_text
from facetwise.heads.tower import Projection

__all__ = ["start_as_mixture"]

_RESTARTS: Final = 4
_RARITY: Final = 0.5
"""A text of n pictures counts n to this power less: tags that most pictures have mean little."""


@torch.no_grad()
def start_as_mixture(
    image: Projection,
    text: Projection,
    pooled: Tensor,
    vectors: Tensor,
    texts_of: Sequence[Sequence[int]],
    *,
    penalty: float = 1e-3,
    common: float = 0.5,
) -> None:
    """Start K projections as ridge regressions onto K clusters of texts. Ours.

    k-means parts the training texts; for each cluster ridge regression maps a picture onto the mean
    of its texts in it, over the pictures that have any; element k starts as the mean of that map
    and of the one onto all texts. The MLPs start at zero.

    Args:
        image: of the picture's features, to K D numbers.
        text: of the sentence vectors, to D numbers.
        pooled: (N, P) what `image` will see.
        vectors: (T, C) what `text` will see, of the distinct training texts.
        texts_of: (N) the texts of each picture.
        penalty: of the regressions, relative to the mean square of `pooled`'s rows.
        common: share of the map onto all texts.

    >>> g = torch.Generator().manual_seed(0)
    >>> image, text = (Projection(w, d, hidden=8, dropout=0.0) for w, d in ((6, 8), (5, 4)))
    >>> x, y = torch.randn(20, 6, generator=g), torch.randn(9, 5, generator=g)
    >>> start_as_mixture(image, text, x, y, [[row % 9, (row + 4) % 9] for row in range(20)])
    >>> image(x).unflatten(1, (2, 4)).shape
    torch.Size([20, 2, 4])
    """
    from sklearn.cluster import KMeans

    dim = text.fc.out_features
    K = image.fc.out_features // dim
    v = start_text(text, vectors)  # (T, D') of the centred directions, D' <= D
    rows = torch.tensor([row for row, own in enumerate(texts_of) for _ in own])
    texts = torch.tensor([one for own in texts_of for one in own])
    weight = torch.bincount(texts, minlength=len(v)).clamp_min(1) ** -_RARITY
    clusters = min(K, len(np.unique(v.numpy().round(6), axis=0)))
    found = KMeans(clusters, n_init=_RESTARTS, random_state=0).fit(F.normalize(v, dim=-1).numpy())
    cluster = torch.from_numpy(found.labels_).long()
    size = max(float(pooled.square().sum(1).mean()), 1e-6)  # pictures that are all alike have none

    def onto(kept: Tensor) -> Tensor:
        """Ridge regression onto the weighted mean of the texts of those edges."""
        total = v.new_zeros(len(pooled), v.shape[1])
        total.index_add_(0, rows[kept], weight[texts[kept], None] * v[texts[kept]])
        has = torch.zeros(len(pooled), dtype=torch.bool)
        has[rows[kept]] = True
        return ridge(pooled[has], F.normalize(total[has], dim=-1), penalty * size)

    shared = onto(torch.ones(len(rows), dtype=torch.bool))
    image.fc.weight.zero_()
    image.fc.bias.zero_()
    for k in range(K):
        own = onto(cluster[texts] == k % clusters)
        start = common * shared + (1 - common) * own
        scale = 1 / (pooled @ start).square().mean().sqrt().clamp_min(1e-6)
        image.fc.weight[k * dim : k * dim + start.shape[1]].copy_(scale * start.T)
    image.silence_mlp()
