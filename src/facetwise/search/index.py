"""Index: a searchable collection under one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from facetwise.data import AttributeTable, Collection
from facetwise.data import store as lance
from facetwise.errors import InputError, ModelMismatchError
from facetwise.files import building

from .build import write_index
from .items import nearest_ids, value_of
from .query import IndexedItem, Query, read_query
from .scan import best
from .scoring import Scorer, Using
from .store import FILE, About, Vectors

if TYPE_CHECKING:
    from facetwise.explain import Explanation

    from .needs import SearchModel

__all__ = ["Hit", "Index"]


@dataclass(frozen=True)
class Hit:
    """An answer to a query.

    Attributes:
        id: of the item.
        score: higher is more similar; to 1e-6.
        rank: from 1; items with the same score are ranked by id.
        exact: whether every item was compared.
    """

    id: str
    score: float
    rank: int
    exact: bool


class Index:
    """A searchable collection; make one with `build`, open one with `open`.

    It holds a copy of its model, so the directory can be moved and searched alone. Vectors are read
    at the first search and kept.
    """

    def __init__(self, path: Path, about: About, model: SearchModel | None = None) -> None:
        self.path = path
        self.about = about
        self._model = model
        self._items = lance.open_table(path, "items")

    def __repr__(self) -> str:
        return f"Index({str(self.path)!r}, {len(self)} items)"

    def __len__(self) -> int:
        return self.about.items

    # -- making and opening ---------------------------------------------------------------------

    @classmethod
    def build(
        cls,
        model: SearchModel,
        collection: Collection,
        path: str | Path,
        *,
        overwrite: bool = False,
    ) -> Index:
        """Embed `collection` under `model` and write the index to the directory `path`.

        Whatever ends it early leaves an old index untouched. Features that were computed are cached
        with the collection, so that the next try goes on from there.

        Raises:
            InputError: `path` exists and may not be replaced, or the collection has no items.
            FacetwiseError: the disk is full.
        """
        path = Path(path)
        if len(collection) == 0:
            raise InputError(f"{collection.path} has no items; import some before indexing")
        with building(path, overwrite=overwrite, marker=FILE) as fresh:
            write_index(fresh, model, collection)
        return cls(path, About.read(path), model)

    @classmethod
    def open(cls, path: str | Path, model: SearchModel | None = None) -> Index:
        """Open the index in the directory `path`.

        Args:
            path: what `build` wrote.
            model: the model that built it, if it is loaded already; by default the copy inside.

        Raises:
            InputError: it is not there, is no index, or is damaged.
            VersionError: a newer facetwise made it.
            ModelMismatchError: `model` is another than the one that built it.
        """
        path = Path(path)
        about = About.read(path)
        if model is not None and model.fingerprint != about.fingerprint:
            raise ModelMismatchError(
                f"{path} was built with the model {about.fingerprint[:12]}, not with "
                f"{model.fingerprint[:12]}; leave the model out to use the copy inside the index, "
                "or build the index again with this model"
            )
        return cls(path, about, model)

    # -- what it holds --------------------------------------------------------------------------

    @cached_property
    def model(self) -> SearchModel:
        """The model that the items were embedded with."""
        if self._model is not None:
            return self._model
        from facetwise.models import load

        model: SearchModel = load(self.path / "model")
        if model.fingerprint != self.about.fingerprint:
            raise ModelMismatchError(
                f"{self.path / 'model'} is not the model that {self.path} was built with; "
                "build the index again"
            )
        return model

    @cached_property
    def ids(self) -> list[str]:
        """The ids, in row order."""
        found: list[str] = lance.select(self._items, ["id"])["id"].to_pylist()
        return found

    @cached_property
    def attributes(self) -> AttributeTable:
        """What is present, absent or unknown: one row for each item."""
        kinds: Mapping[str, Any] = self.about.attributes
        return AttributeTable.from_arrow(lance.select(self._items, ["unknown", *kinds]), kinds)

    @property
    def name(self) -> str:
        """Of the collection."""
        return self.about.collection

    @property
    def attribute_groups(self) -> tuple[str, ...]:
        """The attribute groups of the collection."""
        return tuple(self.about.attributes)

    @property
    def columns(self) -> tuple[str, ...]:
        """What `where` may name."""
        return tuple(str(name) for name in self._items.schema.names)

    @property
    def uses(self) -> tuple[Using, ...]:
        """The models that can be asked."""
        sets: tuple[Using, ...] = ("sets",) if self.about.sets else ()
        pairs: tuple[Using, ...] = ("pairs",) if self.about.pairs else ()
        return sets + pairs

    def steerable(self, using: Using) -> tuple[str, ...]:
        """The names that `weigh` takes: attribute groups, and the conditions of a pair model."""
        return self._scorer.names(using)

    def item(self, id: str) -> IndexedItem:
        """An item: to show, or as a query for what is like it.

        Raises:
            InputError: there is no such item; the message names the nearest ids.
        """
        return self.items([id])[0]

    def items(self, ids: Sequence[str]) -> list[IndexedItem]:
        """Items in the order asked, read in one go.

        Raises:
            InputError: as `item`.
        """
        rows = [self._row(id) for id in ids]
        table, entries = self.attributes, lance.take(self._items, rows, ["texts", "group"])
        return [
            IndexedItem(
                id=id,
                texts=tuple(entry["texts"] or ()),
                group=entry["group"],
                attributes={group: value_of(table, row, group) for group in table.groups},
                thumbnail=picture,
            )
            for id, row, entry, picture in zip(
                ids, rows, entries.to_pylist(), self._vectors.thumbnails(rows), strict=True
            )
        ]

    # -- asking ---------------------------------------------------------------------------------

    def search(
        self,
        query: Query,
        k: int = 10,
        *,
        weigh: Mapping[str, float] | None = None,
        where: str | None = None,
        using: Using | None = None,
    ) -> list[Hit]:
        """The `k` items that are most similar to `query`; every item is compared.

        Args:
            query: a text (`str`, always a text, even if a file has that name), a picture
                (`pathlib.Path`, bytes or PIL image), or an item of this index (`item`), which
                then is not among the hits.
            k: how many; fewer come back where fewer are left.
            weigh: factors on attribute groups, or on conditions of the pair model: 3 counts
                thrice, 0 not at all (see `steerable`; `facetwise.search.steering` has the
                equations).
            where: only items for which this SQL condition holds, over `columns`:
                ``gender = 'Men' AND year > 2012``.
            using: "sets" or "pairs"; by default a text asks the set model and a picture the pair
                model where there is one.

        Returns:
            Hits, best first; equal scores by id, so that the same query has the same answer.

        Raises:
            InputError: the query, a name in `weigh`, `where`, `using` or `k` cannot be used; the
                message says what can.
        """
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise InputError(f"k is {k!r}; give how many hits to return, 1 or more")
        among = None if where is None else self._where(where)
        asked = read_query(query)
        row = None if asked.id is None else self._row(asked.id)
        scored = self._scorer.score(asked, row, weigh, using)
        if row is not None:
            rows = torch.arange(len(self)) if among is None else among
            among = rows[rows != row]
        found = best(scored.scores, self._id_order, k, among)
        return [
            Hit(self.ids[row], float(scored.scores[row]), rank, exact=True)
            for rank, row in enumerate(found, 1)
        ]

    def explain(
        self,
        query: Query,
        id: str,
        *,
        weigh: Mapping[str, float] | None = None,
        using: Using | None = None,
    ) -> Explanation:
        """Why the item `id` has the score that `search` gives it for the same arguments.

        Returns:
            An explanation whose facets' contributions sum to the score: slots of the two sets, or
            conditions of the pair. Ranks are among all items.

        Raises:
            InputError: as `search`; or there is no such item (the message names the nearest ids).
        """
        from .why import why

        row = self._row(id)
        asked = read_query(query)
        own = None if asked.id is None else self._row(asked.id)
        scored = self._scorer.score(asked, own, weigh, using)
        if own is None and asked.hash is not None:
            own = self._row_of_hash.get(asked.hash)
        return why(self._scorer, scored, asked, own, self.ids, row, self.item(id))

    # -- inside ---------------------------------------------------------------------------------

    @cached_property
    def _vectors(self) -> Vectors:
        return Vectors(self.path, self.about)

    @cached_property
    def _scorer(self) -> Scorer:
        return Scorer(self.model, self._vectors, self.attributes)

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.ids)}

    @cached_property
    def _row_of_hash(self) -> dict[str, int]:
        hashes = lance.select(self._items, ["image_hash"])["image_hash"].to_pylist()
        return {name: row for row, name in enumerate(hashes)}

    @cached_property
    def _id_order(self) -> Tensor:
        """(N,) the place of each row when the ids are sorted."""
        return torch.tensor(sorted(range(len(self)), key=self.ids.__getitem__)).argsort()

    def _row(self, id: str) -> int:
        try:
            return self._row_of[id]
        except (KeyError, TypeError):
            near = ", ".join(nearest_ids(str(id), self.ids))
            raise InputError(
                f"{self.path} has no item {id!r}; the nearest ids are {near}"
            ) from None

    def _where(self, where: str) -> Tensor:
        found: list[str] = lance.select(self._items, ["id"], where)["id"].to_pylist()
        return torch.tensor([self._row_of[name] for name in found], dtype=torch.long)
