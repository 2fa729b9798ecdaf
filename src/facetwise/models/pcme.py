"""PCME (Chun et al., CVPR 2021): an image or a caption as a Gaussian, trained by match probability.

A set here is two rows, mu (length 1) and log sigma; METHODS 3.5 has the equations, `heads.gaussian`
the head. Training draws J samples of each side; two Gaussians match with the probability that
their samples do, by the distance of the samples and a learned scale and shift, and every pair of
the batch is told whether it does. The paper ranks by the mean inner product of samples, which has a
closed form.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from facetwise.config import Count, Positive
from facetwise.encoders import Towers
from facetwise.heads import (
    ElementSet,
    Gaussian,
    GaussianEmbedding,
    LocalDropout,
    Projection,
    gaussian_samples,
)
from facetwise.losses import match_logits, soft_contrastive, uniformity, vib
from facetwise.models.parts import global_projections
from facetwise.models.set_model import SetConfig, SetModel
from facetwise.similarity import NamedSimilarity

__all__ = ["PCME", "PCMEConfig", "gaussian_set"]


@dataclass(frozen=True)
class PCMEConfig(SetConfig):
    """What makes a PCME model (METHODS 3.5)."""

    samples: Count = 7
    """J, in training and where probabilities rank; 7 in the paper."""
    match: Literal["inner", "probability"] = "inner"
    """What is ranked by: the mean inner product of samples, the paper's (T-41), or the match
    probability that is trained."""
    scale: Positive = 15.0
    """Where a starts; 15 in the paper on COCO, 5 on CUB."""
    shift: float = 15.0
    """Where b starts; 15 in the paper on COCO, 5 on CUB."""
    log_sigma_start: float = -4.0
    """Where log sigma starts; 0 in the paper, whose first samples lie far outside the sphere that
    the means are on: a short training does not get them back."""
    legacy_vib: bool = False
    """In the information bottleneck log sigma stands for log sigma^2, as in the release (T-41)."""


class PCME(SetModel):
    """Local and global features of both sides to Gaussians."""

    config: PCMEConfig
    losses: ClassVar[tuple[str, ...]] = ("own",)

    def __init__(
        self, config: PCMEConfig, towers: Towers, generator: torch.Generator | None = None
    ) -> None:
        super().__init__(config, towers, generator)
        c = config
        self.image_global, self.text_global = global_projections(c, towers, generator)
        self.image_dropout, self.text_dropout = (LocalDropout(c.feature_dropout) for _ in towers)
        # In the release the text's log sigma has a Bi-GRU of its own in the place of fc2; here that
        # would be the tower's business, so both sides have the map.
        self.image_head, self.text_head = (
            Gaussian(
                c.dim,
                tower.local_width,
                log_sigma_start=c.log_sigma_start,
                generator=generator,
            )
            for tower in towers
        )
        self.scale = nn.Parameter(torch.tensor(c.scale))
        self.shift = nn.Parameter(torch.tensor(c.shift))

    @property
    def K(self) -> int:
        """Rows: mu and log sigma."""
        return 2

    @property
    def similarity(self) -> NamedSimilarity:
        """The mean inner product, or the match probability with the learned scale and shift."""
        if self.config.match == "inner":
            return NamedSimilarity("gaussian_match", {"how": "inner"})
        options: dict[str, float | int | str | bool] = {
            "how": "probability",
            "scale": self.scale.item(),
            "shift": self.shift.item(),
            "samples": max(2, self.config.samples),
        }
        return NamedSimilarity("gaussian_match", options)

    @property
    def starts(self) -> tuple[Projection, Projection]:
        """The global projections."""
        return self.image_global, self.text_global

    def module_parameters(self) -> Iterator[nn.Parameter]:
        """Of the two heads."""
        yield from self.image_head.parameters()
        yield from self.text_head.parameters()

    def penalty(self, name: str, x: ElementSet, y: ElementSet) -> Tensor | None:
        """``vib``, the KL to the standard normal; ``uniformity`` of the samples of both sides."""
        if name == "vib":
            image, text = (
                vib(e.elements[:, 0], e.elements[:, 1], legacy=self.config.legacy_vib)
                for e in (x, y)
            )
            return image + text
        if name == "uniformity":
            return uniformity(torch.cat([self._samples(x), self._samples(y)]))
        return None

    def own_loss(self, x: ElementSet, y: ElementSet, owner: Tensor) -> Tensor:
        """Soft contrastive: -log m of the pairs, -log(1 - m) of all others, summed."""
        logits = match_logits(
            self._samples(x), self._samples(y), scale=self.scale, shift=self.shift
        )
        return soft_contrastive(logits, owner)

    def image_set(self, psi: Tensor, phi: Tensor, mask: Tensor | None) -> ElementSet:
        """Psi (B, N, C), phi (B, P) -> rows mu and log sigma (B, 2, D), attention (B, 1, N)."""
        out = self.image_head(self.image_dropout(psi), self.image_global(phi), mask)
        return gaussian_set(out)

    def text_set(self, psi: Tensor, phi: Tensor, mask: Tensor) -> ElementSet:
        """Psi (B, L, C), phi (B, P) -> rows mu and log sigma (B, 2, D), attention (B, 1, L)."""
        out = self.text_head(self.text_dropout(psi), self.text_global(phi), mask)
        return gaussian_set(out)

    def _samples(self, x: ElementSet) -> Tensor:
        """(B, J, D), from the global generator as dropout."""
        mu, log_sigma = x.elements.unbind(1)
        return gaussian_samples(mu, log_sigma, draws=self.config.samples)


def gaussian_set(g: GaussianEmbedding) -> ElementSet:
    """A Gaussian as a set of two rows, mu and its logarithmic spread (B, 2, D)."""
    rows = torch.stack([g.mu, g.log_sigma], 1)
    return ElementSet(rows, rows, g.attention)
