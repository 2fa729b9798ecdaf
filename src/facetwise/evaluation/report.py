"""What an evaluation says: numbers for machines, a table for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from facetwise.evaluation.image_image import Retrieval
from facetwise.evaluation.image_text import ImageText
from facetwise.evaluation.pair_figures import PairFigures

if TYPE_CHECKING:
    from rich.console import Group

__all__ = ["Report"]


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
        if self.pairs is not None:
            agreed = self.pairs.agreement_table()
            parts += [] if agreed is None else [agreed]
            parts += [Text(line) for line in self.pairs.lines()]
        return Group(*parts)
