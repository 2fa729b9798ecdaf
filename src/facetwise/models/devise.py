"""DeViSE (Frome et al., NeurIPS 2013): images are mapped into a text space that stays as it is.

A linear map M takes an image's global feature v to where its text is; the text's vector has length
1 and no parameters (METHODS 3.3). Trained by a hinge rank loss over the dot products t . M v, texts
as the labels. As a captioning retriever the text's vector is the mean of its words', MiniLM's or
GloVe's, where the paper has the one word of a label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facetwise.encoders import Towers, masked_mean
from facetwise.heads import ElementSet, ridge
from facetwise.models.set_model import SetConfig, SetModel
from facetwise.models.vse import one_vector
from facetwise.similarity import NamedSimilarity

__all__ = ["DeViSE", "DeViSEConfig"]


@dataclass(frozen=True)
class DeViSEConfig(SetConfig):
    """What makes a DeViSE model. D is the width of the words: `dim` and `hidden` play no part."""


class DeViSE(SetModel):
    """Global features of images to the mean of the texts' words, which stays as it is."""

    losses: ClassVar[tuple[str, ...]] = ("rank", "info_nce", "triplet")

    def __init__(
        self, config: DeViSEConfig, towers: Towers, generator: torch.Generator | None = None
    ) -> None:
        super().__init__(config, towers, generator)
        self.image_dropout = nn.Dropout(config.feature_dropout)
        self.M = nn.Linear(self.image.global_width, self.text.local_width, bias=False)
        nn.init.xavier_uniform_(self.M.weight, generator=generator)

    @property
    def dim(self) -> int:
        """Of the texts' local features."""
        return self.text.local_width

    @property
    def similarity(self) -> NamedSimilarity:
        """Cosine; the paper ranks labels of an image, for which its length makes no difference."""
        return NamedSimilarity("average")

    def scores(self, x: ElementSet, y: ElementSet) -> Tensor:
        """Dot products t . M v: in training the image's vector keeps its length."""
        out: Tensor = x.slots[:, 0] @ y.elements[:, 0].T
        return out

    @torch.no_grad()
    def start_as_ridge(
        self, phi: Tensor, vectors: Tensor, texts_of: Sequence[Sequence[int]]
    ) -> None:
        """M as the ridge regression of the images' features on the mean of their texts' vectors."""
        rows = [row for row, own in enumerate(texts_of) if own]
        t = F.normalize(vectors, dim=-1)
        targets = torch.stack([t[list(texts_of[row])].mean(0) for row in rows])
        v = phi[rows]
        size = max(float(v.square().sum(1).mean()), 1e-6)
        self.M.weight.copy_(ridge(v, F.normalize(targets, dim=-1), 1e-3 * size).T)

    def image_set(self, psi: Tensor, phi: Tensor, mask: Tensor | None) -> ElementSet:
        """Phi (B, P) -> sets (B, 1, D), attention even over the N cells."""
        even = psi.new_full(psi.shape[:2], 1 / psi.shape[1])
        return one_vector(self.M(self.image_dropout(phi)), even)

    def text_set(self, psi: Tensor, phi: Tensor, mask: Tensor) -> ElementSet:
        """Psi (B, L, D) -> sets (B, 1, D), attention even over the words."""
        t = masked_mean(psi, mask).detach()  # a tower that could learn does not
        return one_vector(t, mask / mask.sum(1, keepdim=True))

    def text_globals(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """The mean of the words' vectors, (B, D)."""
        return masked_mean(self.text(tokens, mask)[0], mask)
