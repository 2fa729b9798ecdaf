"""A user's own folder and table to a Collection."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final

from facetwise.data.collection import Collection
from facetwise.data.columns import Roles, guess_roles, profile
from facetwise.data.item import Item, Problem
from facetwise.data.pictures import PictureFolder
from facetwise.data.tables import SUFFIXES, Row, Table, Value, as_text, clean, read_table
from facetwise.errors import InputError

__all__ = ["from_folder", "from_table", "stem_words"]

_SPLIT_FOLDERS: Final = frozenset(("train", "val", "valid", "validation", "dev", "test"))
_YES: Final = frozenset(("yes", "true", "y", "t", "1"))
Names = str | Sequence[str] | None
"""Column names: a sequence, or one string with commas between them."""


def from_folder(
    folder: str | Path,
    *,
    table: str | Path | None = None,
    out: str | Path | None = None,
    id: str | None = None,
    image: str | None = None,
    texts: Names = None,
    attributes: Names = None,
    group: Names = None,
    outfit: str | None = None,
    split: str | None = None,
    name: str | None = None,
    strict: bool = False,
    overwrite: bool = False,
) -> Collection:
    """Make a collection of a folder's pictures; see `Collection.from_folder`."""
    folder = Path(folder)
    pictures = PictureFolder(folder)
    out = Path(out) if out is not None else _beside(pictures.root)
    found = _named_table(folder, table) if table is not None else _only_table(pictures.root)
    if found is not None:
        return _import(
            read_table(found), pictures, out, id=id, image=image, texts=texts,
            attributes=attributes, group=group, outfit=outfit, split=split,
            name=name or pictures.root.name, strict=strict, overwrite=overwrite,
        )  # fmt: skip
    roles = {"id": id, "image": image, "texts": texts, "attributes": attributes, "group": group}
    for role, given in {**roles, "outfit": outfit, "split": split}.items():
        if given is not None:
            raise InputError(
                f"{folder} holds no table whose column {given!r} could be the {role}; "
                "name the table with --table"
            )
    if not pictures.files:
        raise InputError(f"{folder} holds no pictures; expected files such as a.jpg or shoes/a.png")
    return Collection.create(
        out,
        _from_files(pictures),
        name=name or pictures.root.name,
        overwrite=overwrite,
        strict=strict,
        source=str(folder),
        roles={
            "id": "path",
            "image": "files",
            "texts": "words of the file's name or folder",
            "group": "folder",
        },
        total=len(pictures.files),
    )


def from_table(
    path: str | Path,
    *,
    out: str | Path | None = None,
    id: str | None = None,
    image: str | None = None,
    texts: Names = None,
    attributes: Names = None,
    group: Names = None,
    outfit: str | None = None,
    split: str | None = None,
    name: str | None = None,
    strict: bool = False,
    overwrite: bool = False,
) -> Collection:
    """Make a collection of a table; see `Collection.from_table`."""
    path = Path(path)
    table = read_table(path)
    return _import(
        table, PictureFolder(path.parent), Path(out) if out is not None else path.with_suffix(
            ".collection"), id=id, image=image, texts=texts, attributes=attributes, group=group,
        outfit=outfit, split=split, name=name or path.stem, strict=strict, overwrite=overwrite,
    )  # fmt: skip


def stem_words(path: str) -> str:
    """The words in a picture's file name, else in its folder's name; may be empty.

    >>> stem_words("shoes/red-running_shoe_01.jpg"), stem_words("birds/001.Black_Tern/0001.jpg")
    ('red running shoe', 'Black Tern')
    """
    file = PurePosixPath(path)
    for name in (file.stem, file.parent.name):
        if re.fullmatch(r"[0-9a-fA-F-]{12,}|(?i:img|dsc|dscn|pict?|image|photo)[\W_]*\d+", name):
            continue  # a hash or a camera's count, no words
        words = [word for word in re.split(r"[\W_]+", name) if re.search(r"[^\W\d]{2,}", word)]
        if words:
            return " ".join(words)
    return ""


def _import(
    table: Table,
    pictures: PictureFolder,
    out: Path,
    *,
    id: str | None,
    image: str | None,
    texts: Names,
    attributes: Names,
    group: Names,
    outfit: str | None,
    split: str | None,
    name: str,
    strict: bool,
    overwrite: bool,
) -> Collection:
    profiles, count = profile(table)
    if count == 0:
        why = f" ({table.skipped[0]})" if table.skipped else ""
        raise InputError(f"{table.path} has no rows below its header{why}; nothing was written")
    roles = guess_roles(
        table, profiles, pictures, id=id, image=image, texts=_names(texts),
        attributes=_names(attributes), group=_names(group), outfit=outfit, split=split,
    )  # fmt: skip
    reader = _Reader(table, roles, pictures, strict=strict)
    # Without an id the picture is the item, and several rows may speak of it (one for each text).
    column = profiles.get(roles.image)
    merged = roles.id is None and column is not None and len(column.hashes) < column.parts
    items = reader.merged() if merged else iter(reader)
    return Collection.create(
        out,
        items,
        name=name,
        overwrite=overwrite,
        strict=strict,
        skipped=reader.skipped,
        notes=reader.notes,
        source=str(table.path),
        roles=roles.summary(),
        total=len(column.hashes) if column is not None and merged else count,
    )


class _Reader:
    """The rows of a table as items; the ones without a picture become problems.

    `skipped` and `notes` are the table's own lists, which fill while the items are read.
    """

    def __init__(
        self, table: Table, roles: Roles, pictures: PictureFolder, *, strict: bool
    ) -> None:
        self.table = table
        self.roles = roles
        self.pictures = pictures
        self.strict = strict
        self.skipped = table.skipped
        self.notes = table.notes

    def __iter__(self) -> Iterator[Item]:
        for row in self._rows():
            item, picture = self._item(row), self._picture(row)
            if picture is not None and (read := self._read(item, picture)) is not None:
                yield read

    def merged(self) -> Iterator[Item]:
        """One item for each picture, with the texts and values of all of its rows."""
        items: dict[str, Item] = {}
        for row in self._rows():
            item, picture = self._item(row), self._picture(row)
            if isinstance(picture, str):
                known = items.get(picture)
                items[picture] = item if known is None else _joined(known, item)
        for picture, item in items.items():
            if (read := self._read(item, picture)) is not None:
                yield read

    def _rows(self) -> Iterator[Row]:
        seen = 0
        for row in self.table:
            self._refuse_if_strict(seen)
            seen = len(self.skipped)
            yield row
        self._refuse_if_strict(seen)

    def _refuse_if_strict(self, seen: int) -> None:
        if self.strict and len(self.skipped) > seen:
            raise InputError(str(self.skipped[seen]))

    def _item(self, row: Row) -> Item:
        roles, values = self.roles, row.values
        texts = [
            (text, roles.languages.get(column, "en"))
            for column in roles.texts
            for text in _several(values.get(column))
        ]
        parts = [as_text(values.get(column)) for column in roles.group]
        return Item(
            id=self._id(row),
            image=None,
            texts=tuple(text for text, _ in texts),
            languages=tuple(language for _, language in texts),
            group=" / ".join(part for part in parts if part) if parts and all(parts) else None,
            outfits=_several(values.get(roles.outfit or "")),
            split=as_text(values.get(roles.split or "")),
            attributes={name: self._attribute(name, values.get(name)) for name in roles.attributes},
            extras={name: self._extra(name, values.get(name)) for name in roles.extras},
            file=self.table.path.name,
            row=row.number,
        )

    def _id(self, row: Row) -> str:
        if self.roles.id is not None:
            return as_text(row.values.get(self.roles.id)) or ""
        return self._named_picture(row) or f"row {row.number}"

    def _named_picture(self, row: Row) -> str | None:
        """What the row says of its picture's file; None if nothing."""
        image = self.roles.image
        if "{" not in image or image in row.values:
            value = row.values.get(image)
            return value[0] if isinstance(value, tuple) and value else as_text(value)
        parts = {name: as_text(value) for name, value in row.values.items()}
        named = [parts.get(name) for name in re.findall(r"{(.*?)}", image)]
        return re.sub(r"{(.*?)}", lambda hit: parts[hit[1]] or "", image) if all(named) else None

    def _picture(self, row: Row) -> str | bytes | None:
        """The row's picture: its bytes or its file below the folder; None once it is skipped."""
        value = row.values.get(self.roles.image)
        if isinstance(value, bytes):
            return value
        named = self._named_picture(row)
        if named is None:
            self._skip(row, "missing", f"column {self.roles.image!r} names no picture")
            return None
        try:
            file = self.pictures.find(named)
        except InputError as error:
            self._skip(row, "missing", str(error))
            return None
        if file is None:
            what = f"{self.roles.image!r} names {named[:200]!r}, which does not exist below"
            self._skip(row, "missing", f"{what} {self.pictures.root}; put the picture there")
        return file

    def _read(self, item: Item, picture: str | bytes) -> Item | None:
        if isinstance(picture, bytes):
            return replace(item, image=picture)
        try:
            return replace(item, image=self.pictures.read(picture))
        except InputError as error:
            if self.strict:
                raise
            self.skipped.append(Problem(item.file, item.row, item.id, str(error), "image"))
            return None

    def _skip(self, row: Row, kind: str, what: str) -> None:
        message = f"{self.table.path.name} row {row.number}: {what}, or leave the row out"
        if self.strict:
            raise InputError(message)
        problem = Problem(self.table.path.name, row.number, self._id(row), message, kind)
        self.skipped.append(problem)

    def _attribute(self, name: str, value: Value) -> str | tuple[str, ...] | bool | None:
        if value is None or isinstance(value, tuple):
            return value
        text = as_text(value) or ""
        if name in self.roles.flags:
            return text.lower() in _YES
        separator = self.roles.separators.get(name)
        return text if separator is None else _several(tuple(text.split(separator)))

    def _extra(self, name: str, value: Value) -> float | str | None:
        text = as_text(value)
        return float(text) if text is not None and name in self.roles.numbers else text


def _several(value: Value) -> tuple[str, ...]:
    """A cell as texts: none, one, or those of a list."""
    value = clean(value)
    if isinstance(value, tuple):
        return value
    text = as_text(value)
    return () if text is None else (text,)


def _joined(first: Item, second: Item) -> Item:
    """Two rows of one picture as one item: all texts; where values differ, both."""
    new = [
        (text, language)
        for text, language in zip(second.texts, second.languages, strict=True)
        if text not in first.texts
    ]
    attributes = dict(first.attributes)
    for name, value in second.attributes.items():
        old = attributes.get(name)
        if old is None:
            attributes[name] = value
        elif value is not None and value != old:
            both = [*_words(old), *_words(value)]
            attributes[name] = tuple(dict.fromkeys(both))
    extras = {
        name: value if value is not None else second.extras.get(name)
        for name, value in first.extras.items()
    }
    return replace(
        first,
        texts=(*first.texts, *(text for text, _ in new)),
        languages=(*first.languages, *(language for _, language in new)),
        group=first.group or second.group,
        outfits=tuple(dict.fromkeys((*first.outfits, *second.outfits))),
        split=first.split or second.split,
        attributes=attributes,
        extras=extras,
    )


def _words(value: str | tuple[str, ...] | bool) -> tuple[str, ...]:
    if isinstance(value, tuple):
        return value
    return (str(value).lower() if isinstance(value, bool) else value,)


def _from_files(pictures: PictureFolder) -> Iterator[Item]:
    """Pictures without a table: folders are groups, and ``train``, ``val``, ``test`` are splits."""
    tops = {PurePosixPath(file).parts[0].lower() for file in pictures.files}
    splits = tops <= _SPLIT_FOLDERS
    stems: dict[str, int] = {}
    for file in pictures.files:
        stem = str(PurePosixPath(file).with_suffix(""))
        stems[stem] = stems.get(stem, 0) + 1
    for file in pictures.files:
        path = PurePosixPath(file)
        folders = path.parent.parts[1:] if splits else path.parent.parts
        stem = str(path.with_suffix(""))
        words = stem_words(file)
        try:
            image: bytes | None = pictures.read(file)
        except InputError:
            image = b""
        yield Item(
            id=stem if stems[stem] == 1 else file,
            image=image,
            texts=(words,) if words else (),
            group="/".join(folders) or None,
            split=path.parts[0] if splits else None,
            file=file,
        )


def _beside(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.collection")


def _names(given: Names) -> Sequence[str] | None:
    if isinstance(given, str):
        return tuple(name.strip() for name in given.split(",") if name.strip())
    return given


def _named_table(folder: Path, table: str | Path) -> Path:
    inside = folder / table
    if inside.is_file():
        return inside
    if Path(table).is_file():
        return Path(table)
    there = _tables(folder)
    hint = f"it holds {', '.join(path.name for path in there)}" if there else "it holds no table"
    raise InputError(f"{inside} does not exist; {hint}")


def _only_table(folder: Path) -> Path | None:
    there = _tables(folder)
    if len(there) > 1:
        raise InputError(
            f"{folder} holds several tables ({', '.join(path.name for path in there)}); "
            "say which one with --table"
        )
    return there[0] if there else None


def _tables(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".")
    )
