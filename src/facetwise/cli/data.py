"""`facetwise data`: import your own pictures and table, and look at what came in."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from tyro.conf import Positional, arg

from ..errors import InputError
from .getting import ReadBenchmark, collection_of_benchmark
from .options import Flag, JsonFlag, Names, print_json, say

if TYPE_CHECKING:
    from ..data import Collection
    from ..data.inspecting import Report

__all__ = ["Import", "Inspect"]

_SHOWN = 10
Column = Annotated[str | None, arg(metavar="COLUMN", help_behavior_hint="")]


@dataclass(frozen=True)
class Import:
    """Make a collection of a folder of pictures and, if there is one, its table.

    Tables are csv, parquet or jsonl, in UTF-8. The columns for id, image, texts, attributes and
    group are guessed from their names and contents; what you give wins. Without a table, a
    picture's subfolder is its group. A bad row is left out and listed, unless --strict. A published
    data set comes in its own layout: --benchmark names it, --split the parts to take.

    Example:
        facetwise data import shop/ --out shop.collection
        facetwise data import shop/ --table styles.csv --group articleType,baseColour
        facetwise data import Flickr8k --benchmark flickr8k --split train,dev
    """

    interrupted: ClassVar[str] = "nothing was written, an older collection is untouched"

    folder: Annotated[
        Path,
        Positional,
        arg(metavar="DIR", help="The folder that holds the pictures, or a table among them."),
    ]
    table: Annotated[
        str | None,
        arg(
            metavar="FILE",
            help="The table, by its name in DIR or its path.",
            help_behavior_hint="(default: the only one in DIR)",
        ),
    ] = None
    out: Annotated[
        Path | None,
        arg(
            metavar="COLLECTION",
            help="The collection to make.",
            help_behavior_hint="(default: DIR.collection)",
        ),
    ] = None
    id: Annotated[Column, arg(help="Column of the ids.")] = None
    image: Annotated[
        Column,
        arg(help="Column of picture files (or their names), or a pattern: 'images/{id}.jpg'."),
    ] = None
    texts: Annotated[Names, arg(help="Columns of texts; caption_de holds German ones.")] = None
    attributes: Annotated[Names, arg(help="Columns of attributes.")] = None
    group: Annotated[Names, arg(help="Columns that together say which items are of one kind.")] = (
        None
    )
    outfit: Annotated[Column, arg(help="Column of the outfits that an item belongs to.")] = None
    split: Annotated[
        Column,
        arg(help="Column of train, val and test; of a benchmark its parts (default: train)."),
    ] = None
    benchmark: Annotated[
        ReadBenchmark | None,
        arg(help="DIR is this data set, as published.", help_behavior_hint=""),
    ] = None
    allow_partial: Annotated[Flag, arg(help="Take a benchmark that is not all there.")] = False
    name: Annotated[
        str | None,
        arg(metavar="NAME", help="For titles.", help_behavior_hint="(default: the folder's)"),
    ] = None
    strict: Annotated[Flag, arg(help="Stop at the first bad row instead of leaving it out.")] = (
        False
    )
    overwrite: Annotated[Flag, arg(help="Replace a collection that is there already.")] = False
    json: JsonFlag = False

    def run(self) -> int:
        """Import, and say what was understood and left out."""
        collection = self._own() if self.benchmark is None else self._published(self.benchmark)
        if self.json:
            print_json(
                {
                    "collection": str(collection.path),
                    "items": len(collection),
                    "roles": dict(collection.manifest.roles),
                    "left_out": dict(collection.manifest.left_out),
                    "skipped": [vars(problem) for problem in collection.skipped],
                    "notes": [vars(problem) for problem in collection.notes],
                }
            )
        else:
            _say_what_came(collection)
        return 0

    def _own(self) -> Collection:
        from ..data import Collection

        is_table = self.folder.is_file() and self.table is None
        return Collection.from_folder(
            self.folder.parent if is_table else self.folder,
            table=self.folder.absolute() if is_table else self.table,
            out=self.out,
            id=self.id,
            image=self.image,
            texts=self.texts,
            attributes=self.attributes,
            group=self.group,
            outfit=self.outfit,
            split=self.split,
            name=self.name,
            strict=self.strict,
            overwrite=self.overwrite,
        )

    def _published(self, benchmark: ReadBenchmark) -> Collection:
        columns = ("table", "id", "image", "texts", "attributes", "group", "outfit")
        given = [f"--{name}" for name in columns if getattr(self, name) is not None]
        if given:
            raise InputError(f"--benchmark {benchmark} knows its own files; leave {given[0]} out")
        splits = [part.strip() for part in (self.split or "train").split(",") if part.strip()]
        folder = Path(os.path.abspath(self.folder))
        return collection_of_benchmark(
            benchmark,
            self.folder,
            splits=splits,
            out=self.out or folder.parent / f"{folder.name}-{'-'.join(splits)}.collection",
            title=self.name,
            allow_partial=self.allow_partial,
            strict=self.strict,
            overwrite=self.overwrite,
        )


@dataclass(frozen=True)
class Inspect:
    """Show what a collection holds: counts, missing values, samples, and what is wrong.

    Example:
        facetwise data inspect shop.collection --png sheet.png
        facetwise data inspect shop.collection --json
    """

    interrupted: ClassVar[str] = "nothing was changed"

    collection: Annotated[
        Path, Positional, arg(metavar="COLLECTION", help="What `facetwise data import` wrote.")
    ]
    png: Annotated[
        Path | None,
        arg(
            metavar="FILE",
            help="Write a contact sheet of sample pictures.",
            help_behavior_hint="",
        ),
    ] = None
    json: JsonFlag = False

    def run(self) -> int:
        """Inspect, and print tables or JSON."""
        from ..data import Collection
        from ..data.inspecting import inspect

        collection = Collection.open(self.collection)
        report = inspect(collection)
        if self.json:
            print_json(report.to_dict())
        else:
            _print_report(report)
        if self.png is not None:
            import io

            from ..data.sheet import contact_sheet
            from ..files import write_bytes

            picture = io.BytesIO()
            contact_sheet(collection).save(picture, format="PNG")
            write_bytes(self.png, picture.getvalue())
            say(f"{self.png} is written")
        return 0


def _say_what_came(collection: Collection) -> None:
    more = "are listed by `facetwise data inspect`"
    for problem in collection.skipped[:_SHOWN]:
        say(f"left out: {problem}")
    count = sum(collection.manifest.left_out.values())
    if count > _SHOWN:
        say(f"left out: {count - _SHOWN} more, which {more}")
    for note in collection.notes[:_SHOWN]:
        say(f"note: {note}")
    if len(collection.notes) > _SHOWN:
        say(f"note: {len(collection.notes) - _SHOWN} more, which {more}")
    for old, new in collection.manifest.renamed.items():
        say(f"note: the column {old!r} is called {new!r} here, because that name is taken")
    for role, columns in collection.manifest.roles.items():
        say(f"{role + ':':<12}{columns}")
    left_out = f", {count} left out" if count else ""
    say(f"{collection.path} holds {len(collection)} items{left_out}. Next:")
    say(f"  facetwise data inspect {collection.path} --png sheet.png")
    say(f"  facetwise fit {collection.path} --out runs/{collection.name}")


def _print_report(report: Report) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    facts = Table(title=escape(report.name), title_justify="left", show_header=False)
    facts.add_column(style="bold")
    facts.add_column()

    def fact(what: str, value: object) -> None:
        facts.add_row(what, escape(str(value)))

    fact("items", report.items)
    fact("from", report.source)
    for role, columns in report.roles.items():
        fact(f"{role} from", columns)
    fact("width", f"{report.width} pixels")
    fact("height", f"{report.height} pixels")
    each = f"each item {report.texts_per_item}"
    fact("texts", f"{report.texts}, {report.different_texts} different ({each})")
    fact("without text", f"{report.items_without_text} items")
    if report.languages:
        fact("languages", ", ".join(f"{code or '?'} {n}" for code, n in report.languages.items()))
    if report.groups:
        fact("groups", f"{report.groups} (items each {report.group_size})")
    if report.outfits:
        fact("outfits", report.outfits)
    if report.splits:
        fact("splits", ", ".join(f"{part} {n}" for part, n in report.splits.items()))
    console.print(facts)

    if report.attributes:
        table = Table("attribute", "values", "known", "missing", "most frequent")
        for group in report.attributes:
            kind = "" if group.kind == "one" else f" ({group.kind})"
            top = ", ".join(f"{value} {n}" for value, n in group.top)
            share = _share(group.known, report.items)
            table.add_row(
                escape(group.name + kind), str(group.values), share, str(group.missing), escape(top)
            )
        console.print(table)
    if report.extras:
        table = Table("also", "kind", "known", "missing", "from", "to")
        for extra in report.extras:
            ends = ["" if end is None else f"{end:g}" for end in (extra.least, extra.most)]
            share = _share(extra.known, report.items)
            table.add_row(escape(extra.name), extra.kind, share, str(extra.missing), *ends)
        console.print(table)
    console.print("[bold]What deserves a look[/bold]" if report.wrong else "Nothing looks wrong.")
    for line in report.wrong:
        console.print(f"- {escape(line)}")
    skipped, listed = sum(report.left_out.values()), len(report.skipped)
    if skipped > listed:
        console.print(f"[dim]of {skipped} rows left out, the first {listed} are on record[/dim]")
    for word, problems in (("left out", report.skipped), ("note", report.notes)):
        for problem in problems[: 2 * _SHOWN]:
            console.print(f"[dim]{word}: {escape(str(problem))}[/dim]", soft_wrap=True)
        if len(problems) > 2 * _SHOWN:
            console.print(f"[dim]{word}: {len(problems) - 2 * _SHOWN} more, see --json[/dim]")


def _share(known: int, items: int) -> str:
    """A percentage that says 100 only of all."""
    return "100%" if known == items else f"{min(99.9, 100 * known / items):.1f}%"
