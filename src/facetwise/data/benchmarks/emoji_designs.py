"""Emoji by nine artists: each concept drawn by up to nine hands, with labels and shared tags.

Texts are many to many: a tag such as "fruit" is right for many concepts, a concept has many tags.
Held out are three in ten concepts (with all their men, women and persons together) and two of the
artists, by a rule that is fixed here: what is measured on either was never trained on.

Flags are left out, as in `facetwise.data.openmoji`: each is one picture with one name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from types import MappingProxyType
from typing import Final

from facetwise.data.benchmarks.emoji_concepts import Concept, concepts, drawings, names
from facetwise.data.benchmarks.iconify import IconSet, png_of
from facetwise.data.benchmarks.packages import Package
from facetwise.data.benchmarks.source import files_fingerprint
from facetwise.data.images import decode
from facetwise.data.item import Item, Problem

__all__ = [
    "ARTISTS",
    "HELD_OUT_ARTISTS",
    "PACKAGES",
    "WORDS",
    "Design",
    "EmojiDesigns",
    "held_out",
    "read",
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
    """What is unseen of a drawing: ``concept``, ``artist``, ``both``; else ``train`` or ``val``.

    >>> held_out("1F34E", "noto"), held_out("1F34E", "fxemoji")
    ('concept', 'both')
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
    known = concepts(WORDS.find(folder), languages)
    wanted = {about.code: about for about in known}
    wanted |= {code: about for about in known for code in about.tones} if tones else {}
    called = names(WORDS.find(folder), known)
    designs: list[Design] = []
    problems: list[Problem] = []
    for artist, package in ARTISTS.items():
        own, unknown = drawings(package.find(folder), called)
        found = [(code, key) for code, key in own.items() if code in wanted]
        designs += [Design(artist, wanted[code], code, key) for code, key in sorted(found)]
        if unknown:
            what = f"{artist}: {len(unknown)} drawings have no name that emojibase knows; left out"
            problems.append(Problem(package.name, None, unknown[0], what, "unknown"))
    return EmojiDesigns(Path(folder), tuple(languages), tuple(designs), tuple(problems), pixels)
