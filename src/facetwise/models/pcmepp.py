"""PCME++ (Chun, ICLR 2024): Gaussians whose distance has a closed form, so nothing is sampled.

A set here is two rows, mu (length 1) and log sigma^2 (METHODS 3.6, T-42). The closed-form sampled
distance CSD = |mu - mu'|^2 + sum(sigma^2 + sigma'^2) becomes the logit -a CSD + b of a match, and
every pair of the batch is told by binary cross-entropy whether it is one. Texts that an image
likes better than its own count as pseudo-positives. Ranked by -CSD.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facetwise.config import Positive, Share, Weight
from facetwise.encoders import Towers
from facetwise.heads import ElementSet, GaussianGPO, LocalDropout, Projection
from facetwise.losses import mixed_targets, pair_bce, vib
from facetwise.models.parts import JoinedGlobal, global_projections
from facetwise.models.pcme import gaussian_set
from facetwise.models.set_model import SetConfig, SetModel
from facetwise.similarity import NamedSimilarity, sampled_distance

__all__ = ["PCMEPP", "PCMEPPConfig"]

_MIX_ALPHA = 2.0
"""Both parameters of the Beta distribution of mixing shares, from the released configuration."""


@dataclass(frozen=True)
class PCMEPPConfig(SetConfig):
    """What makes a PCME++ model (METHODS 3.6)."""

    scale: Positive = 5.0
    """Where a starts."""
    shift: float = 5.0
    """Where b starts."""
    pseudo: Weight = 0.1
    """Weight of the pseudo-positives."""
    smoothing: Share = 1e-4
    """Of the labels."""
    mixup: Share = 0.0
    """Share of a batch's images that are mixed with others, labels and all; .25 in the paper, where
    half of these are mixed by CutMix, which is not here: frozen features have no pixels to cut."""
    log_variance_start: float = -8.0
    """Where log sigma^2 starts: ours. Variances add up over D, and at 0 they drown the means."""
    global_weight: Weight = 1.0
    """Of the global feature in mu; 0 in the paper, whose towers are trained."""
    local_gain: float = 0.3
    """Where the gain of what is pooled starts, beside the global feature."""


class PCMEPP(SetModel):
    """Local features of both sides, pooled by GPO, to Gaussians."""

    config: PCMEPPConfig
    losses: ClassVar[tuple[str, ...]] = ("own",)

    def __init__(
        self, config: PCMEPPConfig, towers: Towers, generator: torch.Generator | None = None
    ) -> None:
        super().__init__(config, towers, generator)
        c = config
        self.image_dropout, self.text_dropout = (LocalDropout(c.feature_dropout) for _ in towers)
        self.image_head, self.text_head = (
            GaussianGPO(
                c.dim,
                tower.local_width,
                log_variance_start=c.log_variance_start,
                generator=generator,
            )
            for tower in towers
        )
        self.image_global: Projection | None = None
        self.text_global: Projection | None = None
        if c.global_weight:
            self.image_global, self.text_global = global_projections(c, towers, generator)
            self.image_join, self.text_join = (
                JoinedGlobal(c.dim, weight=c.global_weight, gain=c.local_gain) for _ in towers
            )
        self.scale = nn.Parameter(torch.tensor(c.scale))
        self.shift = nn.Parameter(torch.tensor(c.shift))
        self._mixed: tuple[Tensor, Tensor] | None = None

    @property
    def K(self) -> int:
        """Rows: mu and log sigma^2."""
        return 2

    @property
    def similarity(self) -> NamedSimilarity:
        """Negative CSD."""
        return NamedSimilarity("sampled_distance")

    @property
    def starts(self) -> tuple[Projection, Projection] | None:
        """The global projections, where there are any."""
        if self.image_global is None or self.text_global is None:
            return None
        return self.image_global, self.text_global

    def module_parameters(self) -> Iterator[nn.Parameter]:
        """Of the two heads."""
        yield from self.image_head.parameters()
        yield from self.text_head.parameters()

    def penalty(self, name: str, x: ElementSet, y: ElementSet) -> Tensor | None:
        """``vib``, the KL to the standard normal, mean over all entries."""
        if name != "vib":
            return None
        image, text = (
            vib(e.elements[:, 0], e.elements[:, 1] / 2, reduction="mean") for e in (x, y)
        )
        return image + text

    def own_loss(self, x: ElementSet, y: ElementSet, owner: Tensor) -> Tensor:
        """Binary cross-entropy of all pairs and of the pseudo-positives."""
        logits = self.scale * sampled_distance(x.elements, y.elements) + self.shift
        targets = None
        if self._mixed is not None:
            mine = owner == torch.arange(len(logits), device=owner.device).unsqueeze(1)
            targets = mixed_targets(mine, *self._mixed)
        return pair_bce(
            logits,
            owner,
            targets=targets,
            pseudo=self.config.pseudo,
            smoothing=self.config.smoothing,
        )

    def images(self, a: Tensor, b: Tensor, mask: Tensor | None = None) -> ElementSet:
        """As of every system; in training some pictures are mixed with others first (mixup).

        `own_loss` then takes the mixed labels of the last call.
        """
        self._mixed = None
        if self.training and self.config.mixup and len(a) > 1:
            partner, share = self._mixed = _draw_mix(len(a), self.config.mixup, a.device)
            a, b = _mix(a, partner, share), _mix(b, partner, share)
        return super().images(a, b, mask)

    def image_set(self, psi: Tensor, phi: Tensor, mask: Tensor | None) -> ElementSet:
        """Psi (B, N, C), phi (B, P) -> rows mu and log sigma^2 (B, 2, D), attention (B, 1, N)."""
        out = self.image_head(self.image_dropout(psi), phi, mask)
        if self.image_global is not None:
            mu = self.image_join(out.mu, self.image_global(phi))
            out = out._replace(mu=F.normalize(mu, dim=-1))
        return gaussian_set(out)

    def text_set(self, psi: Tensor, phi: Tensor, mask: Tensor) -> ElementSet:
        """Psi (B, L, C), phi (B, P) -> rows mu and log sigma^2 (B, 2, D), attention (B, 1, L)."""
        out = self.text_head(self.text_dropout(psi), phi, mask)
        if self.text_global is not None:
            mu = self.text_join(out.mu, self.text_global(phi))
            out = out._replace(mu=F.normalize(mu, dim=-1))
        return gaussian_set(out)


def _draw_mix(images: int, chance: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """With whom each picture is mixed, and what share of it stays: (B,) each; 1 where it is not.

    From the global generator, as dropout.
    """
    partner = torch.randperm(images, device=device)
    beta = torch.distributions.Beta(_MIX_ALPHA, _MIX_ALPHA)
    share = beta.sample((images,)).to(device)
    return partner, share.where(torch.rand(images, device=device) < chance, torch.ones_like(share))


def _mix(x: Tensor, partner: Tensor, share: Tensor) -> Tensor:
    """Share x + (1 - share) x[partner], in the type of `x`; (B, ...)."""
    share = share.view(-1, *[1] * (x.dim() - 1))
    mixed = share * x.float() + (1 - share) * x[partner].float()
    return mixed.to(x.dtype) if x.is_floating_point() else mixed.round().to(x.dtype)
