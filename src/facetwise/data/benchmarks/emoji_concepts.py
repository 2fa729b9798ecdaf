"""What emoji show, by which names they go, and which drawing of a set shows what.

Words, groups and skin tones are emojibase's. Sets with code points are matched by these (without
the variation selector FE0F, which comes and goes); the older ones by name, and what no name fits is
left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from facetwise.data.benchmarks.iconify import IconSet
from facetwise.data.emoji_words import plain
from facetwise.data.openmoji import concept
from facetwise.errors import InputError

__all__ = ["Concept", "concepts", "drawings", "names"]

_FLAGS, _COMPONENTS = 9, 2
_SHORTCODES: Final = ("cldr", "emojibase", "github", "iamcal", "joypixels", "emojibase-legacy")
_TONES: Final = ("light", "medium-light", "medium", "medium-dark", "dark")


@dataclass(frozen=True)
class Concept:
    """What an emoji shows, whoever draws it.

    Attributes:
        code: without variation selectors: ``1F34E``.
        family: the code of the neutral figure; a man, a woman and a person teaching are one family.
        label: its English name.
        texts: (language, text) pairs: label and tags, English first.
        tags: English.
        category: ``food & drink``.
        subgroup: ``fruit``.
        gender: ``man``, ``woman``, ``person``, or None where it makes no sense to ask.
        tones: code of each skin-tone variant to its tones; empty where there are none.
    """

    code: str
    family: str
    label: str
    texts: tuple[tuple[str, str], ...]
    tags: tuple[str, ...]
    category: str
    subgroup: str
    gender: str | None
    tones: Mapping[str, tuple[str, ...]]

    @property
    def group(self) -> str:
        """``red apple (1F34E)``."""
        return f"{self.label} ({self.code})"


def concepts(words: Path, languages: Sequence[str]) -> list[Concept]:
    """Every emoji but flags, skin-tone swatches and letters, from emojibase's folder.

    Args:
        words: the folder of `emojibase-data`.
        languages: of labels and tags, those to keep as texts.

    Raises:
        InputError: a file is missing or damaged, or there is no such language.
    """
    groups, subgroups = (_names(words, kind) for kind in ("groups", "subgroups"))
    texts: dict[str, dict[tuple[str, str], None]] = {}
    for language in languages:
        file = words / language / "data.json"
        if not file.is_file():
            raise InputError(f"emojibase has no language {language!r}; en, de, zh, ... are folders")
        for entry in _json(file):
            own = texts.setdefault(plain(entry["hexcode"]), {})
            own |= {(language, str(w)): None for w in (entry["label"], *entry.get("tags", ()))}
    entries = [
        entry
        for entry in _json(words / "en" / "data.json")
        if entry.get("group") not in (None, _FLAGS, _COMPONENTS)
    ]
    parts = {entry["hexcode"]: concept(entry["hexcode"]) for entry in entries}
    gendered = {family for family, _, gender in parts.values() if gender in ("man", "woman")}
    found: list[Concept] = []
    for entry in entries:
        code = plain(entry["hexcode"])
        family, _, gender = parts[entry["hexcode"]]
        found.append(
            Concept(
                code=code,
                family=family,
                label=str(entry["label"]),
                texts=tuple(texts.get(code, {})),
                tags=tuple(dict.fromkeys(map(str, entry.get("tags", ())))),
                category=groups[entry["group"]],
                subgroup=subgroups[entry["subgroup"]],
                gender=gender or ("person" if family in gendered else None),
                tones={
                    plain(skin["hexcode"]): tuple(_TONES[tone - 1] for tone in _tones(skin))
                    for skin in entry.get("skins", ())
                },
            )
        )
    return found


def names(words: Path, known: Sequence[Concept]) -> dict[str, str]:
    """By which names a drawing may go, without blanks and signs, and the code each stands for.

    Labels count before Unicode's own names, these before shortcodes: names wander between emoji.
    """
    codes = {about.code for about in known}
    toned = {code for about in known for code in about.tones}
    tables: list[list[tuple[str, str]]] = [[], []]
    for entry in _json(words / "en" / "data.json"):
        for one in (entry, *entry.get("skins", ())):
            tables[0].append((str(one["label"]), plain(one["hexcode"])))
    tables[1] += [
        (str(name), plain(code))
        for code, name in _json(words / "meta" / "unicode-names.json").items()
    ]
    for table in _SHORTCODES:
        file = words / "en" / "shortcodes" / f"{table}.json"
        for code, own in _json(file).items() if file.is_file() else ():
            listed = [own] if isinstance(own, str) else own
            tables.append([(str(name), plain(code)) for name in listed])
    found: dict[str, str] = {}
    for pairs in tables:
        for name, code in pairs:
            if code in codes or code in toned:
                found.setdefault(_flat(name), code)
    return found


def drawings(folder: Path, called: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Code to icon (or file) of one artist, and the icons that nothing is known of."""
    if (folder / "assets").is_dir():
        files = sorted((folder / "assets").glob("*.webp"))
        return {plain(file.stem): file.name for file in files}, []
    icons = IconSet.read(folder / "icons.json")
    roots = icons.names()
    table = folder / "chars.json"
    codes = _json(table) if table.is_file() else {}
    if codes:
        return {plain(code): roots[name] for code, name in codes.items() if name in roots}, []
    flags = _json(folder / "metadata.json").get("categories", {}).get("Flags", [])
    found: dict[str, str] = {}
    named: set[str] = set(flags)
    for name, root in roots.items():
        code = called.get(_flat(name))
        # An icon's own name comes before its aliases and settles it: "cricket" is a game, too.
        if code is not None and root not in named:
            named.add(root)
            found.setdefault(code, root)
    return found, sorted({*roots.values()} - named)


def _flat(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.lower())


def _tones(skin: Mapping[str, Any]) -> tuple[int, ...]:
    tone = skin["tone"]
    return tuple(dict.fromkeys(tone)) if isinstance(tone, list) else (int(tone),)


def _names(words: Path, kind: str) -> dict[int, str]:
    """Number to English name of the groups or subgroups.

    By their keys: the list of messages has an entry more than there are numbers, so that places in
    it are one too far for half of them.
    """
    keys: dict[str, str] = _json(words / "meta" / "groups.json")[kind]
    messages = _json(words / "en" / "messages.json")[kind]
    named = {str(message["key"]): str(message["message"]) for message in messages}
    return {int(number): named.get(key, key) for number, key in keys.items()}


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(
            f"{file} is missing or damaged; delete its package, get it again"
        ) from error
