"""What an index needs of a model; `facetwise.models.Model` gives it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from facetwise.data import Collection
    from facetwise.similarity import NamedSimilarity, PairScore, PairSimilarity

__all__ = ["ConditionLike", "ImageEmbeddingLike", "SearchModel", "TextEmbeddingLike"]


class ConditionLike(Protocol):
    """A condition of a pair model: its name, and the attribute group it stands for if any."""

    @property
    def name(self) -> str: ...
    @property
    def group(self) -> str | None: ...


class ImageEmbeddingLike(Protocol):
    """Images under both models; what a run does not have is None."""

    @property
    def sets(self) -> Tensor | None:
        """(N, K, D); rows of zeros are padding"""

    @property
    def attention(self) -> Tensor | None:
        """(N, K, H, W) where each slot looks; of a Gaussian (N, 1, H, W)"""

    @property
    def pairs(self) -> Tensor | None:
        """(N, d)"""


class TextEmbeddingLike(Protocol):
    """Texts under the set model."""

    @property
    def sets(self) -> Tensor:
        """(M, K, D)"""

    @property
    def attention(self) -> Sequence[Tensor]:
        """M of (K, L)"""

    @property
    def tokens(self) -> Sequence[Sequence[str]]:
        """M of L"""


class SearchModel(Protocol):
    """A model, as far as search and explanation look at it."""

    @property
    def fingerprint(self) -> str: ...
    @property
    def conditions(self) -> Sequence[ConditionLike]: ...
    @property
    def pair_similarity(self) -> PairSimilarity | None: ...
    @property
    def similarity_spec(self) -> NamedSimilarity:
        """How its sets are compared."""

    def encode_texts(self, texts: Sequence[str]) -> Tensor: ...
    def embed_texts(self, texts: Sequence[str]) -> TextEmbeddingLike: ...
    def embed_images(self, images: Sequence[Any]) -> ImageEmbeddingLike: ...
    def embed_collection(
        self, collection: Collection, rows: Sequence[int]
    ) -> ImageEmbeddingLike: ...
    def pair_scores(self, h1: Tensor, h2: Tensor) -> PairScore: ...
    def agreeing(self, pair: PairScore) -> Tensor: ...
    def save(self, path: Path) -> None: ...
