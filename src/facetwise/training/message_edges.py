"""What a graph encoder may see in training: edges that no loss asks about.

An edge whose pair is also to be told tells itself. The paper parts edges and positives once
(`edge_pairs`); where a loss draws its own pairs in each step, their edges are hidden in it. Hiding
is ours, so that any loss can train a graph encoder.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from facetwise.training.edge_pairs import SplitPairs
from facetwise.training.pair_batches import PairBatch

__all__ = ["message_edges", "unasked"]


def message_edges(splits: Sequence[SplitPairs]) -> Tensor:
    """The edges (E, 2) of all labellings, each once, without any labelling's positives.

    >>> one = SplitPairs(torch.tensor([[0, 1], [1, 2]]), torch.tensor([[0, 2]]))
    >>> other = SplitPairs(torch.tensor([[0, 2], [0, 1]]), torch.tensor([[3, 4]]))
    >>> message_edges([one, other]).tolist()
    [[0, 1], [1, 2]]
    """
    message = torch.cat([split.message for split in splits])
    positive = torch.cat([split.positive for split in splits])
    codes = _codes(message, message, positive).unique()
    span = _span(message, positive)
    codes = codes[~torch.isin(codes, _codes(positive, message, positive))]
    return torch.stack([codes // span, codes % span], 1)


def unasked(edges: Tensor, batch: PairBatch) -> Tensor:
    """Those of the edges (E, 2) that are no pair of the batch.

    >>> three = torch.tensor([5, 6, 7])
    >>> i, j = torch.tensor([0, 1]), torch.tensor([1, 2])
    >>> batch = PairBatch(three, i, j, torch.ones(2), torch.zeros(3))
    >>> unasked(torch.tensor([[5, 6], [5, 7], [1, 5]]), batch).tolist()
    [[5, 7], [1, 5]]
    """
    pairs = torch.stack([batch.rows[batch.i], batch.rows[batch.j]], 1)
    asked = torch.isin(_codes(edges, edges, pairs), _codes(pairs, edges, pairs))
    return edges[~asked]


def _span(*pairs: Tensor) -> int:
    return 1 + max((int(some.max()) for some in pairs if len(some)), default=0)


def _codes(pairs: Tensor, *all_pairs: Tensor) -> Tensor:
    """(P,) a number for each unordered pair (P, 2)."""
    return pairs.amin(1) * _span(*all_pairs) + pairs.amax(1)
