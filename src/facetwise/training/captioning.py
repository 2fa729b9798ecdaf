"""Training an image tower by saying captions (VirTex), before a set model starts from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import torch
from torch import Tensor, nn

from facetwise.config import Count, Positive, Share, Weight
from facetwise.data.sampling import TextBatches, generator_of
from facetwise.encoders import Encoders, ImageFeatures, ImageTower, TextFeatures, WordIds
from facetwise.encoders.words import MARKERS, PAD, vocabulary_of
from facetwise.files import write_text
from facetwise.models.virtex import VirTex, VirTexConfig
from facetwise.training.lookahead import LookAheadSGD
from facetwise.training.task import cosine

if TYPE_CHECKING:
    from facetwise.training.material import Material

__all__ = ["CAPTIONS_FILE", "CaptionTask", "CaptionTraining", "captions", "learn_to_caption"]

CAPTIONS_FILE: Final = "captions.txt"
"""In the run: what the model said of some of the pictures, before its words were thrown away."""

_SHOWN = 12
"""Pictures in that file."""


@dataclass(frozen=True)
class CaptionTraining:
    """How captions are learned. Paper: VirTex's base model on COCO, 8 GPUs, from scratch."""

    steps: Count = 1000
    """Batches in all; 500,000 in the paper."""
    batch: Count = 64
    """Pictures a step; 256 in the paper."""
    texts_per_item: Count = 1
    """Captions of each picture in a batch, at most."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    """``sgd`` with momentum .9 and LookAhead as in the paper; AdamW needs fewer steps."""
    lr: Positive = 1e-3
    """Peak, of the decoders; 1e-3 in the paper, with SGD."""
    tower_lr: Weight = 0.1
    """Factor of the image tower's rate; 200 in the paper, whose tower starts at random."""
    warmup: Share = 0.05
    """Share of the steps until the peak, then cosine to zero; .02 in the paper."""
    weight_decay: Weight = 0.01
    """Not of norms and biases of words and decoders; 1e-4 in the paper."""
    flip: bool = True
    """Half of the pictures are mirrored, and "left" and "right" change places in their captions, as
    in the paper; only where a trained network starts from a grid or pixels. (`encoders.flip`
    mirrors without a look at words.)"""
    clip: Positive = 10.0
    """Bound on the gradient's norm, as in the paper."""


class CaptionTask(nn.Module):
    """A captioning model on batches of pictures with some of their captions.

    Args:
        model: to train; the statistics of its tower are set here.
        how: hyperparameters.
        images: features of the N training pictures.
        texts: numbers of words of the T distinct captions.
        texts_of: (N) for each picture the indices of its captions.
        swapped: numbers of two words that change places where a picture is mirrored, if both are
            in the vocabulary.
        seed: of the batches and of the mirroring.
    """

    def __init__(
        self,
        model: VirTex,
        how: CaptionTraining,
        images: ImageFeatures,
        texts: TextFeatures,
        texts_of: Sequence[Sequence[int]],
        *,
        swapped: tuple[int, int] | None = None,
        seed: int,
    ) -> None:
        super().__init__()
        self.what = "learning to caption"
        self.steps: int = how.steps
        self.clip: float | None = how.clip
        self.model, self.how, self.seed = model, how, seed
        model.image.fit(images)
        self._a, self._b = model.image.prepare(images)
        self._ids, self._lengths, self._swapped = texts.tokens, texts.mask.sum(1), swapped
        alone = [[row] for row, own in enumerate(texts_of) if own]
        self._batches = TextBatches(
            texts_of, alone, items=how.batch, texts_per_item=how.texts_per_item, seed=seed
        )

    def loss(self, step: int) -> tuple[Tensor, dict[str, float]]:
        """The sum of both directions' losses on a step's batch."""
        rows, texts, owner = self._batches.batch(step)
        lengths = self._lengths[texts]
        ids = self._ids[texts, : int(lengths.max())]
        a, b = self._a[rows], self._b[rows]
        if self.how.flip and a.dim() == 4:
            mirrored = (
                torch.rand(len(rows), generator=generator_of(-1 - self.seed, -16 - step)) < 0.5
            )
            a = torch.where(mirrored[:, None, None, None], a.flip(3), a)
            ids = torch.where(mirrored[owner][:, None], self._other_side(ids), ids)
        forward, backward = self.model(a, b, ids, lengths, owner)
        return forward + backward, {"forward": forward.item(), "backward": backward.item()}

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The tower at a rate of its own; no decay of norms and biases but the output's."""
        how = self.how
        tower = set(self.model.image.parameters())
        of: dict[str, list[nn.Parameter]] = {"tower": [], "decoders": [], "free": []}
        for name, parameter in self.model.named_parameters():
            free = parameter.dim() == 1 and name != "bias"
            group = "tower" if parameter in tower else "free" if free else "decoders"
            if parameter.requires_grad:
                of[group].append(parameter)
        rates = {"tower": how.lr * how.tower_lr, "decoders": how.lr, "free": how.lr}
        return [
            {"params": of[name], "lr": lr, "weight_decay": how.weight_decay * (name != "free")}
            for name, lr in rates.items()
            if of[name]
        ]

    def optimizer(self) -> torch.optim.Optimizer:
        """For the loop."""
        if self.how.optimizer == "sgd":
            return LookAheadSGD(self.parameter_groups())
        return torch.optim.AdamW(self.parameter_groups())

    def schedule(self, step: int) -> float:
        """Linear warm-up, then cosine to zero."""
        warm = max(1, round(self.how.warmup * self.steps))
        if step < warm:
            return (step + 1) / warm
        return cosine((step - warm) / max(1, self.steps - warm))

    def _other_side(self, ids: Tensor) -> Tensor:
        if self._swapped is None:
            return ids
        left, right = self._swapped
        return torch.where(ids == left, right, torch.where(ids == right, left, ids))


def learn_to_caption(
    config: VirTexConfig,
    how: CaptionTraining,
    material: Material,
    features: ImageFeatures,
    encoders: Encoders,
    folder: Path,
    *,
    seed: int,
) -> ImageTower:
    """Train an image tower by captioning, and show what it says in `CAPTIONS_FILE`.

    Args:
        config: of the half that is thrown away.
        how: hyperparameters.
        material: the N training pictures and their captions.
        features: of them.
        encoders: whose image tower is trained.
        folder: for checkpoints, the log and the captions.
        seed: of everything random.
    """
    from facetwise.training.loop import train

    distinct = material.distinct
    words = WordIds(vocabulary_of(distinct, config.word_least), config.max_tokens)
    place = {text: index for index, text in enumerate(distinct)}
    texts_of = [[place[text] for text in own] for own in material.texts]
    g = generator_of(seed, -6)
    model = VirTex(config, encoders.towers(g).image, words.marks.size, g)
    task = CaptionTask(
        model,
        how,
        features,
        words.encode(distinct),
        texts_of,
        swapped=_sides(words),
        seed=seed,
    )
    train(task, folder, "pretrain", seed=seed)
    model.eval()
    some = [row for row, own in enumerate(texts_of) if own][:_SHOWN]
    shown = ImageFeatures(features.grid[some], features.pooled[some])
    said = captions(model, words, *model.image.prepare(shown))
    lines: list[str] = []
    for row, (forward, backward) in zip(some, said, strict=True):
        lines += [material.collection.ids[material.rows[row]], f"  forward:  {forward}"]
        lines += [] if backward is None else [f"  backward: {backward}"]
        lines += [f"  given:    {text}" for text in material.texts[row]]
    write_text(folder / CAPTIONS_FILE, "".join(f"{line}\n" for line in lines))
    return model.image


def captions(model: VirTex, words: WordIds, a: Tensor, b: Tensor) -> list[tuple[str, str | None]]:
    """What a captioning model says of B pictures, forward and backward, both in reading order.

    Args:
        model: in evaluation mode.
        words: that it was trained with.
        a, b: of the pictures, as the tower's `prepare` gave them.
    """
    names = (*MARKERS, *words.vocabulary)

    def read(ids: Tensor) -> list[str]:
        return [" ".join(names[at] for at in row if at != PAD) for row in ids.tolist()]

    forward = read(model.caption(a, b))
    if model.backward_decoder is None:
        return [(text, None) for text in forward]
    return list(zip(forward, read(model.caption(a, b, reverse=True)), strict=True))


def _sides(words: WordIds) -> tuple[int, int] | None:
    """The numbers of "left" and "right", if both are known."""
    number = {word: at for at, word in enumerate(words.vocabulary, len(MARKERS))}
    if "left" in number and "right" in number:
        return number["left"], number["right"]
    return None
