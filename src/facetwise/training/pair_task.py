"""Training a pair model on class-balanced batches of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from facetwise.data import AttributeTable
from facetwise.data.sampling import ClassBatches, generator_of
from facetwise.encoders import ImageFeatures
from facetwise.losses import attribute_loss, batch_triplet, relevance_kl
from facetwise.models import PAN, Siamese
from facetwise.similarity import relevance_entropy
from facetwise.training.recipe import PairTraining
from facetwise.training.task import cosine

__all__ = ["PairTask"]


class PairTask(nn.Module):
    """PAN or the siamese by triplets over class-balanced batches, PAN with the attribute loss.

    L = L_triplet(p) + lambda L_attr(s) + beta KL(w || uniform). The triplets on p take the place of
    the paper's cross-entropy over pairs drawn once: all pairs of a batch, the hardest negatives.

    Args:
        model: to train; its feature statistics are set here.
        how: hyperparameters.
        images: features of the N training pictures.
        labellings: ways to call two pictures similar, each (N,) with -1 for unknown: one if there
            are groups, else one for each attribute group.
        attributes: of the N pictures, reduced to the taught groups in the order of the conditions.
        seed: of the batches.
    """

    def __init__(
        self,
        model: PAN | Siamese,
        how: PairTraining,
        images: ImageFeatures,
        labellings: Sequence[Tensor],
        attributes: AttributeTable,
        *,
        seed: int,
    ) -> None:
        super().__init__()
        self.what = "training pairs"
        self.steps: int = how.steps
        self.clip: float | None = None
        self.model, self.how = model, how
        model.fit_statistics(images.pooled, generator_of(seed, -2))
        self._pooled = images.pooled
        self._attributes = attributes
        self._batches = ClassBatches(
            labellings, classes=how.classes, per_class=how.per_class, seed=seed
        )

    def loss(self, step: int) -> tuple[Tensor, dict[str, float]]:
        """Triplets, attributes and relevance of a step's batch."""
        rows, labels = self._batches.batch(step)
        h = self.model.embed(self._pooled[rows])
        if isinstance(self.model, Siamese):
            loss = batch_triplet(h @ h.T, labels, margin=self.how.margin, hardest=self.how.hardest)
            return loss, {"triplet": loss.item()}
        n = len(rows)
        i, j = torch.triu_indices(n, n, 1)
        pairs = self.model(h.index_select(0, i), h.index_select(0, j))
        # Each pair is scored once and stands on both sides of the diagonal.
        scores = torch.zeros(n, n).index_put(
            (torch.cat([i, j]), torch.cat([j, i])), pairs.score.repeat(2)
        )
        loss = batch_triplet(scores, labels, margin=self.how.margin, hardest=self.how.hardest)
        figures = {"triplet": loss.item()}
        if self._attributes.groups:
            targets, mask = self._attributes.same_value(rows[i], rows[j])
            attribute = attribute_loss(pairs.conditions, targets, mask)
            loss = loss + self.how.attribute_weight * attribute
            figures["attributes"] = attribute.item()
        if self.how.relevance_kl:
            loss = loss + self.how.relevance_kl * relevance_kl(pairs.relevance)
        pair_entropy, mean_entropy = relevance_entropy(pairs.relevance.detach())
        figures |= {"pair_entropy": float(pair_entropy), "mean_entropy": float(mean_entropy)}
        return loss, figures

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The head, and the conditional similarity at its own rate."""
        groups: list[dict[str, Any]] = [
            {"params": list(self.model.head.parameters()), "lr": self.how.lr, "weight_decay": 0.0}
        ]
        if isinstance(self.model, PAN):
            own = list(self.model.conditional.parameters())
            groups.append({"params": own, "lr": self.how.condition_lr, "weight_decay": 0.0})
        return groups

    def schedule(self, step: int) -> float:
        """Cosine to zero."""
        return cosine(step / max(1, self.steps))
