"""Image-text retrieval on a collection's own texts, both ways, with the mean-vector control.

A picture's texts are right for it, and for every other picture that has the very same text: many
positives, ties against the model (METHODS section 5).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from facetwise.metrics import circular_variance, ranks
from facetwise.similarity import mean_vectors

__all__ = ["ImageText", "Recalls", "image_text", "matches", "recalls"]

KS: Final = (1, 5, 10)
_TILE = 512


@dataclass(frozen=True)
class Recalls:
    """Percent of queries with a right answer among the first 1, 5, 10; median rank of the first."""

    r1: float
    r5: float
    r10: float
    medr: float
    queries: int

    def to_dict(self) -> dict[str, float]:
        """With the field's names."""
        return {
            "R@1": round(self.r1, 2),
            "R@5": round(self.r5, 2),
            "R@10": round(self.r10, 2),
            "medr": self.medr,
        }


@dataclass(frozen=True)
class ImageText:
    """Retrieval of texts by images and of images by texts.

    Attributes:
        images, texts: how many.
        i2t, t2i: recalls.
        control: RSUM of the normalised mean vector of each set: a set model that does no better
            has learned a single vector (FIELDNOTES, DivE 2).
        variance: mean circular variance of the sets (METHODS 2.8).
    """

    images: int
    texts: int
    i2t: Recalls
    t2i: Recalls
    control: float | None = None
    variance: tuple[float, float] | None = None

    @property
    def rsum(self) -> float:
        """Sum of the six recalls in percent, at most 600."""
        return sum((r.r1 + r.r5 + r.r10) for r in (self.i2t, self.t2i))

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        out: dict[str, Any] = {
            "images": self.images,
            "texts": self.texts,
            "i2t": self.i2t.to_dict(),
            "t2i": self.t2i.to_dict(),
            "rsum": round(self.rsum, 2),
        }
        if self.control is not None:
            out["control"] = {"mean_vector_rsum": round(self.control, 2)}
        if self.variance is not None:
            names = ("image", "text")
            out["variance"] = {n: round(v, 5) for n, v in zip(names, self.variance, strict=True)}
        return out


def matches(texts: Sequence[Sequence[str]]) -> tuple[list[str], Tensor]:
    """The distinct texts, sorted, and (E, 2) which picture (row) goes with which text.

    >>> matches([["b", "a"], ["a"]])
    (['a', 'b'], tensor([[0, 1],
            [0, 0],
            [1, 0]]))
    """
    distinct = sorted({text for own in texts for text in own})
    place = {text: index for index, text in enumerate(distinct)}
    edges = [(row, place[text]) for row, own in enumerate(texts) for text in dict.fromkeys(own)]
    return distinct, torch.tensor(edges, dtype=torch.long).view(-1, 2)


def image_text(
    x: Tensor,
    y: Tensor,
    edges: Tensor,
    similarity: Callable[[Tensor, Tensor], Tensor],
) -> ImageText:
    """Rank texts for images and images for texts, a tile of queries at a time.

    Args:
        x: (B, K, D) image sets.
        y: (C, L, D) text sets.
        edges: (E, 2) which goes with which.
        similarity: (N, K, D) and (M, L, D) -> (N, M); symmetric.
    """
    control = None
    if x.shape[1] > 1:
        both = _both_ways(mean_vectors(x), mean_vectors(y), edges, _cosine)
        control = sum(r.r1 + r.r5 + r.r10 for r in both)
    i2t, t2i = _both_ways(x, y, edges, similarity)
    variance = (circular_variance(x).mean().item(), circular_variance(y).mean().item())
    return ImageText(len(x), len(y), i2t, t2i, control, variance if x.shape[1] > 1 else None)


def recalls(rank: Tensor) -> Recalls:
    """(Q,) ranks from 1, NaN for queries without a right answer, which do not count."""
    known = rank[~rank.isnan()]
    if len(known) == 0:
        return Recalls(0.0, 0.0, 0.0, 0.0, 0)
    at = [100 * (known <= k).double().mean().item() for k in KS]
    return Recalls(at[0], at[1], at[2], known.quantile(0.5).item(), len(known))


def _both_ways(
    x: Tensor, y: Tensor, edges: Tensor, similarity: Callable[[Tensor, Tensor], Tensor]
) -> tuple[Recalls, Recalls]:
    return _ranked(x, y, edges, similarity), _ranked(y, x, edges.flip(1), similarity)


def _ranked(
    queries: Tensor,
    gallery: Tensor,
    edges: Tensor,
    similarity: Callable[[Tensor, Tensor], Tensor],
) -> Recalls:
    found: list[Tensor] = []
    for start in range(0, len(queries), _TILE):
        tile = queries[start : start + _TILE]
        relevant = torch.zeros(len(tile), len(gallery), dtype=torch.bool)
        here = edges[(edges[:, 0] >= start) & (edges[:, 0] < start + len(tile))]
        relevant[here[:, 0] - start, here[:, 1]] = True
        found.append(ranks(similarity(tile, gallery), relevant))
    return recalls(torch.cat(found))


def _cosine(x: Tensor, y: Tensor) -> Tensor:
    return x[:, 0] @ y[:, 0].T
