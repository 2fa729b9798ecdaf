"""Training a set model on batches of images and texts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

import torch
from torch import Tensor, nn

from facetwise.data.sampling import TextBatches, generator_of
from facetwise.data.shared_texts import SharedTextBatches
from facetwise.encoders import (
    ImageFeatures,
    Marks,
    TextFeatures,
    augment_texts,
    drop_cells,
    word_parts,
)
from facetwise.models import SetModel
from facetwise.training.objectives import SetBatch, objective
from facetwise.training.recipe import SetTraining
from facetwise.training.task import cosine

__all__ = ["SetTask"]

_ROWS: Final = 256
"""That go through the towers at once."""


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
        item_weights: (N,) how often each picture is drawn, where pictures of a batch may share
            texts (loss ``many``).
        marks: of an encoder that gives numbers of tokens: which of them are no words.
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
        item_weights: Tensor | None = None,
        marks: Marks | None = None,
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
        if how.start == "ridge":
            phi, vectors = self._globals(texts)
            model.start_as_ridge(phi, vectors, texts_of)
        self._image_tower = [p for p in model.image.parameters() if p.requires_grad]
        self._texts, self._marks = texts, marks
        in_parts = how.word_drop > 0 and not texts.tokens.is_floating_point()
        self._continues = word_parts(texts.words) if in_parts else None
        self._lengths = texts.mask.sum(1)
        self._batches: TextBatches | SharedTextBatches
        self.rarity = torch.ones(len(texts.mask))
        if how.loss == "many":
            self._batches = SharedTextBatches(
                texts_of,
                len(texts.mask),
                items=how.batch,
                texts_per_item=how.texts_per_item,
                extra=how.extra_texts,
                weights=item_weights,
                seed=seed,
            )
            self.rarity = self._batches.frequency.clamp_min(1) ** -how.rarity
        else:
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
        rows, texts, which = self._batches.batch(step)
        if which.dim() == 1:
            owner, matches = which, which == torch.arange(len(rows)).unsqueeze(1)
        else:  # an owner of each text, for penalties and losses that know no better
            owner, matches = which.int().argmax(0), which
        length = int(self._lengths[texts].max())
        tokens, mask = self._texts.tokens[texts, :length], self._texts.mask[texts, :length]
        g = generator_of(-1 - self.seed, -8 - step)
        if self.how.word_drop:
            parts = None if self._continues is None else self._continues[texts, :length]
            tokens, mask = self._augmented(tokens, mask, parts, g)
        how, cells = self.how, None
        if how.cell_drop:
            shape = (len(rows), self._cells)
            cells = drop_cells(shape, g, share=how.cell_drop, rule=how.cell_rule)
        if how.image_freeze:
            for parameter in self._image_tower:
                parameter.requires_grad_(step >= how.image_freeze * self.steps)
        x = self.model.images(self._a[rows], self._b[rows], cells)
        y = self.model.texts(tokens, mask)
        temperature = self.log_temperature.exp().clamp(0.01, 1)
        done, rarity = step / self.steps, self.rarity[texts]
        batch = SetBatch(x, y, owner, temperature, done, matches, rarity)
        loss = self._minimised(self.model, batch, self.how)
        figures = {"objective": loss.item(), "temperature": temperature.item()}
        for name in ("mmd", "diversity", "vib", "uniformity"):
            weight = getattr(how, name)
            penalty = self.model.penalty(name, x, y) if weight else None
            if penalty is not None:
                loss = loss + weight * penalty
                figures[name] = penalty.item()
        return loss, figures

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Set heads and trained towers at rates of their own; no decay of the temperature."""
        how, tower_lr = self.how, self.how.lr * self.how.tower_lr
        image, text = {*self.model.image.parameters()}, {*self.model.text.parameters()}
        module = {*self.model.module_parameters()} - image - text
        rates = {
            "heads": how.lr,
            "module": how.lr * how.module_lr,
            "image tower": tower_lr * how.image_tower_lr,
            "text tower": tower_lr,
        }
        of: dict[str, list[nn.Parameter]] = {name: [] for name in rates}
        for parameter in self.model.parameters():
            if parameter in image:
                name = "image tower"
            elif parameter in text:
                name = "text tower"
            else:
                name = "module" if parameter in module else "heads"
            if parameter.requires_grad:
                of[name].append(parameter)
        groups: list[dict[str, Any]] = [
            {"params": of[name], "lr": lr, "weight_decay": how.weight_decay}
            for name, lr in rates.items()
            if of[name]
        ]
        return [*groups, {"params": [self.log_temperature], "lr": how.lr, "weight_decay": 0.0}]

    def schedule(self, step: int) -> float:
        """Linear warm-up, then a cosine to zero, or steps down."""
        warm = max(1, round(self.how.warmup * self.steps))
        if step < warm:
            return (step + 1) / warm
        if self.how.schedule == "step":
            downs = int(step / self.steps / self.how.decay_every + 1e-9)
            return float(self.how.decay**downs)
        return cosine((step - warm) / max(1, self.steps - warm))

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
        vectors = torch.cat([self.model.text_globals(*part) for part in captions])
        self.model.train(before)
        return phi, vectors

    def _augmented(
        self, tokens: Tensor, mask: Tensor, continues: Tensor | None, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Tokens and mask with some words hidden, replaced or left out."""
        return augment_texts(
            tokens,
            mask,
            how=self.how.word_rule,
            share=self.how.word_drop,
            marks=self._marks,
            generator=generator,
            continues=continues,
        )
