"""Whose scores these are: images and captions by id, in the order of a protocol."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from facetwise.errors import InputError

__all__ = ["Known"]


@dataclass(frozen=True)
class Known:
    """Images and captions that scores are of.

    Attributes:
        image_ids, caption_ids: of the B images and C captions, each once.
        owner: (C,) int64, the image of each caption.
    """

    image_ids: tuple[str, ...]
    caption_ids: tuple[str, ...]
    owner: Tensor

    @classmethod
    def numbered(cls, owner: Tensor, images: int) -> Known:
        """Where nobody named them."""
        return cls(tuple(map(str, range(images))), tuple(map(str, range(len(owner)))), owner)

    def only(self, images: Collection[str], captions: Collection[str]) -> Known:
        """These alone, in the same order; captions whose image is missing go, too.

        >>> whole = Known(("a", "b"), ("a#0", "b#0"), torch.tensor([0, 1]))
        >>> whole.only({"b"}, {"a#0", "b#0"})
        Known(image_ids=('b',), caption_ids=('b#0',), owner=tensor([0]))
        """
        kept = [place for place, name in enumerate(self.image_ids) if name in images]
        place = {old: new for new, old in enumerate(kept)}
        captions_kept = [
            (name, place[image])
            for name, image in zip(self.caption_ids, self.owner.tolist(), strict=True)
            if name in captions and image in place
        ]
        return Known(
            tuple(self.image_ids[old] for old in kept),
            tuple(name for name, _ in captions_kept),
            torch.tensor([image for _, image in captions_kept], dtype=torch.long),
        )

    def of(
        self, path: Path, images: Sequence[str], captions: Sequence[str], *, allow_partial: bool
    ) -> Known:
        """What a file that names these images and captions can be asked.

        Raises:
            InputError: it names others, or not all of these.
        """
        for kind, own, named in (
            ("image", self.image_ids, images),
            ("caption", self.caption_ids, captions),
        ):
            ours, theirs = set(own), set(named)
            stranger = next((name for name in named if name not in ours), None)
            if stranger is not None:
                raise InputError(
                    f"{path}: {kind} {stranger!r} is none of the benchmark's {len(own):,}; "
                    "score the benchmark's split"
                )
            lost = [name for name in own if name not in theirs]
            if lost and not allow_partial:
                raise InputError(
                    f"{path}: {len(lost):,} of the benchmark's {len(own):,} {kind}s are missing, "
                    f"{lost[0]!r} first; go on with what is there: --allow-partial"
                )
        found = self.only(set(images), set(captions))
        if not found.caption_ids:
            raise InputError(f"{path}: no image is there with one of its captions")
        return found
