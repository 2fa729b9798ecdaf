"""DivE (Kim et al., CVPR 2023): an image or a caption as a set of K embeddings.

Read beside the paper: local features psi and a global one phi of each side go through the set
prediction module (slots that compete for locations), and sets are compared by smooth-Chamfer.
METHODS section 2 has the equations; `heads.set_prediction` the module, `similarity.sets` the score.
Every swap of the paper's ablation is a value here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from facetwise.config import Count, Positive, Share, Weight, Within
from facetwise.encoders import Towers
from facetwise.heads import (
    ElementSet,
    PIENet,
    Projection,
    SetPrediction,
    SlotAttention,
    TransformerHead,
    start_as_mixture,
    start_as_ridge,
)
from facetwise.models.parts import local_features
from facetwise.models.set_model import SetConfig, SetModel
from facetwise.models.vse import one_vector
from facetwise.similarity import NamedSimilarity, match_probability

__all__ = ["DivE", "DivEConfig"]


@dataclass(frozen=True)
class DivEConfig(SetConfig):
    """What makes a DivE model; the paper's values (METHODS 2.1, 2.5) unless said otherwise."""

    K: Count = 4
    """Elements of a set."""
    T: Count = 2
    """Aggregation blocks, weights shared (a transformer's layers, their own); 4 in the paper."""
    similarity: Literal[
        "smooth_chamfer",
        "directed_smooth_chamfer",
        "chamfer",
        "max_pair",
        "average",
        "match_probability",
    ] = "smooth_chamfer"
    """Of sets; the paper's, its texts' half (ours), or a rival of its ablation (METHODS 3.8)."""
    alpha: Positive = 16.0
    """Sharpness of smooth-Chamfer and of its half."""
    match: Literal["fixed", "learned"] = "fixed"
    """Of match probabilities: scale and shift stay at 1 and 0, as in effect in the paper's own
    baseline, or are learned from there, as meant (T-26)."""
    head: Literal["module", "pie_net", "transformer", "slot_attention"] = "module"
    """What makes the elements: the paper's module, or a rival of its ablation."""
    slots: Literal["learned", "sampled"] = "learned"
    """Of the module, before the first block; sampled as in Slot Attention."""
    update: Literal["residual", "gru"] = "residual"
    """How a slot of the module takes in what it gathered; by a GRU as in Slot Attention."""
    heads: Count = 4
    """Of the attention."""
    head_dim: Count = 32
    """Inner width of a head of the module; 512 in the paper."""
    block_hidden: Annotated[int, Within(0)] = 0
    """Inner width of the blocks' MLP, 4 D in the paper; 0: as `hidden`."""
    dropout: Share = 0.1
    """In the set prediction module."""
    text: Literal["set", "vector"] = "set"
    """A text as a set like an image, or (ours, for words and tags) as one vector."""
    global_weight: Weight = 1.0
    """Of the global feature in each element."""
    global_features: Literal["shared", "own"] = "shared"
    """One global feature in all elements of an image, as in the paper, or (ours) one for each, of
    which each starts at the texts of another cluster (`heads.mixture`)."""
    slot_gain: float = 0.3
    """Where the gain of LN(E_T) starts; 1 in the paper."""
    direct: tuple[Literal["image", "text"], ...] = ()
    """Sides whose local features the head reads as the towers give them: in the paper the text's
    (T-21). Without a linear map to D a step takes less time."""
    local_mlp: bool = False
    """A residual MLP on local features of images, as in the paper (METHODS 2.4)."""
    image_positions: Literal["none", "grid"] = "none"
    """A sine code of an image's cells; the paper has none, its early scripts have one."""
    legacy_padding: bool = False
    """Padding counts in the module as in the release: sets depend on their batch (T-15, T-17)."""
    legacy_positions: bool = False
    """The code of words is scaled by the padded length, as in the release (T-16)."""


class DivE(SetModel):
    """Local and global features of both sides to sets of K unit vectors."""

    config: DivEConfig

    def __init__(
        self, config: DivEConfig, towers: Towers, generator: torch.Generator | None = None
    ) -> None:
        super().__init__(config, towers, generator)
        c = config
        self.image_global = Projection(
            self.image.global_width,
            c.dim * (c.K if c.global_features == "own" else 1),
            hidden=c.hidden,
            dropout=c.feature_dropout,
            generator=generator,
        )
        self.text_global = Projection(
            self.text.global_width,
            c.dim,
            hidden=c.hidden,
            dropout=c.feature_dropout,
            generator=generator,
        )
        of_image, of_text = "image" in c.direct, "text" in c.direct
        image_width, text_width = self.image.local_width, self.text.local_width
        self.image_local = local_features(
            c, image_width, mlp=c.local_mlp, direct=of_image, generator=generator
        )
        self.image_head = self._head(
            image_width if of_image else c.dim, c.image_positions, generator
        )
        self.text_local: nn.Module | None = None
        self.text_head: nn.Module | None = None
        if c.text == "set":
            self.text_local = local_features(c, text_width, direct=of_text, generator=generator)
            self.text_head = self._head(text_width if of_text else c.dim, "words", generator)
        self.scale: nn.Parameter | None = None
        self.shift: nn.Parameter | None = None
        if c.similarity == "match_probability" and c.match == "learned":
            self.scale, self.shift = nn.Parameter(torch.ones(())), nn.Parameter(torch.zeros(()))

    @property
    def K(self) -> int:
        """Elements of a set."""
        return self.config.K

    @property
    def similarity(self) -> NamedSimilarity:
        """Smooth-Chamfer, or what the configuration puts in its place."""
        name, options = self.config.similarity, {}
        if name in ("smooth_chamfer", "directed_smooth_chamfer"):
            options = {"alpha": self.config.alpha}
        elif self.scale is not None and self.shift is not None:
            options = {"scale": self.scale.item(), "shift": self.shift.item()}
        return NamedSimilarity(name, options)

    @property
    def whole_texts(self) -> bool:
        """Where a text is one vector."""
        return self.config.text == "vector"

    @property
    def starts(self) -> tuple[Projection, Projection]:
        """The global projections."""
        return self.image_global, self.text_global

    def start_as_ridge(
        self, phi: Tensor, vectors: Tensor, texts_of: Sequence[Sequence[int]]
    ) -> None:
        """One global feature starts at an image's texts, several at clusters of them."""
        start = start_as_mixture if self.config.global_features == "own" else start_as_ridge
        start(self.image_global, self.text_global, phi, vectors, texts_of)

    def module_parameters(self) -> Iterator[nn.Parameter]:
        """Of the heads and their local features."""
        for part in (self.image_local, self.image_head, self.text_local, self.text_head):
            if part is not None:
                yield from part.parameters()

    def scores(self, x: ElementSet, y: ElementSet) -> Tensor:
        """Of a training batch; with gradients for a learned scale and shift, too."""
        if self.scale is None or self.shift is None:
            return super().scores(x, y)
        return match_probability(
            x.elements, y.elements, scale=self.scale, shift=self.shift, normalized=True
        )

    def image_set(self, psi: Tensor, phi: Tensor, mask: Tensor | None) -> ElementSet:
        """Psi (B, N, C), phi (B, P) -> sets (B, K, D), attention (B, K, N)."""
        glob = self.image_global(phi)
        if self.config.global_features == "own":
            glob = glob.unflatten(1, (self.config.K, self.config.dim))
        out: ElementSet = self.image_head(self.image_local(psi), glob, mask)
        return out

    def text_set(self, psi: Tensor, phi: Tensor, mask: Tensor) -> ElementSet:
        """Psi (B, L, C), phi (B, P) -> sets (B, K, D) or (B, 1, D), attention (B, K, L)."""
        if self.text_local is None or self.text_head is None:
            return one_vector(self.text_global(phi), mask / mask.sum(1, keepdim=True))
        out: ElementSet = self.text_head(self.text_local(psi), self.text_global(phi), mask)
        return out

    def _head(
        self,
        local_dim: int,
        positions: Literal["none", "words", "grid"],
        generator: torch.Generator | None,
    ) -> nn.Module:
        c = self.config
        if c.head == "pie_net":
            return PIENet(c.dim, local_dim, K=c.K, dropout=c.dropout, generator=generator)
        shared: dict[str, Any] = {
            "K": c.K,
            "T": c.T,
            "hidden": c.block_hidden or c.hidden or 4 * c.dim,
            "positions": positions,
            "global_weight": c.global_weight,
            "slot_gain": c.slot_gain,
            "generator": generator,
        }
        if c.head == "slot_attention":
            return SlotAttention(c.dim, local_dim, **shared)
        shared |= {"heads": c.heads, "dropout": c.dropout}
        if c.head == "transformer":
            return TransformerHead(c.dim, local_dim, **shared)
        return SetPrediction(
            c.dim,
            local_dim,
            head_dim=c.head_dim,
            slots=c.slots,
            update=c.update,
            legacy_padding=c.legacy_padding,
            legacy_positions=c.legacy_positions,
            **shared,
        )
