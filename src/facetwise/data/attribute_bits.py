"""Attributes packed eight to a byte: what pairs have in common, by bit operations.

Two planes of bits say of an item which attributes are present and which are known; absent is known
and not present. For P pairs the two items' bytes are gathered (a few hundred kilobytes for 10,000
pairs and 312 attributes), combined, and unpacked once, straight into the result: that costs about
as much as writing it. NumPy packs and unpacks bits; PyTorch cannot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

__all__ = ["BitPlanes", "Bits", "GroupBits"]

Bits = npt.NDArray[np.uint8]
"""Packed bits, (N, ceil(A / 8)); an attribute's first of eight is the lowest bit."""

_BLOCK: Final = 1024
"""Rows whose bits become bytes at a time, which then are still in the processor's cache."""


@dataclass(frozen=True)
class BitPlanes:
    """What is known of N items in A attributes.

    Attributes:
        present: (N, B) bytes: which attributes an item has.
        known: (N, B) bytes: of which it is known; whatever is present is known.
        count: A; the last byte's spare bits are known to be absent.

    >>> planes = BitPlanes.of(torch.tensor([[1, 0, -1]], dtype=torch.int8))
    >>> planes.present, planes.known & 0b111
    (array([[1]], dtype=uint8), array([[3]], dtype=uint8))
    """

    present: Bits
    known: Bits
    count: int

    @classmethod
    def of(cls, states: Tensor) -> BitPlanes:
        """states: (N, A) 1 present, 0 absent, -1 unknown."""
        array = states.cpu().numpy()
        return cls(_packed(array == 1), ~_packed(array == -1), array.shape[1])

    def pairs(self, r: Tensor, c: Tensor) -> tuple[BitPlanes, BitPlanes]:
        """The planes of the items r (P,) and c (P,)."""
        left, right = r.cpu().numpy(), c.cpu().numpy()
        return (
            BitPlanes(self.present.take(left, 0), self.known.take(left, 0), self.count),
            BitPlanes(self.present.take(right, 0), self.known.take(right, 0), self.count),
        )

    @property
    def absent(self) -> Bits:
        """(N, B) bytes: which attributes an item is known to lack."""
        return self.known & ~self.present

    def unpacked(self, *results: Sequence[Bits]) -> Tensor:
        """Planes of P rows as float32 of 0 and 1.

        Args:
            results: of each, T planes (P, B) that stand side by side.

        Returns:
            (results, P, T A), in one piece of memory: two pieces of 10 MB each go back to the
            system at every step, and getting them again takes longer than filling them.
        """
        first = results[0]
        out = torch.empty(len(results), len(first[0]), len(first), self.count, dtype=torch.float32)
        cells = out.numpy()
        for k, planes in enumerate(results):
            for t, plane in enumerate(planes):
                for start in range(0, len(plane), _BLOCK):
                    rows = slice(start, start + _BLOCK)
                    cells[k, rows, t] = np.unpackbits(
                        plane[rows], axis=1, count=self.count, bitorder="little"
                    )
        return out.flatten(-2)


class GroupBits:
    """Whether two items have a value of a group in common, for all groups at once.

    Each group starts a new byte, so that "any of the group" is an OR over its bytes.

    Args:
        states: (N, A) 1 present, 0 absent, -1 unknown.
        group_index: (A,) the group of each attribute, ascending.
        flags: (G,) bool: groups that say yes or no, which two items share that both lack it.
    """

    def __init__(self, states: Tensor, group_index: Tensor, flags: Tensor) -> None:
        index = group_index.cpu().numpy()
        array = states.cpu().numpy()
        sizes = np.bincount(index, minlength=len(flags))
        widths = -(-sizes // 8)  # bytes of each group; none for a group without attributes
        ends = np.cumsum(widths)
        self._bytes = list(zip((ends - widths).tolist(), ends.tolist(), strict=True))
        self._count = len(flags)
        starts = np.cumsum(sizes) - sizes
        place = np.arange(len(index)) - starts[index] + 8 * (ends - widths)[index]
        present = np.zeros((len(array), 8 * int(widths.sum())), dtype=bool)
        unknown, flag = np.zeros_like(present), np.zeros_like(present[:1])
        present[:, place], unknown[:, place] = array == 1, array == -1
        flag[:, place] = flags.cpu().numpy()[index]
        self._planes = BitPlanes(_packed(present), ~_packed(unknown), present.shape[1])
        self._flag = _packed(flag)

    def same_value(self, r: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """Targets (P, G) and mask (P, G), as `AttributeTable.same_value` says."""
        u, v = self._planes.pairs(r, c)
        lacking_u, lacking_v = u.absent, v.absent
        flag = self._flag
        shared = (u.present & v.present) | (flag & lacking_u & lacking_v)
        doubtful = (flag & ~(u.known & v.known)) | (~flag & ~lacking_u & ~lacking_v)
        agree, doubt = self._any(shared), self._any(doubtful)
        targets, mask = np.stack([agree, agree | ~doubt]).astype(np.float32)
        return torch.from_numpy(targets), torch.from_numpy(mask)

    def _any(self, bits: Bits) -> npt.NDArray[np.bool_]:
        """(P, B) bytes to (P, G): whether a group has any bit."""
        out = np.zeros((self._count, len(bits)), dtype=bool)
        turned = np.ascontiguousarray(bits.T)  # a byte of all pairs lies together
        for group, (start, stop) in enumerate(self._bytes):
            if start < stop:
                out[group] = np.bitwise_or.reduce(turned[start:stop], axis=0) != 0
        return out.T


def _packed(cells: npt.NDArray[Any]) -> Bits:
    return np.packbits(cells, axis=1, bitorder="little")
