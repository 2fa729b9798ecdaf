"""What a step of training is: a set model on texts, a pair model on labels and attributes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final, Protocol

import torch
from torch import Tensor, nn

from facetwise.data import AttributeTable
from facetwise.data.sampling import ClassBatches, TextBatches, generator_of
from facetwise.encoders import ImageFeatures, TextFeatures
from facetwise.encoders.masks import thinned
from facetwise.heads import start_as_ridge
from facetwise.losses import (
    attribute_loss,
    batch_triplet,
    relevance_kl,
)
from facetwise.models import PAN, SetModel, Siamese
from facetwise.similarity import relevance_entropy
from facetwise.training.objectives import SetBatch, objective
from facetwise.training.recipe import PairTraining, SetTraining

__all__ = ["PairTask", "SetTask", "Task"]

_ROWS: Final = 256
"""That go through the towers at once."""


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
    """A set model by the loss that the recipe names, and its penalties (METHODS 2.6).

    Args:
        model: to train; its feature statistics are set here.
        how: hyperparameters.
        images: features of the N training pictures.
        texts: features of the T distinct texts.
        texts_of: (N) for each picture the indices of its texts.
        clusters: rows that share texts or pictures (`Material.clusters`).
        weights: (clusters,) how often each is drawn.
        seed: of the batches and of what augmentation drops.
    """

    def __init__(
        self,
        model: SetModel,
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
        self.model, self.how, self.seed = model, how, seed
        self.log_temperature = nn.Parameter(torch.tensor(how.temperature).log())
        self._minimised = objective(model, how.loss)
        model.fit_statistics(images)
        self._a, self._b = model.prepare(images)
        if how.start == "ridge" and model.starts is not None:
            pooled, vectors = self._globals(texts)
            start_as_ridge(*model.starts, pooled, vectors, texts_of)
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
        """The loss of a step's batch and the penalties."""
        rows, texts, owner = self._batches.batch(step)
        length = int(self._lengths[texts].max())
        tokens, mask = self._texts.tokens[texts, :length], self._texts.mask[texts, :length]
        cells = None
        if self.how.cell_drop or self.how.word_drop:
            g = generator_of(-1 - self.seed, -8 - step)
            mask = thinned(mask, self.how.word_drop, g)
            cells = torch.ones(len(rows), self._cells, dtype=torch.bool)
            cells = thinned(cells, self.how.cell_drop, g)
        x = self.model.images(self._a[rows], self._b[rows], cells)
        y = self.model.texts(tokens, mask)
        temperature = self.log_temperature.exp().clamp(0.01, 1)
        batch = SetBatch(x, y, owner, temperature, step / self.steps)
        loss = self._minimised(self.model, batch, self.how)
        figures = {"objective": loss.item(), "temperature": temperature.item()}
        for name in ("mmd", "diversity", "vib"):
            weight = getattr(self.how, name)
            penalty = self.model.penalty(name, x, y) if weight else None
            if penalty is not None:
                loss = loss + weight * penalty
                figures[name] = penalty.item()
        return loss, figures

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Set heads and trained towers at rates of their own; no decay of the temperature."""
        how = self.how
        towers = {*self.model.image.parameters(), *self.model.text.parameters()}
        module = {*self.model.module_parameters()} - towers
        rates = {"heads": how.lr, "module": how.lr * how.module_lr, "towers": how.lr * how.tower_lr}
        of: dict[str, list[nn.Parameter]] = {name: [] for name in rates}
        for parameter in self.model.parameters():
            if parameter.requires_grad:
                rest = "module" if parameter in module else "heads"
                of["towers" if parameter in towers else rest].append(parameter)
        groups: list[dict[str, Any]] = [
            {"params": of[name], "lr": lr, "weight_decay": how.weight_decay}
            for name, lr in rates.items()
            if of[name]
        ]
        return [*groups, {"params": [self.log_temperature], "lr": how.lr, "weight_decay": 0.0}]

    def schedule(self, step: int) -> float:
        """Linear warm-up, then cosine to zero."""
        warm = max(1, round(self.how.warmup * self.steps))
        if step < warm:
            return (step + 1) / warm
        return _cosine((step - warm) / max(1, self.steps - warm))

    @cached_property
    def _cells(self) -> int:
        """How many local features the image tower gives of a picture."""
        with torch.no_grad():
            return int(self.model.image(self._a[:1], self._b[:1])[0].shape[1])

    @torch.no_grad()
    def _globals(self, texts: TextFeatures) -> tuple[Tensor, Tensor]:
        """The global features of all pictures and texts, as the towers give them at the start."""
        before = self.model.training
        self.model.eval()
        pictures = zip(self._a.split(_ROWS), self._b.split(_ROWS), strict=True)
        phi = torch.cat([self.model.image(*part)[1] for part in pictures])
        captions = zip(texts.tokens.split(_ROWS), texts.mask.split(_ROWS), strict=True)
        vectors = torch.cat([self.model.text(*part)[1] for part in captions])
        self.model.train(before)
        return phi, vectors


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
