"""What Polyvore Outfits says of its items: words, types, and attributes found in the words.

PAN's own item attributes (``idx2theirattr.json``) were never released: only the 206 names were. An
item has an attribute here if its title or description says so (METHODS 9). That is our reading:
figures of models trained on it are not comparable with the paper's.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from facetwise.data.benchmarks.checks import Damage, check_count
from facetwise.data.benchmarks.reading import json_object, text_lines
from facetwise.data.item import Problem

__all__ = ["Description", "attribute_names", "match_attributes", "read_metadata"]

_NAMES: Final = 206
_FILE: Final = "polyvore_item_metadata.json"
_WORDS: Final = 3


@dataclass(frozen=True)
class Description:
    """What is known of an item.

    Attributes:
        texts: its title (or the words of its address) and its description.
        semantic: one of eleven coarse types: ``tops``.
        category: the fine type, of about 150.
        attributes: those of the 206 names that the texts mention; None where it has no texts.
    """

    texts: tuple[str, ...] = ()
    semantic: str | None = None
    category: str | None = None
    attributes: tuple[str, ...] | None = None

    def item_attributes(self) -> dict[str, str | tuple[str, ...] | bool | None]:
        """As the attribute groups of an `Item`.

        A name that the texts do not mention counts as absent, as in PAN's training; of an item
        without texts all are unknown.
        """
        return {
            "semantic_category": self.semantic,
            "category": self.category,
            "attributes": self.attributes,
        }


def attribute_names(folder: Path) -> tuple[tuple[str, ...], Problem | None]:
    """The names in PAN's ``attribute_list.txt``, and a remark if they are not the 206 published.

    Copies with 205 are about; a missing end of the last line does no harm (METHODS T-9c). Without
    the file there are no names.
    """
    roots = (folder, folder.parent)
    paths = [root / place / "attribute_list.txt" for root in roots for place in ("dataset", ".")]
    file = next((path for path in paths if path.exists()), None)
    if file is None:
        return (), None
    names = tuple(line.text.strip() for line in text_lines(file, Damage(file)))
    # The names change no question's answer: a list that differs is no reason to stop.
    return names, check_count("names", len(names), _NAMES, where=file, allow_partial=True)


def match_attributes(texts: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Which of the names the texts mention, as whole words, in the order of the names.

    Names are written together (``highwaisted``, ``bomber-style``), texts are not: up to three words
    in a row are also read as one. Spellings are taken as they are, the two misspelt ``embelished``
    and ``crystalembelished`` too; no plurals.

    >>> match_attributes(["High-waisted skirt, off shoulder"], ["highwaisted", "offshoulder", "s"])
    ('highwaisted', 'offshoulder')
    """
    said: set[str] = set()
    for text in texts:
        words = re.findall(r"[^\W_]+", text.casefold())
        for length in range(1, _WORDS + 1):
            said |= {"".join(words[at : at + length]) for at in range(len(words) - length + 1)}
    return tuple(name for name in names if "".join(re.findall(r"[^\W_]+", name.casefold())) in said)


def read_metadata(
    folder: Path, names: Sequence[str] = (), *, only: frozenset[str] | None = None
) -> dict[str, Description]:
    """The descriptions in ``polyvore_item_metadata.json``; empty where the file is missing.

    Args:
        folder: that holds it, or ``nondisjoint`` or ``disjoint`` beside it.
        names: attributes to look for in the texts.
        only: ids of the items wanted; all by default.

    Raises:
        InputError: the file is no such json.
    """
    root = next((root for root in (folder, folder.parent) if (root / _FILE).exists()), None)
    if root is None:
        return {}
    entries = json_object(root / _FILE)
    fine = _fine_names(root / "categories.csv")
    return {
        id: _description(entry, names, fine)
        for id, entry in entries.items()
        if isinstance(entry, dict) and (only is None or id in only)
    }


def _description(
    entry: Mapping[str, Any], names: Sequence[str], fine: Mapping[str, str]
) -> Description:
    said = (_word(entry.get("title")) or _word(entry.get("url_name")), entry.get("description"))
    texts = tuple(dict.fromkeys(filter(None, map(_word, said))))
    id = _word(entry.get("category_id"))
    listed = entry.get("categories")
    last = _word(listed[-1]) if isinstance(listed, list) and listed else ""
    return Description(
        texts,
        _word(entry.get("semantic_category")) or None,
        fine.get(id) or id or last or None,
        match_attributes(texts, names) if texts else None,
    )


def _word(value: object) -> str:
    return str(value).strip() if isinstance(value, str | int) else ""


def _fine_names(file: Path) -> dict[str, str]:
    """Category id to its name: lines ``id,name,coarse type``; names that are taken get the id."""
    if not file.exists():
        return {}
    found: dict[str, str] = {}
    for line in text_lines(file, Damage(file)):
        cells = [cell.strip() for cell in next(csv.reader([line.text]))]
        if len(cells) > 1 and cells[0] and cells[1]:
            taken = cells[1] in found.values()
            found[cells[0]] = f"{cells[1]} ({cells[0]})" if taken else cells[1]
    return found
