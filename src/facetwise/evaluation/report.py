"""What an evaluation says: numbers for machines, a table for people."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from facetwise.evaluation.image_image import Retrieval
from facetwise.evaluation.image_text import ImageText

if TYPE_CHECKING:
    from rich.console import Group

__all__ = ["PairFigures", "Report"]


@dataclass(frozen=True)
class PairFigures:
    """A pair model on held-out pictures.

    Attributes:
        found: by the model's score; None where there are no groups.
        head_cosine: PAN's trained head under plain cosine: what is left without conditions.
        untrained: the frozen features under cosine, all layers that the head sees.
        last_layer: the encoder's last layer alone, often the better of the two.
        pair_entropy, mean_entropy: of the relevance, in nats. Equal means that it is the same for
            all pairs: collapsed (FIELDNOTES, PAN 5).
        free_mass: share of the relevance on unsupervised conditions.
        agreement: attribute group to percent of the first 10 that share its value: by frozen
            features, by the model, and by the model with the group weighed thrice.
    """

    found: Retrieval | None
    head_cosine: Retrieval | None
    untrained: Retrieval | None
    last_layer: Retrieval | None
    pair_entropy: float
    mean_entropy: float
    free_mass: float
    agreement: dict[str, tuple[float, float, float]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        out: dict[str, Any] = {} if self.found is None else self.found.to_dict()
        out["control"] = {
            name: None if value is None else round(value.map_at_r, 2)
            for name, value in (
                ("head_cosine_map_at_r", self.head_cosine),
                ("untrained_map_at_r", self.untrained),
                ("last_layer_map_at_r", self.last_layer),
            )
        }
        out["relevance"] = {
            "pair_entropy": round(self.pair_entropy, 4),
            "mean_entropy": round(self.mean_entropy, 4),
            "free_mass": round(self.free_mass, 4),
        }
        out["agreement@10"] = {
            group: {
                name: None if math.isnan(value) else round(value, 2)
                for name, value in zip(("untrained", "model", "weighed_3"), values, strict=True)
            }
            for group, values in self.agreement.items()
        }
        return out


@dataclass(frozen=True)
class Report:
    """A run measured on a collection."""

    collection: str
    split: str
    items: int
    image_text: ImageText | None
    pairs: PairFigures | None
    sets_images: Retrieval | None
    """Image retrieval by the set model."""
    seconds: float
    rerank: dict[str, Any] | None = None
    """`evaluation.rerank.two_stages`, where `image_text` is of two stages."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON; percent throughout, entropies in nats."""
        out: dict[str, Any] = {
            "collection": self.collection,
            "split": self.split,
            "items": self.items,
        }
        if self.image_text is not None:
            out["image_text"] = self.image_text.to_dict()
            if self.rerank is not None:
                out["image_text"]["rerank"] = self.rerank
        images: dict[str, Any] = {}
        if self.pairs is not None:
            images["pairs"] = self.pairs.to_dict()
        if self.sets_images is not None:
            images["sets"] = self.sets_images.to_dict()
        if images:
            out["image_image"] = images
        out["seconds"] = round(self.seconds, 2)
        return out

    def table(self) -> Group:
        """For a terminal."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        parts: list[Any] = [
            Text(f"{self.collection}: {self.items} items ({self.split}), {self.seconds:.1f} s")
        ]
        if self.image_text is not None:
            it = self.image_text
            table = Table(title=f"image and text: {it.images} pictures, {it.texts} texts")
            for name in ("", "R@1", "R@5", "R@10", "median rank"):
                table.add_column(name, justify="left" if not name else "right")
            for name, r in (("image to text", it.i2t), ("text to image", it.t2i)):
                table.add_row(name, *(f"{v:.1f}" for v in (r.r1, r.r5, r.r10, r.medr)))
            parts.append(table)
            control = "" if it.control is None else f"; by the sets' mean vectors {it.control:.1f}"
            if self.rerank is not None:
                first, depth = self.rerank["first_stage"]["rsum"], self.rerank["depth"]
                control = f"; {first:.1f} before the best {depth} were ranked again" + control
            parts.append(Text(f"RSUM {it.rsum:.1f}{control}"))
        rows: list[tuple[str, Retrieval | None]] = []
        if self.pairs is not None:
            rows += [
                ("frozen features", self.pairs.untrained),
                ("last layer alone", self.pairs.last_layer),
                ("pair model's head, cosine", self.pairs.head_cosine),
                ("pair model", self.pairs.found),
            ]
        rows.append(("set model", self.sets_images))
        if any(value is not None for _, value in rows):
            table = Table(title="image to image: the same group")
            for name in ("", "R@1", "R@5", "R@10", "mAP@R"):
                table.add_column(name, justify="left" if not name else "right")
            for name, value in rows:
                if value is not None:
                    f = value.found
                    table.add_row(name, *(f"{v:.1f}" for v in (f.r1, f.r5, f.r10, value.map_at_r)))
            parts.append(table)
        if self.pairs is not None and self.pairs.agreement:
            table = Table(title="share of the first 10 with the same value")
            for name in ("", "frozen features", "pair model", "weighed x 3"):
                table.add_column(name, justify="left" if not name else "right")
            for group, values in self.pairs.agreement.items():
                table.add_row(group, *("-" if math.isnan(v) else f"{v:.1f}" for v in values))
            parts.append(table)
            parts.append(
                Text(
                    f"relevance: entropy of a pair {self.pairs.pair_entropy:.2f}, of the mean "
                    f"{self.pairs.mean_entropy:.2f} nats; {100 * self.pairs.free_mass:.0f}% on "
                    "free conditions"
                )
            )
        return Group(*parts)
