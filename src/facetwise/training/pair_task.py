"""Training a pair model: batches of pairs, the loss over them, attributes and relevance."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from facetwise.data import AttributeTable
from facetwise.data.sampling import generator_of
from facetwise.losses import attribute_loss, relevance_kl, relevance_truth
from facetwise.models import Known, PairModel, SiameseConfig
from facetwise.similarity import PairScore, relevance_entropy
from facetwise.training.attribute_head import AttributeHead
from facetwise.training.attribute_targets import attribute_targets
from facetwise.training.edge_pairs import EdgePairs
from facetwise.training.message_edges import unasked
from facetwise.training.pair_batches import PairBatch, PairBatches
from facetwise.training.pair_objectives import pair_objective
from facetwise.training.recipe import PairTraining
from facetwise.training.task import cosine

__all__ = ["PairTask"]

_MOST: Final = 16_384
"""Pairs that are scored at once: the paper's full batch of CUB has 180,000, whose differences would
take hundreds of megabytes several times over."""

_TILE: Final = 4096
"""Of more, so many at a time: 25 MB of differences, whose memory is used again."""


class PairTask(nn.Module):
    """A pair model by the loss that its recipe names, its attributes and its relevance.

    L = L_pairs(p) + lambda L_attr(s) + L_relevance(w) (METHODS 1.4; the last is ours). With
    triplets, all pairs of a class-balanced batch and the hardest negatives take the place of the
    paper's cross-entropy over pairs drawn once (``edges``).

    Args:
        model: to train; its feature statistics are set here.
        how: hyperparameters.
        x: (N, P) the training pictures, as the model's `prepare` gives them.
        known: what else is known of them.
        batches: what each step looks at.
        labellings: ways to call two items similar, each (N,) with -1 for unknown.
        attributes: of the N pictures, those that conditions are taught (`taught_table`).
        seed: of starts.
    """

    def __init__(
        self,
        model: PairModel,
        how: PairTraining,
        x: Tensor,
        known: Known,
        batches: PairBatches,
        labellings: list[Tensor],
        attributes: AttributeTable,
        *,
        seed: int,
    ) -> None:
        super().__init__()
        self.what = "training pairs"
        self.steps: int = how.steps
        self.clip: float | None = None
        self.model, self.how = model, how
        model.fit_statistics(x, known, generator_of(seed, -2))
        self.objective = pair_objective(model, how, labellings, generator_of(seed, -6))
        self._x, self._known, self._batches = x, known, batches
        self._targets = attribute_targets(model.config, attributes)
        # Not of the model: it is of no use after training.
        tells = isinstance(model.config, SiameseConfig) and model.config.attribute_head
        self.attribute_head = AttributeHead(model.dim, attributes) if tells else None

    def loss(self, step: int) -> tuple[Tensor, dict[str, float]]:
        """The pairs', the attributes' and the relevance's loss of a step's batch."""
        batch = self._batches.batch(step)
        h = self._embed(batch)
        pairs = self._scored(h, batch)
        loss = self.objective(h, pairs, batch)
        figures = {"pairs": loss.item()}
        if self._targets is not None:
            targets, mask = self._targets(batch.rows[batch.i], batch.rows[batch.j])
            attribute = attribute_loss(pairs.conditions, targets, mask)
            loss = loss + self.how.attribute_weight * attribute
            figures["attributes"] = attribute.item()
            if self.how.relevance_truth and pairs.relevance.shape[1] > 1:
                truth = relevance_truth(pairs.relevance, targets, mask, batch.y)
                loss = loss + self.how.relevance_truth * truth
                figures["relevance"] = truth.item()
        if self.attribute_head is not None:
            attribute = self.attribute_head(h, batch.rows)
            loss = loss + self.how.attribute_weight * attribute
            figures["attributes"] = attribute.item()
        if pairs.relevance.shape[1] > 1:
            if self.how.relevance_kl:
                loss = loss + self.how.relevance_kl * relevance_kl(pairs.relevance)
            pair_entropy, mean_entropy = relevance_entropy(pairs.relevance.detach())
            figures |= {"pair_entropy": pair_entropy, "mean_entropy": mean_entropy}
        return loss, figures

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The head, the conditions, proxies and the attribute head, each at its rate."""
        rates = {"head": self.how.lr, "conditions": self.how.condition_lr}
        groups = [(list(own), rates[name]) for name, own in self.model.parts.items()]
        groups.append((list(self.objective.parameters()), self.how.proxy_lr))
        if self.attribute_head is not None:
            groups.append((list(self.attribute_head.parameters()), self.how.lr))
        return [
            {"params": own, "lr": rate, "weight_decay": 0.0, "eps": self.how.eps}
            for own, rate in groups
            if own
        ]

    def schedule(self, step: int) -> float:
        """Of the rates, at a step."""
        if self.how.schedule == "constant":
            return 1.0
        return cosine(step / max(1, self.steps))

    def _embed(self, batch: PairBatch) -> Tensor:
        rows, known = batch.rows, self._known
        if not self.model.whole:
            return self.model.embed(self._x[rows], known.rows(rows))
        # The paper's pairs are no edges from the beginning.
        if known.edges is not None and not isinstance(self._batches, EdgePairs):
            known = known._replace(edges=unasked(known.edges, batch))
        return self.model.embed(self._x, known)[rows]

    def _scored(self, h: Tensor, batch: PairBatch) -> PairScore:
        """The batch's pairs; of very many the differences are not kept for the way back."""

        def score(i: Tensor, j: Tensor) -> PairScore:
            pairs: PairScore = self.model(h.index_select(0, i), h.index_select(0, j))
            return pairs

        if len(batch.i) <= _MOST:
            return score(batch.i, batch.j)
        tiles = [
            checkpoint(score, i, j, use_reentrant=False)
            for i, j in zip(batch.i.split(_TILE), batch.j.split(_TILE), strict=True)
        ]
        return PairScore(*(torch.cat(parts) for parts in zip(*tiles, strict=True)))
