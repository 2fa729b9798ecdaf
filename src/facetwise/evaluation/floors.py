"""What a trained model must beat: random heads, and ridge regression into the words' space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from facetwise.data.sampling import generator_of
from facetwise.encoders import PartNorm, TextFeatures, masked_mean
from facetwise.heads import ridge
from facetwise.metrics import ranks

__all__ = ["RidgeFloor", "sentence_vectors"]

_PENALTIES: Final = (1e-4, 1e-3, 1e-2, 1e-1)
_CHOSEN_ON: Final = 0.15  # share of the training pictures that the penalty is chosen on


def sentence_vectors(features: TextFeatures) -> Tensor:
    """MiniLM's own sentence embedding: the mean of its tokens, length 1. (M, 384)."""
    return F.normalize(masked_mean(features.tokens, features.mask), dim=-1)


class RidgeFloor:
    """Ridge regression from frozen image features to the frozen sentence space: no SGD.

    The penalty is chosen on a part of the training pictures, never on the test split.

    Args:
        widths: of the parts of the pooled features.
        pooled: (N, P) of the training pictures.
        vectors: (T, 384) of the training texts.
        texts_of: (N) the texts of each picture.
        seed: of the part that the penalty is chosen on.
    """

    def __init__(
        self,
        widths: Sequence[int],
        pooled: Tensor,
        vectors: Tensor,
        texts_of: Sequence[Sequence[int]],
        *,
        seed: int,
    ) -> None:
        self.norm = PartNorm(widths)
        rows = [row for row, own in enumerate(texts_of) if own]
        self.norm.fit(pooled[rows])
        x = self.norm(pooled[rows])
        y = torch.stack([vectors[list(texts_of[row])].mean(0) for row in rows])
        self.centre = y.mean(0)
        y = F.normalize(y - self.centre, dim=-1)
        order = torch.randperm(len(rows), generator=generator_of(seed, -6))
        cut = max(1, round(_CHOSEN_ON * len(rows)))
        held, kept = order[:cut], order[cut:]
        self.penalty = min(
            _PENALTIES, key=lambda p: _mean_rank(ridge(x[kept], y[kept], p), x[held], y[held])
        )
        self.weight = ridge(x, y, self.penalty)

    def images(self, pooled: Tensor) -> Tensor:
        """(N, P) -> (N, 1, 384), rows of length 1."""
        return F.normalize(self.norm(pooled) @ self.weight, dim=-1).unsqueeze(1)

    def texts(self, vectors: Tensor) -> Tensor:
        """(M, 384) sentence vectors -> (M, 1, 384), rows of length 1."""
        return F.normalize(vectors - self.centre, dim=-1).unsqueeze(1)


def _mean_rank(weight: Tensor, x: Tensor, y: Tensor) -> float:
    """Mean rank of the right text, when every held picture ranks all held texts."""
    scores = F.normalize(x @ weight, dim=-1) @ y.T
    return ranks(scores, torch.arange(len(x))).mean().item()
