"""Emoji by nine artists: each concept drawn by up to nine hands, with labels and shared tags.

Texts are many to many: a tag such as "fruit" is right for many concepts, a concept has many tags.
Held out are three in ten concepts (with all their men, women and persons together) and two of the
artists, by a rule that is fixed here: what is measured on either was never trained on.

Flags are left out, as in `facetwise.data.openmoji`: each is one picture with one name. The older
sets have no code points; their drawings are known by name, and what no name fits is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from facetwise.data.benchmarks.iconify import IconSet, png_of
from facetwise.data.benchmarks.packages import Package
from facetwise.data.benchmarks.source import files_fingerprint
from facetwise.data.emoji_words import plain
from facetwise.data.images import decode
from facetwise.data.item import Item, Problem
from facetwise.data.openmoji import concept
from facetwise.errors import InputError

__all__ = [
    *("ARTISTS", "HELD_OUT_ARTISTS", "PACKAGES", "WORDS"),
    *("Concept", "Design", "EmojiDesigns", "held_out", "read"),
]

WORDS: Final = Package("emojibase-data", "17.0.0", "MIT", "Miles Johnson")
"""Labels and tags in 28 languages, groups, subgroups, skin tones."""

ARTISTS: Final[Mapping[str, Package]] = MappingProxyType(
    {
        "noto": Package("@iconify-json/noto", "1.2.9", "Apache-2.0", "Google"),
        "noto-v1": Package("@iconify-json/noto-v1", "1.2.5", "Apache-2.0", "Google"),
        "twemoji": Package("@iconify-json/twemoji", "1.2.5", "CC BY 4.0", "Twitter"),
        "openmoji": Package("@iconify-json/openmoji", "1.2.29", "CC BY-SA 4.0", "OpenMoji"),
        "fluent": Package("@iconify-json/fluent-emoji-flat", "1.2.6", "MIT", "Microsoft"),
        "fluent-3d": Package("@lobehub/fluent-emoji-3d", "1.1.0", "MIT", "Microsoft, LobeHub"),
        "emojione": Package("@iconify-json/emojione", "1.2.3", "CC BY 4.0", "EmojiOne"),
        "emojione-v1": Package("@iconify-json/emojione-v1", "1.2.3", "CC BY-SA 4.0", "EmojiOne"),
        "fxemoji": Package("@iconify-json/fxemoji", "1.2.2", "Apache-2.0", "Mozilla"),
    }
)
PACKAGES: Final = (WORDS, *ARTISTS.values())

HELD_OUT_ARTISTS: Final = ("twemoji", "fxemoji")
"""A complete set and an old one, neither with a sister among the others (as fluent has)."""

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
        names: by which sets without code points may call it, or a variant: name to code.
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


@dataclass(frozen=True)
class Design:
    """One drawing: whose, of what, and where it is (an icon's name, or a file's)."""

    artist: str
    concept: Concept
    code: str
    key: str


@dataclass(frozen=True)
class EmojiDesigns:
    """The drawings, artist by artist; a Source.

    Attributes:
        folder: the cache of packages.
        languages: of the texts.
        designs: one for each artist and concept (and skin tone).
        problems: drawings that no concept was found for, counted by artist.
        pixels: width and height of the pictures.
    """

    folder: Path
    languages: tuple[str, ...]
    designs: tuple[Design, ...]
    problems: tuple[Problem, ...]
    pixels: int = 128

    @property
    def name(self) -> str:
        """``emoji-designs``."""
        return "emoji-designs"

    def __len__(self) -> int:
        return len(self.designs)

    def items(self) -> Iterator[Item]:
        """Each drawing on white.

        ``extras["held_out"]`` says what is unseen: nothing, concept, artist or both; ``val`` is a
        tenth of the seen concepts, drawn by seen artists.
        """
        for design in self.designs:
            about = design.concept
            unseen = held_out(about.family, design.artist)
            tones = about.tones.get(design.code, ("yellow",) if about.tones else None)
            yield Item(
                id=f"{design.artist}/{design.code}",
                image=self._picture(design),
                texts=tuple(text for _, text in about.texts),
                languages=tuple(language for language, _ in about.texts),
                group=about.group,
                split=unseen if unseen in ("train", "val") else "test",
                attributes={
                    "artist": design.artist,
                    "category": about.category,
                    "subgroup": about.subgroup,
                    "gender": about.gender,
                    "skin": tones,
                    "tag": about.tags or None,
                },
                extras={"held_out": unseen, "family": about.family},
                file=f"{design.artist} {design.key}",
            )

    def fingerprint(self) -> str:
        """Of the packages' versions and of what is read of them."""
        codes = blake2b("".join(f"{d.artist}{d.code}" for d in self.designs).encode()).hexdigest()
        versions = [package.folder for package in PACKAGES]
        return files_fingerprint([], "emoji/1", *versions, *self.languages, codes, str(self.pixels))

    def _picture(self, design: Design) -> bytes:
        source = f"{design.artist} {design.key}"
        if design.artist == "fluent-3d":
            file = ARTISTS["fluent-3d"].find(self.folder) / "assets" / design.key
            return png_of(decode(file.read_bytes(), source=source), self.pixels, source=source)
        return png_of(self._sets[design.artist].svg(design.key), self.pixels, source=source)

    @cached_property
    def _sets(self) -> dict[str, IconSet]:
        return {
            artist: IconSet.read(package.find(self.folder) / "icons.json")
            for artist, package in ARTISTS.items()
            if artist != "fluent-3d"
        }


def held_out(family: str, artist: str) -> str:
    """What is unseen of a drawing: ``train`` or ``val`` (nothing), ``concept``, ``artist``, ``both``.

    >>> held_out("1F34E", "noto"), held_out("1F34E", "fxemoji")
    ('train', 'artist')
    """
    place = int.from_bytes(blake2b(family.encode(), digest_size=4).digest()) % 10
    if artist in HELD_OUT_ARTISTS:
        return "both" if place < 3 else "artist"
    return "concept" if place < 3 else "val" if place == 3 else "train"


def read(
    folder: Path, *, languages: Sequence[str] = ("en",), tones: bool = False, pixels: int = 128
) -> EmojiDesigns:
    """The drawings of the packages that `facetwise.data.benchmarks.packages.fetch` has put there.

    Args:
        folder: the cache that holds `PACKAGES`.
        languages: of labels and tags; what emojibase has: ``de``, ``zh``, ...
        tones: the 10,000 variants with a skin tone, too; each is nearly its untoned drawing.
        pixels: width and height of the pictures.

    Raises:
        InputError: a package is missing or damaged, or there is no such language.
    """
    concepts = _concepts(WORDS.find(folder), languages)
    wanted = {about.code: about for about in concepts}
    wanted |= {code: about for about in concepts for code in about.tones} if tones else {}
    names = _names(WORDS.find(folder), concepts)
    designs: list[Design] = []
    problems: list[Problem] = []
    for artist, package in ARTISTS.items():
        own, unknown = _drawings(package.find(folder), names)
        found = [(code, key) for code, key in own.items() if code in wanted]
        designs += [Design(artist, wanted[code], code, key) for code, key in sorted(found)]
        if unknown:
            what = f"{artist}: {len(unknown)} drawings have no name that emojibase knows; left out"
            problems.append(Problem(package.name, None, unknown[0], what, "unknown"))
    return EmojiDesigns(Path(folder), tuple(languages), tuple(designs), tuple(problems), pixels)


def _concepts(words: Path, languages: Sequence[str]) -> list[Concept]:
    messages = _json(words / "en" / "messages.json")
    groups, subgroups = ([m["message"] for m in messages[key]] for key in ("groups", "subgroups"))
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
                category=str(groups[entry["group"]]),
                subgroup=str(subgroups[entry["subgroup"]]),
                gender=gender or ("person" if family in gendered else None),
                tones={
                    plain(skin["hexcode"]): tuple(_TONES[tone - 1] for tone in _tones(skin))
                    for skin in entry.get("skins", ())
                },
            )
        )
    return found


def _names(words: Path, concepts: Sequence[Concept]) -> dict[str, str]:
    """By which names a drawing may go, without blanks and signs, and the code each stands for.

    Labels count before Unicode's own names, these before shortcodes: names wander between emoji.
    """
    codes = {about.code for about in concepts}
    toned = {code for about in concepts for code in about.tones}
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


def _drawings(folder: Path, names: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Code to icon (or file) of one artist, and the icons that nothing is known of."""
    if (folder / "assets").is_dir():
        files = sorted((folder / "assets").glob("*.webp"))
        return {plain(file.stem): file.name for file in files}, []
    icons = IconSet.read(folder / "icons.json")
    roots = icons.names()
    table = folder / "chars.json"
    known = _json(table) if table.is_file() else {}
    if known:
        return {plain(code): roots[name] for code, name in known.items() if name in roots}, []
    flags = _json(folder / "metadata.json").get("categories", {}).get("Flags", [])
    found: dict[str, str] = {}
    named: set[str] = set(flags)
    for name, root in roots.items():  # own names come before aliases
        code = names.get(_flat(name))
        if code is not None:
            named.add(root)
            found.setdefault(code, root)
    return found, sorted({*roots.values()} - named)


def _flat(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.lower())


def _tones(skin: Mapping[str, Any]) -> tuple[int, ...]:
    tone = skin["tone"]
    return tuple(dict.fromkeys(tone)) if isinstance(tone, list) else (int(tone),)


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(
            f"{file} is missing or damaged; delete its package, get it again"
        ) from error
