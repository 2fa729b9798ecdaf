"""What every image-text system has in common: two towers, a head on each side, a similarity.

An image and a text become sets of rows (one row: a single-vector model; two rows, mean and spread:
a Gaussian; as many as there are words: cross attention), and a similarity compares two sets. Each
system is one file that says what its heads are, how they are compared and what it minimises.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from torch import Tensor, nn

from facetwise.config import Count, Share, Within
from facetwise.encoders import ImageFeatures, Towers
from facetwise.heads import ElementSet, Projection, start_as_ridge
from facetwise.losses import diversity, mmd
from facetwise.similarity import NamedSimilarity

if TYPE_CHECKING:
    from facetwise.encoders import ImageTower, TextTower

__all__ = ["SetConfig", "SetModel"]


@dataclass(frozen=True)
class SetConfig:
    """What all systems have: the projections between towers and heads."""

    dim: Count = 256
    """D; 1024 in the papers, whose features are four times as many."""
    hidden: Annotated[int, Within(0)] = 512
    """Inner width of the projections' residual MLP; 0: a linear map alone, as in some papers."""
    feature_dropout: Share = 0.2
    """Of what the towers give; not in the papers, which train their towers."""


class SetModel(nn.Module, ABC):
    """Features of images and texts to sets of rows, and their similarity.

    Args:
        config: of the system.
        towers: of the two sides.
        generator: randomness of the start.
    """

    losses: ClassVar[tuple[str, ...]] = ("info_nce", "triplet")
    """What it may be trained by (`training.objectives`); the first is the recipe's default."""

    def __init__(
        self, config: SetConfig, towers: Towers, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self.image: ImageTower = towers.image
        self.text: TextTower = towers.text

    # -- what a system says of itself -----------------------------------------------------------

    @property
    def K(self) -> int:
        """Rows of an image's set."""
        return 1

    @property
    def dim(self) -> int:
        """D."""
        return self.config.dim

    @property
    @abstractmethod
    def similarity(self) -> NamedSimilarity:
        """Of images x (N, K, D) and texts y (M, L, D) -> (N, M)."""

    @abstractmethod
    def image_set(self, psi: Tensor, phi: Tensor, mask: Tensor | None) -> ElementSet:
        """Psi (B, N, C), phi (B, P), mask (B, N) true where a cell is real -> sets (B, K, D)."""

    @abstractmethod
    def text_set(self, psi: Tensor, phi: Tensor, mask: Tensor) -> ElementSet:
        """Psi (B, L, C), phi (B, P), mask (B, L) true where a token is real -> sets (B, K, D)."""

    @property
    def whole_texts(self) -> bool:
        """Whether a text's global feature is all it looks at: thousands in a batch are cheap."""
        return False

    @property
    def starts(self) -> tuple[Projection, Projection] | None:
        """The projections of the global features, if they may start as ridge regression."""
        return None

    def start_as_ridge(
        self, phi: Tensor, vectors: Tensor, texts_of: Sequence[Sequence[int]]
    ) -> None:
        """Start what looks at global features in closed form, where there is one.

        Args:
            phi: (N, P) of the training images.
            vectors: (T, C) of the distinct texts, as `text_globals` gives them.
            texts_of: (N) the texts of each image.
        """
        if self.starts is not None:
            start_as_ridge(*self.starts, phi, vectors, texts_of)

    def module_parameters(self) -> Iterator[nn.Parameter]:
        """Those with a learning rate of their own: the set heads'."""
        return iter(())

    def scores(self, x: ElementSet, y: ElementSet) -> Tensor:
        """Of a training batch: (B, C), with gradients."""
        return self.similarity(x.elements, y.elements, normalized=True)

    def penalty(self, name: str, x: ElementSet, y: ElementSet) -> Tensor | None:
        """A term that the recipe may add to the loss, by its name; None where it makes no sense.

        ``mmd`` (between all elements of the two sides) and ``diversity`` (within a set) are DivE's
        (METHODS 2.6), for sets of several elements; ``vib`` and ``uniformity`` are of Gaussians.
        """
        if self.K == 1:
            return None
        if name == "mmd":
            return mmd(x.elements, y.elements)
        if name == "diversity":
            return diversity(x.slots) + diversity(y.slots)
        return None

    # -- the way through ------------------------------------------------------------------------

    def fit_statistics(self, features: ImageFeatures) -> None:
        """Take the statistics of the training pictures."""
        self.image.fit(features)

    @torch.no_grad()
    def prepare(self, features: ImageFeatures) -> tuple[Tensor, Tensor]:
        """What of the image side is fixed: done once for all training pictures."""
        return self.image.prepare(features)

    def images(self, a: Tensor, b: Tensor, mask: Tensor | None = None) -> ElementSet:
        """What `prepare` gave, of B pictures; mask: (B, N) cells to look at -> sets (B, K, D)."""
        psi, phi = self.image(a, b)
        return self.image_set(psi, phi, mask)

    def texts(self, tokens: Tensor, mask: Tensor) -> ElementSet:
        """Tokens and mask (B, L) as in `TextFeatures` -> sets (B, K, D)."""
        psi, phi = self.text(tokens, mask)
        return self.text_set(psi, phi, mask)

    def text_globals(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """What the system knows of a text as a whole before any head, (B, C): for the start."""
        phi: Tensor = self.text(tokens, mask)[1]
        return phi
