"""What a step of training is: a set model on texts, a pair model on labels and attributes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from facetwise.data import AttributeTable
from facetwise.data.sampling import ClassBatches, TextBatches, generator_of
from facetwise.encoders import ImageFeatures, TextFeatures
from facetwise.heads import masked_mean, start_as_ridge
from facetwise.losses import (
    attribute_loss,
    batch_triplet,
    diversity,
    info_nce,
    mmd,
    relevance_kl,
)
from facetwise.models import PAN, VSE, DivE, Siamese
from facetwise.similarity import relevance_entropy
from facetwise.training.recipe import PairTraining, SetTraining

__all__ = ["PairTask", "SetTask", "Task"]


class Task(Protocol):
    """A model with its data and its loss; batches are known by the number of the step."""

    what: str
    steps: int

    @property
    def clip(self) -> float | None:
        """Bound on the gradient's norm."""

    @property
    def model(self) -> nn.Module: ...
    def loss(self, step: int) -> tuple[Tensor, dict[str, float]]:
        """The loss of a step, a scalar, and figures for the log."""

    def parameter_groups(self) -> list[dict[str, Any]]:
        """For the optimiser: parameters, lr, weight_decay."""

    def schedule(self, step: int) -> float:
        """Factor of the learning rates at a step."""


class SetTask(nn.Module):
    """DivE or VSE by InfoNCE with a learned temperature, MMD and diversity (METHODS 2.6).

    InfoNCE instead of the paper's hardest negatives: those stall at the collapse value from a cold
    start on frozen features (FIELDNOTES, DivE 1).

    Args:
        model: to train; its feature statistics are set here.
        how: hyperparameters.
        images: features of the N training pictures.
        texts: features of the T distinct texts.
        texts_of: (N) for each picture the indices of its texts.
        clusters: rows that share texts or pictures (`Material.clusters`).
        weights: (clusters,) how often each is drawn.
        seed: of the batches.
    """

    def __init__(
        self,
        model: DivE | VSE,
        how: SetTraining,
        images: ImageFeatures,
        texts: TextFeatures,
        texts_of: Sequence[Sequence[int]],
        clusters: Sequence[Sequence[int]],
        *,
        weights: Tensor | None = None,
        seed: int,
    ) -> None:
        super().__init__()
        self.what = "training sets"
        self.steps: int = how.steps
        self.clip: float | None = how.clip
        self.model, self.how = model, how
        self.log_temperature = nn.Parameter(torch.tensor(how.temperature).log())
        model.fit_statistics(images)
        self._local, self._pooled = model.prepare(images)
        if how.start == "ridge":
            vectors = masked_mean(texts.tokens, texts.mask)
            start_as_ridge(model.image_global, model.text_global, self._pooled, vectors, texts_of)
        self._texts = texts
        self._lengths = texts.mask.sum(1)
        self._batches = TextBatches(
            texts_of,
            clusters,
            items=how.batch,
            texts_per_item=how.texts_per_item,
            weights=weights,
            seed=seed,
        )

    def loss(self, step: int) -> tuple[Tensor, dict[str, float]]:
        """InfoNCE + MMD + diversity of a step's batch."""
        rows, texts, owner = self._batches.batch(step)
        length = int(self._lengths[texts].max())
        x = self.model.images(self._local[rows], self._pooled[rows])
        y = self.model.texts(self._texts.tokens[texts, :length], self._texts.mask[texts, :length])
        scores = self.model.similarity(x.elements, y.elements, normalized=True)
        temperature = self.log_temperature.exp().clamp(0.01, 1)
        loss = info_nce(scores, owner, temperature=temperature)
        figures = {"info_nce": loss.item(), "temperature": temperature.item()}
        if self.how.mmd:
            loss = loss + self.how.mmd * mmd(x.elements, y.elements)
        if self.how.diversity and self.model.K > 1:
            loss = loss + self.how.diversity * (diversity(x.slots) + diversity(y.slots))
        return loss, figures

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The set prediction modules at their own rate; no decay of the temperature."""
        module = set(self.model.module_parameters())
        rest = [p for p in self.model.parameters() if p not in module]
        how = self.how
        return [
            {"params": rest, "lr": how.lr, "weight_decay": how.weight_decay},
            {
                "params": [p for p in self.model.parameters() if p in module],
                "lr": how.lr * how.module_lr,
                "weight_decay": how.weight_decay,
            },
            {"params": [self.log_temperature], "lr": how.lr, "weight_decay": 0.0},
        ]

    def schedule(self, step: int) -> float:
        """Linear warm-up, then cosine to zero."""
        warm = max(1, round(self.how.warmup * self.steps))
        if step < warm:
            return (step + 1) / warm
        return _cosine((step - warm) / max(1, self.steps - warm))


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
        return _cosine(step / max(1, self.steps))


def _cosine(share: float) -> float:
    return 0.5 * (1 + float(torch.cos(torch.tensor(min(share, 1.0) * torch.pi))))
