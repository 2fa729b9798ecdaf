"""A pair model whose conditions say exactly what is put into them."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import torch
from torch import Tensor

from facetwise.data import AttributeTable
from facetwise.models import Condition
from facetwise.similarity import PairScore, steer


class Planted:
    """h: (N, M) one number a condition; s_m is `sure` (.9) where both have the same, else .1.

    Relevance is `weights`, of every pair.
    """

    def __init__(
        self,
        conditions: Sequence[Condition],
        weights: Sequence[float] | None = None,
        sure: Sequence[float] | None = None,
        **config: str,
    ) -> None:
        self.conditions = tuple(conditions)
        M = len(self.conditions)
        self.weights = torch.tensor(weights or [1 / M] * M)
        self.sure = torch.tensor(sure or [0.9] * M)
        self.config = SimpleNamespace(**config)
        self.similarity = self

    def __call__(self, h1: Tensor, h2: Tensor) -> PairScore:
        s = torch.where(h1 == h2, self.sure, 0.1)
        w = self.weights.expand_as(s)
        return PairScore((s * w).sum(-1), s, w)

    def against(self, query: Tensor, gallery: Tensor, factors: Tensor | None = None) -> Tensor:
        factors = torch.ones(len(self.weights)) if factors is None else factors
        rows = [steer(self(q.expand_as(gallery), gallery), factors).score for q in query]
        return torch.stack(rows)


def groups(*names: str) -> list[Condition]:
    """A taught condition for each; a free one where the name starts with "free"."""
    return [Condition(name, None if name.startswith("free") else name) for name in names]


def table(**values: Sequence[str | None]) -> AttributeTable:
    """An attribute table of groups with one value an item; None is unknown."""
    names: list[str] = []
    index: list[int] = []
    blocks: list[Tensor] = []
    for number, (group, own) in enumerate(values.items()):
        there = sorted({value for value in own if value is not None})
        names += [f"{group}={value}" for value in there]
        index += [number] * len(there)
        blocks.append(
            torch.tensor(
                [[-1 if v is None else int(v == one) for one in there] for v in own],
                dtype=torch.int8,
            )
        )
    return AttributeTable(
        groups=tuple(values),
        kinds=("one",) * len(values),
        names=tuple(names),
        group_index=torch.tensor(index),
        states=torch.cat(blocks, 1),
    )
