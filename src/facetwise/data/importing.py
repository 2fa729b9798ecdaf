"""A user's own folder and table to a Collection."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Final, Unpack

from facetwise.data.collection import Collection
from facetwise.data.columns import ColumnNames, Profile, guess_roles, profile
from facetwise.data.item import Item
from facetwise.data.pictures import PictureFolder
from facetwise.data.rows import RowReader
from facetwise.data.tables import SUFFIXES, Table, read_table
from facetwise.errors import InputError

__all__ = ["from_folder", "from_table", "stem_words"]

_SPLIT_FOLDERS: Final = frozenset(("train", "val", "valid", "validation", "dev", "test"))


def from_folder(
    folder: str | Path,
    *,
    table: str | Path | None = None,
    out: str | Path | None = None,
    name: str | None = None,
    strict: bool = False,
    overwrite: bool = False,
    **columns: Unpack[ColumnNames],
) -> Collection:
    """Make a collection of a folder's pictures; see `Collection.from_folder`."""
    folder = Path(folder)
    pictures = PictureFolder(folder)
    out = Path(out) if out is not None else _beside(pictures.root)
    found = _named_table(folder, table) if table is not None else _only_table(pictures.root)
    if found is not None:
        return _import(
            read_table(found),
            pictures,
            out,
            name=name or pictures.root.name,
            strict=strict,
            overwrite=overwrite,
            columns=columns,
        )
    for role, given in columns.items():
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
    name: str | None = None,
    strict: bool = False,
    overwrite: bool = False,
    **columns: Unpack[ColumnNames],
) -> Collection:
    """Make a collection of a table; see `Collection.from_table`."""
    path = Path(path)
    return _import(
        read_table(path),
        PictureFolder(path.parent),
        Path(out) if out is not None else path.with_suffix(".collection"),
        name=name or path.stem,
        strict=strict,
        overwrite=overwrite,
        columns=columns,
    )


def stem_words(path: str) -> str:
    """The words in a picture's file name, else in its folder's name; may be empty.

    >>> stem_words("shoes/red-running_shoe_01.jpg"), stem_words("birds/001.Black_Tern/0001.jpg")
    ('red running shoe', 'Black Tern')
    """
    file = PurePosixPath(path)
    for name in (file.stem, file.parent.name):
        if re.fullmatch(
            r"[0-9a-fA-F-]{12,}|(?i:img|dsc|dscn|pict?|image|photo)[\W_]*\d+[\W_]*", name
        ):
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
    name: str,
    strict: bool,
    overwrite: bool,
    columns: ColumnNames,
) -> Collection:
    profiles, count = profile(table)
    if count == 0:
        why = f" ({table.skipped[0]})" if table.skipped else ""
        raise InputError(f"{table.path} has no rows below its header{why}; nothing was written")
    roles = guess_roles(table, profiles, pictures, columns)
    reader = RowReader(table, roles, pictures, strict=strict)
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
        roles={**roles.summary(), "image": _told(roles.image, profiles, pictures)},
        total=len(column.hashes) if column is not None and merged else count,
    )


def _from_files(pictures: PictureFolder) -> Iterator[Item]:
    """Pictures without a table: folders are groups, and ``train``, ``val``, ``test`` are splits."""
    # Folders that all pictures share (often just ``images``) say nothing.
    shared = len(PurePosixPath(posixpath.commonpath([*pictures.files, pictures.files[0]])).parts)
    shared -= len(pictures.files) == 1
    folders = {file: PurePosixPath(file).parent.parts[shared:] for file in pictures.files}
    tops = {(*parts, "")[0].lower() for parts in folders.values()}
    splits = tops <= _SPLIT_FOLDERS
    stems: dict[str, int] = {}
    for file in pictures.files:
        stem = str(PurePosixPath(file).with_suffix(""))
        stems[stem] = stems.get(stem, 0) + 1
    for file in pictures.files:
        path = PurePosixPath(file)
        stem = str(path.with_suffix(""))
        words = stem_words("/".join((*folders[file][splits:], path.name)))
        try:
            image: bytes | None = pictures.read(file)
        except InputError:
            image = b""
        yield Item(
            id=stem if stems[stem] == 1 else file,
            image=image,
            texts=(words,) if words else (),
            group="/".join(folders[file][splits:]) or None,
            split=folders[file][0] if splits else None,
            file=file,
        )


def _told(image: str, profiles: Mapping[str, Profile], pictures: PictureFolder) -> str:
    """The image column and, where its cells are not the paths themselves, an example."""
    for value in profiles[image].sample[:20] if image in profiles else ():
        with suppress(InputError):
            file = pictures.find(value)
            if file is not None:
                return image if file == value else f"{image} (as in {file})"
    return image


def _beside(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.collection")


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
