"""Graph convolutions over a graph of items: CGAE's encoder, which PAN takes over (METHODS 1.2).

An item's vector depends on the items that it is known to belong with: each layer adds to what the
item itself says the mean over it and its neighbours. An item without neighbours is its own mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["GraphEncoder", "Neighbours", "tidy_edges"]


class Neighbours(NamedTuple):
    """A + I of N items as lists: who sends to each item, itself among them.

    Attributes:
        senders: (T,) those of item 0, then of item 1, and so on.
        counts: (N,) how many each has.
        receivers: (T,) whom each sends to, as the transpose; in an undirected graph the same.
        sent: (N,) to how many.
    """

    senders: Tensor
    counts: Tensor
    receivers: Tensor
    sent: Tensor

    @classmethod
    def of(cls, edges: Tensor, n: int, *, one_direction: bool = False) -> Neighbours:
        """From the edges.

        Args:
            edges: (E, 2) numbers of items. An edge that is there twice, or both ways, counts once
                (METHODS T-7), and so does one from an item to itself.
            n: N items.
            one_direction: the smaller number hears the larger, not the other way round (METHODS
                T-6).

        >>> Neighbours.of(torch.tensor([[0, 2]]), 3).mean(torch.tensor([[0.0], [2.0], [4.0]])).T
        tensor([[2., 2., 2.]])
        """
        low, high = edges.amin(1), edges.amax(1)
        own = torch.arange(n, device=edges.device) * (n + 1)
        up = low * n + high
        into = torch.unique(torch.cat([own, up] if one_direction else [own, up, high * n + low]))
        senders, counts = into % n, torch.bincount(into // n, minlength=n)
        if not one_direction:
            return cls(senders, counts, senders, counts)
        out = torch.unique(torch.cat([own, high * n + low]))
        return cls(senders, counts, out % n, torch.bincount(out // n, minlength=n))

    def mean(self, z: Tensor, more: float = 0.0) -> Tensor:
        """S_1 Z, the means over each item and its neighbours: (N, d) -> (N, d).

        `more` is added to the weight of the item itself, which is 1.
        """
        total: Tensor = _Sum.apply(z, self)  # type: ignore[no-untyped-call]
        counts = self.counts.to(z.dtype).unsqueeze(1)
        return (total + more * z) / (counts + more) if more else total / counts


class GraphEncoder(nn.Module):
    """Z = BN(ReLU(sum_k S_k (dropout(Z') Theta_k))), layer by layer (METHODS 1.2).

    S_0 = I and S_1 = D^-1 (A + I), row normalised. In training some items lose all of their edges
    (support dropout), and then some edges go, so that no item can rely on its neighbours. Without
    edges, S_1 = I. Dropout goes by the global generator, as `nn.Dropout`'s.

    Args:
        in_dim: width of the features.
        widths: of the layers' outputs.
        degree: 1; or 0 for no S_1, which makes an MLP of it.
        dropout: of each layer's input.
        support_dropout: share of the items that are alone in a step of training.
        edge_dropout: share of the other edges that are left out; the code for CUB leaves out none.
        batch_norm: without it the layers have a bias.
        one_direction: legacy: outside training, an edge is heard at its smaller number only (T-6).
        doubled_loops: legacy: in training with support dropout an item counts twice among its own
            neighbours (T-7).
        generator: randomness of the start, Kaiming-normal.

    >>> encoder = GraphEncoder(5, [4, 3])
    >>> encoder(torch.randn(6, 5), torch.tensor([[0, 1], [4, 5]])).shape
    torch.Size([6, 3])
    """

    def __init__(
        self,
        in_dim: int,
        widths: Sequence[int] = (350, 350, 350),
        *,
        degree: int = 1,
        dropout: float = 0.5,
        support_dropout: float = 0.15,
        edge_dropout: float = 0.15,
        batch_norm: bool = True,
        one_direction: bool = False,
        doubled_loops: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if not widths or min(in_dim, *widths) < 1 or degree not in (0, 1):
            raise ValueError(f"widths {in_dim}, {list(widths)} or degree {degree} are impossible")
        self.degree = degree
        self.support_dropout, self.edge_dropout = support_dropout, edge_dropout
        self.one_direction, self.doubled_loops = one_direction, doubled_loops
        ends = [in_dim, *widths]
        self.layers = nn.ModuleList(
            _Layer(a, b, degree, dropout, batch_norm, generator) for a, b in pairwise(ends)
        )

    def forward(self, x: Tensor, edges: Tensor | None = None) -> Tensor:
        """x: (N, in_dim), edges: (E, 2) int64 of its rows, each once -> (N, widths[-1])."""
        around, more = None, 0.0
        if self.degree and edges is not None and len(edges):
            one_direction = self.one_direction and not self.training
            around = Neighbours.of(self._kept(edges, len(x)), len(x), one_direction=one_direction)
            more = float(self.doubled_loops and self.training and self.support_dropout > 0)
        for layer in self.layers:
            x = layer(x, around, more)
        return x

    @torch.no_grad()
    def start_statistics(self, x: Tensor, edges: Tensor | None = None) -> Tensor:
        """Set the running statistics of batch normalisation to those of all items, (N, in_dim).

        Without dropout. So the encoder can be used, and what comes after it be scaled, before its
        first step. Returns what it gives with them.
        """
        norms = [module for module in self.modules() if isinstance(module, nn.BatchNorm1d)]
        before = self.training
        self.eval()
        for norm in norms:
            norm.train().momentum = 1.0
        try:
            self(x, edges)
        finally:
            for norm in norms:
                norm.momentum = 0.1
        out: Tensor = self.eval()(x, edges)
        self.train(before)
        return out

    def _kept(self, edges: Tensor, n: int) -> Tensor:
        """Without those that are dropped, in training."""
        if not self.training:
            return edges
        if self.support_dropout:
            there = torch.rand(n, device=edges.device) >= self.support_dropout
            edges = edges[there[edges].all(1)]
        if self.edge_dropout:
            edges = edges[torch.rand(len(edges), device=edges.device) >= self.edge_dropout]
        return edges


class _Layer(nn.Module):
    def __init__(
        self,
        in_dim: int,
        out_dim: int,
        degree: int,
        dropout: float,
        batch_norm: bool,
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.theta = nn.ParameterList(
            nn.Parameter(torch.empty(out_dim, in_dim)) for _ in range(degree + 1)
        )
        for theta in self.theta:
            nn.init.kaiming_normal_(theta, nonlinearity="relu", generator=generator)
        self.bias = None if batch_norm else nn.Parameter(torch.zeros(out_dim))
        self.norm = nn.BatchNorm1d(out_dim) if batch_norm else nn.Identity()

    def forward(self, z: Tensor, around: Neighbours | None, more: float) -> Tensor:
        z = self.dropout(z)
        own, *others = [F.linear(z, theta) for theta in self.theta]
        for other in others:
            # Multiplied first: sums over neighbours are then as narrow as the layer.
            own = own + (other if around is None else around.mean(other, more))
        if self.bias is not None:
            own = own + self.bias
        out: Tensor = self.norm(F.relu(own))
        return out


class _Sum(torch.autograd.Function):
    """(A + I) Z by bags of rows, with the transpose as its gradient: no (T, d) is ever made."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, around: Neighbours) -> Tensor:
        ctx.around = around
        return _bags(z, around.senders, around.counts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _bags(gradient.contiguous(), ctx.around.receivers, ctx.around.sent), None


def _bags(z: Tensor, rows: Tensor, counts: Tensor) -> Tensor:
    out: Tensor = F.embedding_bag(rows, z, counts.cumsum(0) - counts, mode="sum")
    return out


def tidy_edges(edges: Tensor) -> Tensor:
    """Each edge once, the smaller number first, in order; none from an item to itself.

    >>> tidy_edges(torch.tensor([[2, 1], [1, 2], [3, 3], [0, 5]])).tolist()
    [[0, 5], [1, 2]]
    """
    edges = torch.stack([edges.amin(1), edges.amax(1)], 1)
    once: Tensor = torch.unique(edges[edges[:, 0] < edges[:, 1]], dim=0)
    return once
