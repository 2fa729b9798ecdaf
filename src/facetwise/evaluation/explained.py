"""Are explanations true? The respects in which they say that two pictures agree, held to labels.

An explanation says of each taught condition whether the pair agrees in it (`models.claims`), and
names first what it is surest of, by s_m; not by what it adds to the score, s_m w_m, since relevance
is about what differs. Here the first 5 that it says agree, of those whose truth is known, are
looked up in the attributes of both pictures, which the model has not seen: precision at 5. Beside
it

- **chance**: how often a condition of these pairs is an agreement in truth, named or not;
- **the usual**: the precision of naming, for each pair as many as the explanation names, those
  conditions that agree most often over all of these pairs: an explanation that never looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from facetwise.data import AttributeTable
from facetwise.models import PairModel
from facetwise.models.claims import agreeing, true_agreement

__all__ = ["Explained", "explanation_precision", "top_pairs"]

_TILE = 4096


@dataclass(frozen=True)
class Explained:
    """Claims of agreement over many pairs.

    Attributes:
        precision: percent of the named agreements that are true.
        chance: percent of all conditions of these pairs that agree, where that is known.
        usual: percent of true ones when the most usual conditions are named instead.
        named: how many are named for a pair, on average, of those whose truth is known.
        pairs: how many pairs were explained.
        checked: how many claims were looked up in all.
        k: how many are named at most.
    """

    precision: float
    chance: float
    usual: float
    named: float
    pairs: int
    checked: int
    k: int = 5

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""

        def percent(value: float) -> float | None:
            return None if value != value else round(value, 2)

        return {
            f"precision@{self.k}": percent(self.precision),
            "chance": percent(self.chance),
            "usual": percent(self.usual),
            "named": round(self.named, 2),
            "pairs": self.pairs,
            "checked": self.checked,
        }


@torch.no_grad()
def explanation_precision(
    pan: PairModel,
    h: Tensor,
    attributes: AttributeTable,
    i: Tensor,
    j: Tensor,
    *,
    k: int = 5,
) -> Explained | None:
    """Hold the explanations of pairs to the attributes.

    Args:
        pan: the model.
        h: (N, d) embeddings.
        attributes: of the N items.
        i: (P,) rows.
        j: (P,) rows.
        k: how many agreements an explanation names at most.

    Returns:
        None where no condition stands for something that the table knows.
    """
    columns, truth, known = true_agreement(pan, attributes, i, j)
    if len(columns) == 0 or len(i) == 0:
        return None
    claims, alike = [], []
    for r, c in zip(i.split(_TILE), j.split(_TILE), strict=True):
        pair = pan(h[r], h[c])
        claims.append(agreeing(pan, pair)[:, columns])
        alike.append(pair.conditions[:, columns])
    claimed, sure = torch.cat(claims), torch.cat(alike)
    named = _first(sure, claimed & known, k)
    often = ((truth & known).sum(0) + 1) / (known.sum(0) + 2)  # one seen once is not the most usual
    as_many = named.sum(1)
    usual = _first(often.expand_as(sure), known, as_many)
    return Explained(
        precision=_percent(truth, named),
        chance=_percent(truth, known),
        usual=_percent(truth, usual),
        named=as_many.double().mean().item(),
        pairs=len(i),
        checked=int(named.sum()),
        k=k,
    )


@torch.no_grad()
def top_pairs(
    pan: PairModel, h: Tensor, queries: Tensor | None = None, *, k: int = 10
) -> tuple[Tensor, Tensor]:
    """Rows (Q k,) of queries and of their first k answers (Q k,) among all items."""
    everyone = torch.arange(len(h))
    queries = everyone if queries is None else queries
    k = min(k, len(h) - 1)
    found = []
    for tile in queries.split(256):
        scores = pan.against(h[tile], h)
        found.append(scores.masked_fill(tile[:, None] == everyone, -torch.inf).topk(k).indices)
    return queries.repeat_interleave(k), torch.cat(found).flatten()


def _first(values: Tensor, among: Tensor, most: int | Tensor) -> Tensor:
    """(P, C) bool: of each row the highest values among some, at most so many."""
    order = values.masked_fill(~among, -torch.inf).argsort(dim=1, descending=True, stable=True)
    rank = torch.empty_like(order)
    rank.scatter_(1, order, torch.arange(order.shape[1]).expand_as(order))
    limit = most if isinstance(most, int) else most[:, None]
    return among & (rank < limit)


def _percent(truth: Tensor, counted: Tensor) -> float:
    total = int(counted.sum())
    return 100 * int((truth & counted).sum()) / total if total else float("nan")
