"""Attributes as a tensor of states: present, absent, or unknown (which is never absent)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from facetwise.data.attribute_bits import GroupBits
from facetwise.data.schema import Kind

__all__ = ["AttributeTable"]


@dataclass(frozen=True)
class AttributeTable:
    """Which attributes hold for which items.

    Attributes:
        groups: names of the G attribute groups.
        kinds: for each group ``one`` value, ``several``, or a ``flag`` (yes or no).
        names: the A attributes: ``baseColour=Red``; a flag is called as its group. A group's
            attributes stand together, sorted.
        group_index: (A,) the group of each attribute.
        states: (N, A) 1 present, 0 absent, -1 unknown.
    """

    groups: tuple[str, ...]
    kinds: tuple[Kind, ...]
    names: tuple[str, ...]
    group_index: Tensor
    states: Tensor

    @classmethod
    def from_arrow(cls, table: Any, kinds: Mapping[str, Kind]) -> AttributeTable:
        """Read the states from a collection's columns, without a Python loop over cells.

        Args:
            table: `pyarrow.Table` with one column for each group and ``unknown`` (lists of
                ``group=value``).
            kinds: the groups in order.
        """
        n = table.num_rows
        item, pair = _flat(table["unknown"])
        names: list[str] = []
        index: list[int] = []
        blocks: list[np.ndarray[Any, Any]] = []
        for g, (group, kind) in enumerate(kinds.items()):
            column = table[group].combine_chunks()
            null = np.asarray(pc.is_null(column).to_numpy(zero_copy_only=False), dtype=bool)
            if kind == "flag":
                held = pc.fill_null(column, False).to_numpy(zero_copy_only=False)
                block = held.astype(np.int8)[:, None]
                labels = [group]
            else:
                # several values: an empty list is known to hold nothing, a null list is unknown
                owner, value = _flat(column) if kind == "several" else (np.arange(n), column)
                doubt = pc.starts_with(pair, pattern=f"{group}=")
                doubtful = pc.utf8_slice_codeunits(pair.filter(doubt), len(group) + 1)
                values = sorted(
                    set(pc.unique(value).drop_null().to_pylist())
                    | set(pc.unique(doubtful).to_pylist())
                )
                vocabulary = pa.array(values, type=pa.string())
                block = np.zeros((n, len(values)), dtype=np.int8)
                rows = item[doubt.to_numpy(zero_copy_only=False).astype(bool)]
                block[rows, _codes(doubtful, vocabulary)] = -1
                codes = _codes(value, vocabulary)
                block[owner[codes >= 0], codes[codes >= 0]] = 1
                labels = [f"{group}={value}" for value in values]
            block[null & ~(block == 1).any(axis=1)] = -1
            names += labels
            index += [g] * len(labels)
            blocks.append(block)
        states = np.concatenate(blocks, axis=1) if blocks else np.zeros((n, 0), dtype=np.int8)
        return cls(
            groups=tuple(kinds),
            kinds=tuple(kinds.values()),
            names=tuple(names),
            group_index=torch.tensor(index, dtype=torch.long),
            states=torch.from_numpy(states),
        )

    def __len__(self) -> int:
        return len(self.states)

    @cached_property
    def slices(self) -> dict[str, slice]:
        """Where each group's attributes stand in `names` and in the columns of `states`."""
        sizes = torch.bincount(self.group_index, minlength=len(self.groups)).tolist()
        ends = np.cumsum(sizes, dtype=int).tolist()
        return {
            group: slice(end - size, end)
            for group, size, end in zip(self.groups, sizes, ends, strict=True)
        }

    def values(self, group: str) -> tuple[str, ...]:
        """The values of a group, without its name; a flag has one, its own name."""
        return tuple(name.removeprefix(f"{group}=") for name in self.names[self.slices[group]])

    def known(self) -> Tensor:
        """(N, G) bool: whether anything is known of the item in the group."""
        return self._any(self.states >= 0).bool()

    def rows(self, rows: Tensor) -> AttributeTable:
        """The table of the given items only; the attributes stay the same."""
        return AttributeTable(
            self.groups, self.kinds, self.names, self.group_index, self.states[rows]
        )

    def columns(self, columns: Tensor) -> AttributeTable:
        """The table of some attributes only, and of the groups that have any of them.

        Args:
            columns: (B,) which of the A attributes, each at most once; their order stays the
                table's.
        """
        columns = columns.sort().values
        kept = self.group_index[columns].unique().tolist()
        return AttributeTable(
            groups=tuple(self.groups[group] for group in kept),
            kinds=tuple(self.kinds[group] for group in kept),
            names=tuple(self.names[column] for column in columns.tolist()),
            group_index=torch.searchsorted(
                torch.tensor(kept, dtype=torch.long), self.group_index[columns]
            ),
            states=self.states[:, columns],
        )

    def varying(self) -> AttributeTable:
        """The table of the attributes that some item is known to have and another to lack."""
        varies = (self.states == 1).any(0) & (self.states == 0).any(0)
        return self.columns(varies.nonzero().squeeze(1))

    def same_value(self, r: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """Whether two items have a value of a group in common, and whether that is known.

        A flag is shared when both have it or both lack it. Not known is: a shared value among
        those that are unknown for one of the two, and none that is certainly shared.

        Args:
            r: (P,) rows.
            c: (P,) rows.

        Returns:
            targets (P, G), 1 or 0, and mask (P, G), 1 where the target is known; both float32.
        """
        return self._bits.same_value(r, c)

    @cached_property
    def _bits(self) -> GroupBits:
        flags = torch.tensor([kind == "flag" for kind in self.kinds], dtype=torch.bool)
        return GroupBits(self.states, self.group_index, flags)

    def _any(self, cells: Tensor) -> Tensor:
        """(P, A) bool to (P, G): 1 where a group has any. A product is faster than `any`."""
        member = (self.group_index[:, None] == torch.arange(len(self.groups))).float()
        return (cells.float() @ member > 0).float()


def _flat(column: Any) -> tuple[np.ndarray[Any, Any], Any]:
    """A list column as (row of each element, elements)."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    rows = pc.list_parent_indices(column).to_numpy(zero_copy_only=False)
    return rows, pc.list_flatten(column)


def _codes(values: Any, vocabulary: Any) -> np.ndarray[Any, Any]:
    """The place of each value in `vocabulary`; -1 for null."""
    found = pc.fill_null(pc.index_in(values, value_set=vocabulary, skip_nulls=True), -1)
    codes: np.ndarray[Any, Any] = found.to_numpy(zero_copy_only=False)
    return codes
